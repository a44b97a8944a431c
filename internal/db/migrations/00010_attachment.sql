-- +goose Up
-- Files of tickets; the bytes are in the blob store. A file waits under its
-- uploader until a ticket or a message claims it.
CREATE TABLE attachments (
    domain_id  TEXT   NOT NULL, -- the customer's, for engineers' files too
    id         TEXT   NOT NULL,
    uploader   TEXT   NOT NULL, -- user id
    side       BIGINT NOT NULL, -- 0 customer, 1 engineer
    origin     TEXT   NOT NULL, -- incident or message: what the uploader said it is for
    picture    BIGINT NOT NULL, -- 1 = for showing inside a text
    name       TEXT   NOT NULL, -- sealed with the uploader's key
    ext        TEXT   NOT NULL, -- extension, lower case
    media      TEXT   NOT NULL, -- type as our own sniffing found it
    size       BIGINT NOT NULL,
    sha256     TEXT   NOT NULL,
    blob       TEXT   NOT NULL, -- id in the blob store
    scan       TEXT   NOT NULL, -- off, waiting, clean, infected, failed
    drawable   BIGINT NOT NULL, -- 0 not looked at yet, 1 a picture that decodes, 2 not one
    ticket_id  TEXT   NOT NULL, -- '' until claimed (an engineer's file belongs to its ticket at once)
    message_id TEXT   NOT NULL, -- '' until claimed
    owner      TEXT   NOT NULL, -- creator of the ticket, '' until claimed
    internal   BIGINT NOT NULL, -- 1 = of a note
    hidden     BIGINT NOT NULL, -- 1 = its ticket or message is gone from the customer's eyes
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, -- when it goes unless claimed, 0 = claimed
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX attachments_by_ticket ON attachments (domain_id, ticket_id, id) WHERE ticket_id <> '';
CREATE INDEX attachments_by_end ON attachments (expires_at) WHERE expires_at > 0;
CREATE INDEX attachments_by_blob ON attachments (blob);

-- Bytes uploaded by a user on a day, and (user '', day 0) kept of the domain.
CREATE TABLE attachment_usage (
    domain_id TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    day       BIGINT NOT NULL, -- number of the day at GMT+8
    bytes     BIGINT NOT NULL,
    PRIMARY KEY (domain_id, user_id, day)
) {{tenant}};
CREATE INDEX attachment_usage_by_day ON attachment_usage (day);

-- Blobs whose row is gone; they go a while later, so that a backup that began
-- before still finds them.
CREATE TABLE blob_graves (
    blob       TEXT   NOT NULL PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);
CREATE INDEX blob_graves_by_time ON blob_graves (deleted_at);
