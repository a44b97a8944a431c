-- +goose Up
-- Mails that were received. The table is the house's: whose a mail is becomes
-- known only when it is read, if at all.
CREATE TABLE mails (
    id          TEXT   NOT NULL PRIMARY KEY,
    mailbox     TEXT   NOT NULL, -- name in the configuration
    source      TEXT   NOT NULL, -- keyed hash of mailbox and UID, or of mailbox and content
    digest      TEXT   NOT NULL, -- keyed hash of the content
    size        BIGINT NOT NULL, -- bytes
    state       TEXT   NOT NULL, -- waiting, done, quarantined, discarded
    outcome     TEXT   NOT NULL, -- ticket, message, note, bounce, ignored; '' = none yet
    cause       TEXT   NOT NULL, -- why it was ignored or quarantined
    head        TEXT   NOT NULL, -- sealed JSON: envelope, sender, subject, words of the cause; '' = forgotten
    sender_hash TEXT   NOT NULL, -- keyed hash of the From address
    message_hash TEXT  NOT NULL, -- keyed hash of the Message-ID
    domain_id   TEXT   NOT NULL, -- of the ticket, '' = none
    ticket_id   TEXT   NOT NULL,
    number      TEXT   NOT NULL,
    released    TEXT   NOT NULL, -- sealed JSON: who let it through, as whom; '' = nobody
    tries       BIGINT NOT NULL,
    kept        BIGINT NOT NULL, -- 1 = the original is there
    received_at BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX mails_by_source ON mails (source);
CREATE UNIQUE INDEX mails_by_digest ON mails (mailbox, digest);
CREATE INDEX mails_by_state ON mails (state, id);
CREATE INDEX mails_by_change ON mails (changed_at);
CREATE INDEX mails_by_sender ON mails (sender_hash, received_at);
CREATE INDEX mails_by_message ON mails (message_hash) WHERE message_hash <> '';
CREATE INDEX mails_by_ticket ON mails (domain_id, ticket_id) WHERE ticket_id <> '';

-- The originals, sealed, in pieces.
CREATE TABLE mail_parts (
    mail_id    TEXT   NOT NULL,
    n          BIGINT NOT NULL,
    sealed     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (mail_id, n)
);
CREATE INDEX mail_parts_by_time ON mail_parts (created_at);

-- Message-IDs of customers' mails and the tickets they went to, so that answers
-- to them find the way.
CREATE TABLE mail_threads (
    domain_id  TEXT   NOT NULL,
    id_hash    TEXT   NOT NULL, -- keyed hash of the Message-ID
    ticket_id  TEXT   NOT NULL,
    number     TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id_hash)
) {{tenant}};
CREATE INDEX mail_threads_by_id ON mail_threads (id_hash);

-- Refusals that were mailed, to bound them.
CREATE TABLE mail_answers (
    address_hash TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    sent_at      BIGINT NOT NULL,
    PRIMARY KEY (address_hash, id)
);
CREATE INDEX mail_answers_by_time ON mail_answers (sent_at);

CREATE INDEX users_by_mail ON users (mail_hash) WHERE mail_hash <> '';
