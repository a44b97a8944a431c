-- +goose Up
-- One row per applied version of the catalogue.
CREATE TABLE catalog_versions (
    version    BIGINT NOT NULL PRIMARY KEY,
    applied_at BIGINT NOT NULL,
    actor_kind TEXT   NOT NULL,
    actor      TEXT   NOT NULL
);

-- The entries as last applied. Entries that left the files are retired, never
-- deleted: tickets may use them.
CREATE TABLE catalog_entries (
    kind    TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    place   BIGINT NOT NULL, -- order among its kind
    data    TEXT   NOT NULL, -- JSON
    changed BIGINT NOT NULL, -- version of the last change
    retired BIGINT NOT NULL, -- version that retired it, 0 = offered
    PRIMARY KEY (kind, id)
);

-- The files of every version, as they were handed in.
CREATE TABLE catalog_files (
    version BIGINT NOT NULL,
    name    TEXT   NOT NULL,
    content TEXT   NOT NULL,
    PRIMARY KEY (version, name)
);

-- Which agreement is the newest of its type, for questions inside a
-- transaction; the texts are entries.
CREATE TABLE catalog_agreements (
    id      BIGINT NOT NULL PRIMARY KEY,
    type    TEXT   NOT NULL,
    version BIGINT NOT NULL,
    retired BIGINT NOT NULL
);

-- Who accepted which version of an agreement, and for what.
CREATE TABLE agreement_signatures (
    domain_id    TEXT   NOT NULL,
    id           BIGINT NOT NULL, -- record number within the domain
    user_id      TEXT   NOT NULL,
    agreement_id BIGINT NOT NULL,
    relation_id  TEXT   NOT NULL, -- ticket or authorization it belongs to, or ''
    signed_at    BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX agreement_signatures_once ON agreement_signatures (domain_id, user_id, agreement_id, relation_id);
