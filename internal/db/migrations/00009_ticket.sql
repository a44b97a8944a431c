-- +goose Up
-- Tickets. The id rises with time, so that newest first is the key backwards;
-- the number is what people and the wire see.
CREATE TABLE tickets (
    domain_id    TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    number       TEXT   NOT NULL,
    creator      TEXT   NOT NULL, -- user id
    status       BIGINT NOT NULL, -- as on the wire: 0, 1, 2, 3, 4, 5, 12, 13, 17
    revision     BIGINT NOT NULL, -- grows by one with each change
    problem_type TEXT   NOT NULL,
    sub_type     TEXT   NOT NULL,
    product      TEXT   NOT NULL,
    region       TEXT   NOT NULL,
    severity     TEXT   NOT NULL,
    project      TEXT   NOT NULL,
    plan         TEXT   NOT NULL, -- support plan at creation
    description  TEXT   NOT NULL,
    contact      TEXT   NOT NULL, -- sealed with the creator's key, '' = none
    remind_time  TEXT   NOT NULL,
    language     TEXT   NOT NULL, -- of notices
    zone         TEXT   NOT NULL, -- of remind_time
    assignee     TEXT   NOT NULL, -- user id in the house, '' = nobody yet
    resolution   TEXT   NOT NULL,
    judgement    TEXT   NOT NULL,
    urges        BIGINT NOT NULL,
    urged_at     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    status_at    BIGINT NOT NULL, -- since when it is in this state, or waits anew in it
    resolved_at  BIGINT NOT NULL,
    closed_at    BIGINT NOT NULL,
    scored_at    BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX tickets_by_number ON tickets (domain_id, number);
CREATE INDEX tickets_by_status ON tickets (domain_id, status, id);
CREATE INDEX tickets_by_creator ON tickets (domain_id, creator, id);

-- What was said, and what engineers noted for themselves.
CREATE TABLE messages (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    ticket_id  TEXT   NOT NULL,
    side       BIGINT NOT NULL, -- 0 customer, 1 engineer, 2 partner, 3 system
    author     TEXT   NOT NULL, -- user id
    internal   BIGINT NOT NULL, -- 1 = a note, never shown to the customer
    opening    BIGINT NOT NULL, -- 1 = the description the ticket was opened with
    text       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX messages_by_ticket ON messages (domain_id, ticket_id, id);

-- Ratings by dimension.
CREATE TABLE ticket_scores (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    dimension BIGINT NOT NULL,
    points    BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, dimension)
) {{tenant}};

-- What the actor wrote beside a step; events hold no texts.
CREATE TABLE ticket_remarks (
    domain_id TEXT NOT NULL,
    event_id  TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    text      TEXT NOT NULL,
    PRIMARY KEY (domain_id, event_id)
) {{tenant}};

-- How many tickets a creator has in a state; creator '' = the whole domain.
-- Changes are appended as deltas and folded in behind, so that a busy domain
-- has no hot row.
CREATE TABLE ticket_counts (
    domain_id TEXT   NOT NULL,
    creator   TEXT   NOT NULL,
    status    BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    PRIMARY KEY (domain_id, creator, status)
) {{tenant}};
CREATE TABLE ticket_deltas (
    domain_id TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    creator   TEXT   NOT NULL,
    status    BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};

-- The desk's own narrow row of each ticket, over all domains.
CREATE TABLE desk_tickets (
    ticket_id  TEXT   NOT NULL PRIMARY KEY,
    domain_id  TEXT   NOT NULL,
    number     TEXT   NOT NULL,
    status     BIGINT NOT NULL,
    severity   TEXT   NOT NULL,
    assignee   TEXT   NOT NULL,
    urges      BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX desk_tickets_by_number ON desk_tickets (number);
CREATE INDEX desk_tickets_by_status ON desk_tickets (status, ticket_id);
CREATE INDEX desk_tickets_by_assignee ON desk_tickets (assignee, ticket_id) WHERE assignee <> '';
