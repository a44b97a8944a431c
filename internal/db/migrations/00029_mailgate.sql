-- +goose Up
-- How far the mailboxes were read that mails are fetched from (mailin). Tables of
-- the house: a mailbox is no tenant's.
CREATE TABLE mail_boxes (
    name       TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL, -- keyed hash of server, user and folder: of another account the numbers mean nothing
    validity   BIGINT NOT NULL, -- UIDVALIDITY that the numbers belong to, 0 = never read
    last_uid   BIGINT NOT NULL, -- mails up to here were stored, or are in mail_stuck
    marked_uid BIGINT NOT NULL, -- those up to here were marked, moved or deleted
    waiting    BIGINT NOT NULL, -- mails seen and not stored yet
    taken      BIGINT NOT NULL, -- mails stored
    node       TEXT   NOT NULL, -- that looked last
    ok_at      BIGINT NOT NULL, -- when all that lay there was stored
    taken_at   BIGINT NOT NULL, -- when the last mail was stored
    failed_at  BIGINT NOT NULL,
    next_at    BIGINT NOT NULL, -- not before, after failures
    failures   BIGINT NOT NULL, -- in a row
    error_zh   TEXT   NOT NULL,
    error_en   TEXT   NOT NULL,
    refresh    TEXT   NOT NULL, -- sealed: the refresh token the endpoint gave last, '' = none
    refresh_of TEXT   NOT NULL  -- keyed hash of the configured one that it came from
);

-- Mails that could not be stored: tried again, then left where they are.
CREATE TABLE mail_stuck (
    mailbox  TEXT   NOT NULL,
    validity BIGINT NOT NULL,
    uid      BIGINT NOT NULL,
    tries    BIGINT NOT NULL,
    next_at  BIGINT NOT NULL, -- 0 = left for good, noted in quarantine
    cause    TEXT   NOT NULL,
    PRIMARY KEY (mailbox, validity, uid)
);
