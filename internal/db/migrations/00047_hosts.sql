-- +goose Up
-- Right sides of the Message-IDs that mails of this installation left with: answers
-- and bounces are known by them long after the provider has changed. Global: the
-- providers are the house's.
CREATE TABLE notify_hosts (
    host  TEXT   NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);
