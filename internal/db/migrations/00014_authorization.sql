-- +goose Up
-- What engineers ask of a customer within a ticket, and what he answered. The
-- id rises with time, so that newest first is the key backwards.
CREATE TABLE authorizations (
    domain_id     TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    ticket_id     TEXT   NOT NULL,
    number        TEXT   NOT NULL, -- the ticket's
    creator       TEXT   NOT NULL, -- the ticket's: whose authorization it is
    status        BIGINT NOT NULL, -- as on the wire: 0 to 7
    revision      BIGINT NOT NULL, -- grows by one with each change
    engineer      TEXT   NOT NULL, -- user id in the house: who asks
    approver      TEXT   NOT NULL, -- who approved or refused the request, '' = nobody had to
    handler       TEXT   NOT NULL, -- user id of the customer who answered
    resource_type TEXT   NOT NULL,
    visit_type    TEXT   NOT NULL,
    content_type  TEXT   NOT NULL,
    description   TEXT   NOT NULL, -- why it is asked for
    refusal       TEXT   NOT NULL, -- why the supervisor refused, never shown to the customer
    reject_reason TEXT   NOT NULL, -- why the customer rejected
    agency        TEXT   NOT NULL, -- id of the agency granted, '' = none
    effective_at  BIGINT NOT NULL, -- the grant's window, 0 = not granted
    expire_at     BIGINT NOT NULL,
    due_at        BIGINT NOT NULL, -- when the clock ends it, 0 = it has ended
    created_at    BIGINT NOT NULL,
    changed_at    BIGINT NOT NULL,
    erased_at     BIGINT NOT NULL, -- when what was granted was wiped
    hidden        BIGINT NOT NULL, -- 1 = its ticket was deleted
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX authorizations_by_creator ON authorizations (domain_id, creator, id);
CREATE INDEX authorizations_by_ticket ON authorizations (domain_id, ticket_id, id);

-- What is to be entered: consoles and hosts. account and password are sealed,
-- bound to the row, and wiped when the authorization ends.
CREATE TABLE authorization_details (
    domain_id        TEXT   NOT NULL,
    id               BIGINT NOT NULL,
    authorization_id TEXT   NOT NULL,
    position         BIGINT NOT NULL, -- order in which they were asked for
    kind             BIGINT NOT NULL, -- 0 console, 1 host
    address          TEXT   NOT NULL, -- of a host: name or IP
    port             BIGINT NOT NULL, -- 0 = not said
    instance_id      TEXT   NOT NULL,
    instance_name    TEXT   NOT NULL,
    region           TEXT   NOT NULL,
    account          TEXT   NOT NULL,
    password         TEXT   NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX authorization_details_by_authorization ON authorization_details (domain_id, authorization_id, position);

-- The desk's own narrow row of each authorization, over all domains.
CREATE TABLE desk_authorizations (
    id        TEXT   NOT NULL PRIMARY KEY,
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    status    BIGINT NOT NULL
);
CREATE INDEX desk_authorizations_by_status ON desk_authorizations (status, id);

-- Tries of host logins: limits and outcomes, never what was tried.
CREATE TABLE authorization_checks (
    domain_id TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    detail_id BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    outcome   TEXT   NOT NULL, -- '' = under way
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX authorization_checks_by_user ON authorization_checks (domain_id, user_id, at);
CREATE INDEX authorization_checks_by_time ON authorization_checks (at);

-- Sessions of engineers on the customer's machines, and what was done there.
CREATE TABLE authorization_sessions (
    domain_id        TEXT   NOT NULL,
    id               BIGINT NOT NULL,
    authorization_id TEXT   NOT NULL,
    detail_id        BIGINT NOT NULL,
    engineer         TEXT   NOT NULL,
    opened_at        BIGINT NOT NULL,
    closed_at        BIGINT NOT NULL, -- 0 = open
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX authorization_sessions_by_detail ON authorization_sessions (domain_id, detail_id, opened_at, id);
CREATE INDEX authorization_sessions_open ON authorization_sessions (domain_id, authorization_id) WHERE closed_at = 0;

CREATE TABLE authorization_commands (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    session_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    text       TEXT   NOT NULL, -- sealed: people type passwords
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX authorization_commands_by_session ON authorization_commands (domain_id, session_id, at, id);

CREATE TABLE authorization_transfers (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    session_id BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    duration   BIGINT NOT NULL, -- milliseconds
    kind       TEXT   NOT NULL, -- upload, download
    file_name  TEXT   NOT NULL,
    from_path  TEXT   NOT NULL,
    to_path    TEXT   NOT NULL,
    size       BIGINT NOT NULL, -- bytes
    result     TEXT   NOT NULL, -- success, failure
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX authorization_transfers_by_session ON authorization_transfers (domain_id, session_id, at, id);

-- How far the sealed events were read for tickets that ended.
CREATE TABLE authorization_cursor (
    name TEXT   NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
