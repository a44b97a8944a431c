-- +goose Up
-- What happened: written in the transaction of the change, numbered and sealed
-- behind it. seq 0 = not sealed yet.
CREATE TABLE events (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    subject_id TEXT   NOT NULL,
    revision   BIGINT NOT NULL,
    log_code   BIGINT NOT NULL,
    actor_kind BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    request_id TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    data       TEXT   NOT NULL,
    seq        BIGINT NOT NULL,
    domain_seq BIGINT NOT NULL,
    hash       TEXT   NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX events_by_subject ON events (domain_id, subject, subject_id, revision, id);
CREATE INDEX events_by_seq ON events (seq) WHERE seq > 0;
CREATE INDEX events_by_domain_seq ON events (domain_id, domain_seq) WHERE domain_seq > 0;
CREATE INDEX events_unsealed ON events (id) WHERE seq = 0;

-- Heads of the numbering: '' is the chain over all domains, the others count
-- one domain's events (their hash is that of the domain's newest event).
CREATE TABLE event_heads (
    domain_id TEXT   NOT NULL PRIMARY KEY,
    seq       BIGINT NOT NULL,
    hash      TEXT   NOT NULL
);
