-- +goose Up
-- Sessions of browsers, kept in a cookie. Global: a credential is looked up
-- before its tenant is known.
CREATE TABLE browser_sessions (
    hash       TEXT   NOT NULL PRIMARY KEY, -- keyed hash of the cookie's value
    id         TEXT   NOT NULL,
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    method     TEXT   NOT NULL, -- password, ldap or oidc, +otp when a code was given
    provider   TEXT   NOT NULL, -- id of the identity provider, '' = the password kept here
    device     TEXT   NOT NULL, -- sealed with the person's key, as is address
    address    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    last_used  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX browser_sessions_by_id ON browser_sessions (id);
CREATE INDEX browser_sessions_by_user ON browser_sessions (domain_id, user_id, created_at);
CREATE INDEX browser_sessions_by_end ON browser_sessions (expires_at);

-- The second factor of those who set one up (RFC 6238).
CREATE TABLE second_factors (
    domain_id    TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    secret       TEXT   NOT NULL, -- sealed with the person's key
    confirmed_at BIGINT NOT NULL, -- 0 = set up, but no code was given yet
    last_step    BIGINT NOT NULL, -- the last time step whose code was taken
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (domain_id, user_id)
) {{tenant}};

-- Codes for those who lost the device; each works once.
CREATE TABLE recovery_codes (
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    hash       TEXT   NOT NULL, -- keyed hash
    used_at    BIGINT NOT NULL, -- 0 = not yet
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, user_id, hash)
) {{tenant}};

-- Log-ins that wait for their second factor. Global: looked up before the
-- tenant is known.
CREATE TABLE login_challenges (
    hash       TEXT   NOT NULL PRIMARY KEY, -- keyed hash of the challenge
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    method     TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    enrol      BIGINT NOT NULL, -- the user must set the second factor up
    tries      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_challenges_by_user ON login_challenges (domain_id, user_id);
CREATE INDEX login_challenges_by_end ON login_challenges (expires_at);

-- Log-ins that are at their identity provider. Global: nobody is known yet.
CREATE TABLE login_states (
    hash       TEXT   NOT NULL PRIMARY KEY, -- keyed hash of the state
    provider   TEXT   NOT NULL,
    secrets    TEXT   NOT NULL, -- sealed: nonce, verifier, where to go on
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_states_by_end ON login_states (expires_at);

-- Who a person of an identity provider is here.
CREATE TABLE user_links (
    domain_id    TEXT   NOT NULL,
    issuer_hash  TEXT   NOT NULL, -- keyed hash of issuer and subject
    user_id      TEXT   NOT NULL,
    provider     TEXT   NOT NULL,
    subject      TEXT   NOT NULL, -- sealed with the person's key: what the provider calls the person
    refresh      TEXT   NOT NULL, -- sealed with the person's key: the last refresh token, '' = none
    made_user    BIGINT NOT NULL, -- the user was made at the first log-in
    gone_at      BIGINT NOT NULL, -- when the provider said that the person is no more, 0 = is there
    checked_at   BIGINT NOT NULL, -- when the provider was last asked with success
    tried_at     BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (domain_id, issuer_hash)
) {{tenant}};
CREATE INDEX user_links_by_user ON user_links (domain_id, user_id);
CREATE INDEX user_links_by_provider ON user_links (provider, tried_at);
