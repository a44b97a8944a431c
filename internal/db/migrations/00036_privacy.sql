-- +goose Up
-- Legal holds: nothing of what they are on is erased or removed by its age.
CREATE TABLE privacy_holds (
    id             TEXT   NOT NULL PRIMARY KEY,
    kind           TEXT   NOT NULL, -- person, ticket, domain
    domain_id      TEXT   NOT NULL, -- '' = of a contact that is no user's
    subject_id     TEXT   NOT NULL, -- user id, ticket id, domain id, keyed hash of a contact
    reason         TEXT   NOT NULL, -- sealed
    held_until     BIGINT NOT NULL, -- 0 = until it is released
    created_at     BIGINT NOT NULL,
    actor          TEXT   NOT NULL,
    released_at    BIGINT NOT NULL, -- 0 = in force
    released_by    TEXT   NOT NULL,
    release_reason TEXT   NOT NULL  -- sealed
);
CREATE INDEX privacy_holds_by_subject ON privacy_holds (kind, subject_id) WHERE released_at = 0;

-- Keyed hashes, of all purposes, of the contacts of a hold's person: what is known
-- by a contact only is held by them.
CREATE TABLE privacy_hold_hashes (
    hold_id TEXT NOT NULL,
    hash    TEXT NOT NULL,
    PRIMARY KEY (hold_id, hash)
);
CREATE INDEX privacy_hold_hashes_by_hash ON privacy_hold_hashes (hash);

-- Erasures of people, and how far they are.
CREATE TABLE privacy_erasures (
    id         TEXT   NOT NULL PRIMARY KEY,
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL, -- '' = a contact that is no user's
    subject    TEXT   NOT NULL, -- sealed JSON: contacts and their keyed hashes; '' once it is done
    reason     TEXT   NOT NULL, -- sealed
    state      TEXT   NOT NULL, -- running, done, held
    step       TEXT   NOT NULL,
    found      TEXT   NOT NULL, -- JSON: kind to rows, when it began
    erased     TEXT   NOT NULL, -- JSON: kind to rows, so far
    actor      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL
);
CREATE INDEX privacy_erasures_by_user ON privacy_erasures (domain_id, user_id);

CREATE TABLE privacy_retention (
    kind       TEXT   NOT NULL,
    domain_id  TEXT   NOT NULL, -- '' = all that have no rule of their own
    days       BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    ran_at     BIGINT NOT NULL,
    removed    BIGINT NOT NULL, -- in all its runs
    PRIMARY KEY (kind, domain_id)
);

-- Links to bundles of a person's data; each leads to one download.
CREATE TABLE privacy_bundles (
    id         TEXT   NOT NULL PRIMARY KEY,
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    contact    TEXT   NOT NULL, -- sealed, '' = a user's
    actor      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    taken_at   BIGINT NOT NULL
);
CREATE INDEX privacy_bundles_by_age ON privacy_bundles (created_at);
