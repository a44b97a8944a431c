-- +goose Up
-- What a main account allowed its sub-users (semantics.md D24), and the partner
-- who serves the customer.
ALTER TABLE domains ADD COLUMN export_by_users BIGINT NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN assume_all BIGINT NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN partner_id TEXT NOT NULL DEFAULT '';
CREATE INDEX domains_by_partner ON domains (partner_id) WHERE partner_id <> '';

-- People of the house who work for a partner.
ALTER TABLE users ADD COLUMN partner_id TEXT NOT NULL DEFAULT '';

-- Partners of the house. Global: a partner serves several customers.
CREATE TABLE partners (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    account_id  TEXT   NOT NULL, -- the partner's own customer domain, '' = none
    whitelisted BIGINT NOT NULL, -- may be given tickets
    zone        TEXT   NOT NULL, -- of the service hours, e.g. GMT+08:00
    days        BIGINT NOT NULL, -- a week
    hours       BIGINT NOT NULL, -- a day
    created_at  BIGINT NOT NULL,
    removed_at  BIGINT NOT NULL  -- 0 = is there
);
CREATE UNIQUE INDEX partners_by_name ON partners (name) WHERE removed_at = 0;
CREATE UNIQUE INDEX partners_by_account ON partners (account_id) WHERE account_id <> '' AND removed_at = 0;

-- What a partner serves, and when if not at his general hours.
CREATE TABLE partner_services (
    partner_id TEXT   NOT NULL,
    kind       TEXT   NOT NULL, -- sub_type, product (he is its ISV)
    ref_id     TEXT   NOT NULL, -- id in the catalogue
    zone       TEXT   NOT NULL,
    days       BIGINT NOT NULL,
    hours      BIGINT NOT NULL,
    PRIMARY KEY (partner_id, kind, ref_id)
);
CREATE UNIQUE INDEX partner_services_isv ON partner_services (ref_id) WHERE kind = 'product';

-- Whose business a ticket is: 0 the house's, 1 the customer's partner's, 2 the
-- product's ISV's (semantics.md section 3.3).
ALTER TABLE tickets ADD COLUMN ownership BIGINT NOT NULL DEFAULT 0;
ALTER TABLE desk_tickets ADD COLUMN ownership BIGINT NOT NULL DEFAULT 0;
ALTER TABLE desk_tickets ADD COLUMN isv_product TEXT NOT NULL DEFAULT ''; -- with ownership 2
CREATE INDEX desk_tickets_by_ownership ON desk_tickets (ownership, domain_id, ticket_id) WHERE ownership <> 0;

-- Delegations of a customer's account, for authorizations by agency.
CREATE TABLE agencies (
    domain_id         TEXT   NOT NULL,
    id                TEXT   NOT NULL,
    name              TEXT   NOT NULL,
    hours             BIGINT NOT NULL, -- validity, 0 = for ever
    trust_domain_id   TEXT   NOT NULL,
    trust_domain_name TEXT   NOT NULL,
    created_at        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL, -- 0 = never
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX agencies_by_name ON agencies (domain_id, name);

-- Temporary access keys. Global: a credential is looked up before its tenant is
-- known. A key dies with the credential it was made with.
CREATE TABLE temporary_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    secret     TEXT   NOT NULL, -- sealed
    token_hash TEXT   NOT NULL, -- keyed hash of the security token
    by_token   TEXT   NOT NULL, -- id of the token it was made with, or ''
    by_key     TEXT   NOT NULL, -- id of the access key it was made with, or ''
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX temporary_keys_by_user ON temporary_keys (domain_id, user_id);
CREATE INDEX temporary_keys_by_end ON temporary_keys (expires_at);
