-- +goose Up
-- Additional parameters of tickets: those of the form the ticket was created
-- with and those submitted later, which may belong to a message.
CREATE TABLE ticket_values (
    domain_id  TEXT   NOT NULL,
    ticket_id  TEXT   NOT NULL,
    message_id TEXT   NOT NULL, -- '' = of the ticket as a whole
    param      TEXT   NOT NULL, -- key of the catalogue
    sensitive  BIGINT NOT NULL, -- 1 = sealed with the key of the ticket's creator
    value      TEXT   NOT NULL,
    place      BIGINT NOT NULL, -- order in which they are shown
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, message_id, param)
) {{tenant}};

-- Copy addresses a user has put on tickets, to be offered again. Those of one
-- ticket are sealed with its contact.
CREATE TABLE copy_addresses (
    domain_id TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    hash      TEXT   NOT NULL, -- keyed hash of the address
    address   TEXT   NOT NULL, -- sealed with the user's key
    used_at   BIGINT NOT NULL,
    place     BIGINT NOT NULL, -- among those used at once
    PRIMARY KEY (domain_id, user_id, hash)
) {{tenant}};

-- Reports of abuse and infringement, for the house.
CREATE TABLE abuse_reports (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    reporter   TEXT   NOT NULL, -- user id
    kind       TEXT   NOT NULL,
    title      TEXT   NOT NULL,
    content    TEXT   NOT NULL,
    contact    TEXT   NOT NULL, -- sealed with the reporter's key
    property   TEXT   NOT NULL, -- JSON: the right concerned, '' = none
    files      TEXT   NOT NULL, -- JSON list of attachment ids
    created_at BIGINT NOT NULL,
    handled_at BIGINT NOT NULL, -- 0 = open
    handler    TEXT   NOT NULL, -- user id in the house
    note       TEXT   NOT NULL, -- the handler's
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX abuse_reports_by_state ON abuse_reports (handled_at, id);
