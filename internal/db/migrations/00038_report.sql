-- +goose Up
-- Figures. A fact is something that is counted: worked out from the sealed
-- events of its source, a ticket or one event, and nothing else. Those of a
-- source are worked out anew when something happens to it. Sandboxes have none.
CREATE TABLE report_facts (
    domain_id TEXT   NOT NULL,
    source    TEXT   NOT NULL, -- ticket id, or the event's id of what is no ticket's
    measure   TEXT   NOT NULL,
    detail    TEXT   NOT NULL,
    n         BIGINT NOT NULL, -- which one of its kind, from 1
    at        BIGINT NOT NULL,
    number    TEXT   NOT NULL, -- of the ticket, '' = of none
    engineer  TEXT   NOT NULL, -- user id
    team      TEXT   NOT NULL,
    product   TEXT   NOT NULL,
    severity  TEXT   NOT NULL,
    language  TEXT   NOT NULL,
    channel   TEXT   NOT NULL, -- api, mail
    amount    BIGINT NOT NULL, -- milliseconds or points
    verdict   TEXT   NOT NULL, -- met, missed, '' = nothing was promised
    PRIMARY KEY (domain_id, source, measure, detail, n)
) {{tenant}};
CREATE INDEX report_facts_by_time ON report_facts (measure, at);
CREATE INDEX report_facts_by_domain ON report_facts (domain_id, measure, at);

-- Days that are over, added up: a row for each measure, detail and value of one
-- dimension ('' = all together). The days are those of one zone.
CREATE TABLE report_days (
    measure TEXT   NOT NULL,
    dim     TEXT   NOT NULL,
    day     TEXT   NOT NULL, -- yyyy-mm-dd
    value   TEXT   NOT NULL, -- of the dimension
    detail  TEXT   NOT NULL,
    n       BIGINT NOT NULL,
    total   BIGINT NOT NULL,
    met     BIGINT NOT NULL,
    missed  BIGINT NOT NULL,
    amounts TEXT   NOT NULL, -- JSON: how many by rounded amount
    PRIMARY KEY (measure, dim, day, value, detail)
);
CREATE INDEX report_days_by_day ON report_days (day);

-- Days whose rows hold, and those that are being added up (to_at 0). A fact that
-- comes or goes takes its day out.
CREATE TABLE report_built (
    day     TEXT   NOT NULL PRIMARY KEY,
    from_at BIGINT NOT NULL,
    to_at   BIGINT NOT NULL
);

-- facts: how far the events were read, when, and the zone of the days.
-- build: counts the days that were begun, so that of two builders one stops.
CREATE TABLE report_state (
    name TEXT   NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    at   BIGINT NOT NULL,
    zone TEXT   NOT NULL
);
INSERT INTO report_state (name, seq, at, zone) VALUES ('facts', 0, 0, ''), ('build', 0, 0, '');
