-- +goose Up
-- The team of the house a ticket was given to, '' = none.
ALTER TABLE desk_tickets ADD COLUMN team TEXT NOT NULL DEFAULT '';

-- Queues and views look at open tickets, which are few beside those that are
-- over: everything they filter and sort by stands in one index of these. Its
-- condition is repeated word by word in the queries (ticket.openRows).
CREATE INDEX desk_tickets_open ON desk_tickets (assignee, ticket_id, status, severity, team, product, sub_type, problem_type, region, language, plan,
    domain_id, ownership, isv_product, urges, changed_at, created_at, number, sandbox) WHERE status IN (0, 1, 2, 5, 17) AND sandbox = 0;

-- Teams of the house.
CREATE TABLE desk_teams (
    id         TEXT   NOT NULL PRIMARY KEY,
    name_zh    TEXT   NOT NULL,
    name_en    TEXT   NOT NULL,
    lead       TEXT   NOT NULL, -- user id of a member, '' = none
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE TABLE desk_team_members (
    team_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX desk_team_members_by_user ON desk_team_members (user_id, team_id);

-- What people of the house can do, how much and when. Who has no row can do
-- everything, has the capacity of the configuration and no plan.
CREATE TABLE desk_engineers (
    user_id    TEXT   NOT NULL PRIMARY KEY,
    capacity   BIGINT NOT NULL, -- open tickets at once, 0 = as configured
    skills     TEXT   NOT NULL, -- JSON: products, sub_types, languages, regions
    plan       TEXT   NOT NULL, -- JSON: zone, weekly shifts, exceptions
    presence   TEXT   NOT NULL, -- online, away, '' = never said
    since      BIGINT NOT NULL, -- when he said so
    version    BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Queues: which tickets, who serves them, and how they find their engineer.
CREATE TABLE desk_queues (
    id         TEXT   NOT NULL PRIMARY KEY,
    name_zh    TEXT   NOT NULL,
    name_en    TEXT   NOT NULL,
    place      BIGINT NOT NULL, -- order in the list
    filter     TEXT   NOT NULL, -- JSON (ticket.RowFilter)
    sort       TEXT   NOT NULL,
    team       TEXT   NOT NULL, -- '' = whoever
    way        TEXT   NOT NULL, -- manual, round_robin, least_loaded
    hard       BIGINT NOT NULL, -- 1 = nobody takes more than his capacity out of it
    last_user  TEXT   NOT NULL, -- who had the last turn
    turns      BIGINT NOT NULL, -- how many there were
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX desk_queues_by_place ON desk_queues (place, id);

INSERT INTO desk_queues (id, name_zh, name_en, place, filter, sort, team, way, hard, last_user, turns, version, created_at, changed_at) VALUES
    ('unassigned', '待分配', 'Unassigned', 10, '{"statuses":[0,1,5,17],"assignee":"none"}', 'severity', '', 'manual', 0, '', 0, 1, 0, 0),
    ('mine', '我的工单', 'Mine', 20, '{"statuses":[0,1,5,17],"assignee":"me"}', 'severity', '', 'manual', 0, '', 0, 1, 0, 0),
    ('waiting', '等待客户', 'Waiting for the customer', 30, '{"statuses":[2,17]}', 'changed', '', 'manual', 0, '', 0, 1, 0, 0),
    ('open', '全部未完成', 'All open', 40, '{"statuses":[0,1,2,5,17]}', 'newest', '', 'manual', 0, '', 0, 1, 0, 0);

-- Views: a filter with columns, of one person or shared.
CREATE TABLE desk_views (
    id         TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL, -- user id
    name_zh    TEXT   NOT NULL,
    name_en    TEXT   NOT NULL,
    place      BIGINT NOT NULL,
    shared     TEXT   NOT NULL, -- private, team, all
    team       TEXT   NOT NULL, -- with team
    filter     TEXT   NOT NULL, -- JSON (ticket.RowFilter)
    columns    TEXT   NOT NULL, -- JSON list
    sort       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX desk_views_by_owner ON desk_views (owner, place, id);
CREATE INDEX desk_views_shared ON desk_views (shared, team) WHERE shared <> 'private';

-- How far the history was read for what the queues do with it.
CREATE TABLE desk_cursors (
    name TEXT   NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    mark TEXT   NOT NULL -- who could take tickets then
);
INSERT INTO desk_cursors (name, seq, mark) SELECT 'assign', coalesce((SELECT seq FROM event_heads WHERE domain_id = ''), 0), '';
