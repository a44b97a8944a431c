-- +goose Up
-- What was in force, by configuration as code: one row for each time it was
-- changed as a whole, and for what that found changed by other ways before.
CREATE TABLE config_versions (
    version      BIGINT NOT NULL PRIMARY KEY,
    at           BIGINT NOT NULL,
    kind         TEXT   NOT NULL, -- apply, rollback, found
    from_version BIGINT NOT NULL, -- of a rollback: where it went back to, else 0
    actor_kind   TEXT   NOT NULL,
    actor        TEXT   NOT NULL,
    hash         TEXT   NOT NULL, -- SHA-256 over the paths and the hashes of the files
    changes      BIGINT NOT NULL, -- entries that it changed
    tree         TEXT   NOT NULL  -- all files: JSON, gzip, base64; no secrets and no names of people
);
