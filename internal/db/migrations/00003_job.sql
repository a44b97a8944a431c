-- +goose Up
-- Background work, enqueued in the transaction that made it necessary.
CREATE TABLE jobs (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    domain_id   TEXT   NOT NULL,
    args        TEXT   NOT NULL,
    unique_key  TEXT   NOT NULL,
    state       TEXT   NOT NULL, -- waiting, running, dead
    urgent      BIGINT NOT NULL,
    run_at      BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    lease_by    TEXT   NOT NULL,
    last_error  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX jobs_due ON jobs (state, run_at);
CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key) WHERE unique_key <> '' AND state <> 'dead';
