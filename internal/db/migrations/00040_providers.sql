-- +goose Up
-- Providers of mails and text messages that administrators set up at the desk,
-- beside those of the server's own file. Global: they are the house's.
CREATE TABLE notify_providers (
    name       TEXT   NOT NULL PRIMARY KEY, -- as the ledger calls it; never changes
    kind       TEXT   NOT NULL,             -- smtp, smpp, http
    state      TEXT   NOT NULL,             -- on, off
    place      BIGINT NOT NULL,             -- smaller ones are asked first
    weight     BIGINT NOT NULL,             -- share among equal places
    settings   TEXT   NOT NULL,             -- JSON, without secrets
    secrets    TEXT   NOT NULL,             -- JSON: which secret -> sealed
    version    BIGINT NOT NULL,             -- grows with each change
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    actor      TEXT   NOT NULL              -- who changed it last
);
