-- +goose Up
-- Results of writes that a client may repeat (threats.md E2). Global: a key
-- already holds who asked.
CREATE TABLE request_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    domain_id  TEXT   NOT NULL,
    result     {{blob}} NOT NULL,
    kept_until BIGINT NOT NULL
);
CREATE INDEX request_keys_by_end ON request_keys (kept_until);

-- Rows to lock while something is counted exactly (quotas, send limits).
CREATE TABLE locks (
    domain_id TEXT   NOT NULL,
    name      TEXT   NOT NULL,
    n         BIGINT NOT NULL,
    PRIMARY KEY (domain_id, name)
);

-- Work that one node does at a time.
CREATE TABLE leases (
    name       TEXT   NOT NULL PRIMARY KEY,
    holder     TEXT   NOT NULL,
    held_until BIGINT NOT NULL
);
