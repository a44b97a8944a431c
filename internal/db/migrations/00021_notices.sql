-- +goose Up
-- Texts an administrator has put in the place of built-in ones.
CREATE TABLE notify_templates (
    template   TEXT   NOT NULL,
    language   TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    text       TEXT   NOT NULL,
    sms        TEXT   NOT NULL, -- '' = goes by mail only
    version    BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    PRIMARY KEY (template, language)
);

-- What people of the house want to be told by mail. No row = the defaults.
CREATE TABLE notify_preferences (
    user_id     TEXT   NOT NULL PRIMARY KEY,
    kinds       TEXT   NOT NULL, -- JSON: kind to whether a mail comes
    wants_new   BIGINT NOT NULL, -- 1 = every new ticket
    quiet_hours TEXT   NOT NULL, -- HH:mm-HH:mm, '' = none
    digest      TEXT   NOT NULL, -- HH:mm, '' = each notice is a mail
    zone        TEXT   NOT NULL, -- '' = the person's
    changed_at  BIGINT NOT NULL
);
CREATE INDEX notify_preferences_new ON notify_preferences (user_id) WHERE wants_new = 1;

-- What waits for a person's daily mail.
CREATE TABLE notify_digests (
    user_id    TEXT   NOT NULL,
    id         TEXT   NOT NULL, -- of the event, so that none is told twice
    kind       TEXT   NOT NULL,
    number     TEXT   NOT NULL, -- of the ticket
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, id)
);

-- Addresses that want no more mails about one ticket.
CREATE TABLE notify_optouts (
    domain_id      TEXT   NOT NULL,
    ref            TEXT   NOT NULL, -- ticket number
    recipient_hash TEXT   NOT NULL,
    since          BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ref, recipient_hash)
) {{tenant}};

ALTER TABLE notify_messages ADD COLUMN not_before BIGINT NOT NULL DEFAULT 0; -- 0 = at once
ALTER TABLE notify_messages ADD COLUMN passed_at BIGINT NOT NULL DEFAULT 0; -- when the loop guard let it pass, 0 = not yet
CREATE INDEX notify_messages_passed ON notify_messages (domain_id, ref, recipient_hash, passed_at) WHERE passed_at > 0;

-- How far the history is read for engineers' notices; an installation that
-- gets this table later tells nothing of what was before.
CREATE TABLE ticket_cursor (
    name TEXT   NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
INSERT INTO ticket_cursor (name, seq) SELECT 'engineers', COALESCE(max(seq), 0) FROM events;
