-- +goose Up
-- Verification codes. The code itself is nowhere but in its message: here is a
-- keyed hash over purpose, domain, user, channel, contact, id and code.
CREATE TABLE verify_codes (
    domain_id    TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    purpose      TEXT   NOT NULL,
    way          BIGINT NOT NULL, -- 0 SMS, 1 mail
    contact_hash TEXT   NOT NULL,
    code_hash    TEXT   NOT NULL, -- '' once the code is not live any more
    state        TEXT   NOT NULL, -- live, used, replaced, dead (too many wrong tries)
    tries        BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX verify_codes_live ON verify_codes (domain_id, user_id, purpose, way, contact_hash) WHERE state = 'live';
CREATE INDEX verify_codes_by_end ON verify_codes (expires_at);

-- When a contact was last sent a code, over all tenants.
CREATE TABLE verify_contacts (
    contact_hash TEXT   NOT NULL PRIMARY KEY,
    sent_at      BIGINT NOT NULL
);
CREATE INDEX verify_contacts_by_time ON verify_contacts (sent_at);

-- Sends and wrong tries of the last day, by subject: a contact (over all
-- tenants), a user, a domain, a client's address. Hashed where personal.
CREATE TABLE verify_counts (
    subject TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (subject, id)
);
CREATE INDEX verify_counts_by_time ON verify_counts (subject, at);
CREATE INDEX verify_counts_by_age ON verify_counts (at);

-- Contacts a user has proved to be his.
CREATE TABLE verify_proofs (
    domain_id    TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    way          BIGINT NOT NULL,
    area_code    TEXT   NOT NULL, -- calling code of a phone number, else ''
    contact      TEXT   NOT NULL, -- sealed with the user's key
    contact_hash TEXT   NOT NULL,
    proved_at    BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX verify_proofs_once ON verify_proofs (domain_id, user_id, way, contact_hash);
CREATE INDEX verify_proofs_by_end ON verify_proofs (expires_at);
