-- +goose Up
-- Messages on their way out, and what became of them. Queued in the
-- transaction that made them necessary.
CREATE TABLE notify_messages (
    domain_id      TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    channel        TEXT   NOT NULL, -- mail, sms
    person         TEXT   NOT NULL, -- user under whose key recipient and payload are sealed, '' = the installation's
    recipient      TEXT   NOT NULL, -- sealed
    recipient_hash TEXT   NOT NULL, -- keyed hash of the normalised contact
    template       TEXT   NOT NULL,
    language       TEXT   NOT NULL,
    payload        TEXT   NOT NULL, -- sealed, '' once it is not to be sent any more
    ref            TEXT   NOT NULL, -- what it belongs to: a code's id, a ticket's number
    urgent         BIGINT NOT NULL,
    caught         BIGINT NOT NULL, -- goes to the catcher
    state          TEXT   NOT NULL, -- queued, sending, sent, delivered, bounced, failed, dropped
    cause          TEXT   NOT NULL,
    tries          BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX notify_messages_by_ref ON notify_messages (domain_id, ref);
CREATE INDEX notify_messages_by_recipient ON notify_messages (recipient_hash, id);
CREATE INDEX notify_messages_by_id ON notify_messages (id);
CREATE INDEX notify_messages_by_age ON notify_messages (created_at);
CREATE INDEX notify_messages_open ON notify_messages (expires_at) WHERE payload <> '';

CREATE TABLE notify_attempts (
    domain_id   TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    message_id  TEXT   NOT NULL,
    provider    TEXT   NOT NULL,
    began_at    BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL, -- 0 = not ended
    outcome     TEXT   NOT NULL, -- running, ok, temporary, permanent, unknown
    provider_id TEXT   NOT NULL,
    detail      TEXT   NOT NULL, -- the provider's answer, contacts and digits masked
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX notify_attempts_by_message ON notify_attempts (domain_id, message_id, id);
CREATE INDEX notify_attempts_by_age ON notify_attempts (began_at);
CREATE INDEX notify_attempts_by_provider ON notify_attempts (provider, provider_id) WHERE provider_id <> '';

-- What the catcher of a demo world or sandbox holds.
CREATE TABLE notify_caught (
    domain_id      TEXT   NOT NULL,
    id             TEXT   NOT NULL, -- the message's
    person         TEXT   NOT NULL,
    channel        TEXT   NOT NULL,
    recipient_hash TEXT   NOT NULL,
    template       TEXT   NOT NULL,
    content        TEXT   NOT NULL, -- sealed
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX notify_caught_by_recipient ON notify_caught (recipient_hash, id);
CREATE INDEX notify_caught_by_id ON notify_caught (id);

-- Contacts a provider has refused for good. Global: a dead mailbox is dead for
-- every tenant, and the key is a keyed hash.
CREATE TABLE notify_blocks (
    recipient_hash TEXT   NOT NULL PRIMARY KEY,
    channel        TEXT   NOT NULL,
    cause          TEXT   NOT NULL,
    since          BIGINT NOT NULL,
    until          BIGINT NOT NULL
);
