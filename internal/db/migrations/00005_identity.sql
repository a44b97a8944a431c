-- +goose Up
-- Customers' domains, and the house. Global: it is the list of tenants.
CREATE TABLE domains (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    project_id TEXT   NOT NULL, -- the one project of the domain, for project-scoped tokens
    plan       TEXT   NOT NULL, -- support plan, '' = none
    sandbox    BIGINT NOT NULL,
    disabled   BIGINT NOT NULL,
    submit_by_permission BIGINT NOT NULL, -- the submission policy switch (semantics.md section 2)
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX domains_by_name ON domains (name);

CREATE TABLE users (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    name_hash  TEXT   NOT NULL, -- keyed hash of the folded log-in name
    name       TEXT   NOT NULL, -- sealed with the person's key, as are mobile and mail
    mobile     TEXT   NOT NULL,
    mail       TEXT   NOT NULL,
    area_code  TEXT   NOT NULL,
    mobile_hash TEXT  NOT NULL,
    mail_hash  TEXT   NOT NULL,
    password   TEXT   NOT NULL, -- argon2id
    password_at BIGINT NOT NULL,
    main       BIGINT NOT NULL,
    role       TEXT   NOT NULL,
    alias      TEXT   NOT NULL, -- what customers see of an engineer
    public_id  TEXT   NOT NULL,
    language   TEXT   NOT NULL,
    zone       TEXT   NOT NULL,
    disabled   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX users_by_name ON users (domain_id, name_hash);
CREATE INDEX users_by_id ON users (id);

CREATE TABLE user_groups (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    roles      TEXT   NOT NULL, -- JSON list of system roles
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX user_groups_by_name ON user_groups (domain_id, name);

CREATE TABLE group_members (
    domain_id TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    PRIMARY KEY (domain_id, group_id, user_id)
) {{tenant}};
CREATE INDEX group_members_by_user ON group_members (domain_id, user_id);

-- Global: a credential is looked up before its tenant is known.
CREATE TABLE access_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    secret     TEXT   NOT NULL, -- sealed
    disabled   BIGINT NOT NULL,
    last_used  BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX access_keys_by_user ON access_keys (domain_id, user_id);

CREATE TABLE tokens (
    hash       TEXT   NOT NULL PRIMARY KEY, -- keyed hash of the secret
    id         TEXT   NOT NULL,
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    project_id TEXT   NOT NULL,
    methods    TEXT   NOT NULL,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (domain_id, user_id);
CREATE INDEX tokens_by_end ON tokens (expires_at);

-- Failed log-ins, by user (whether it exists or not) and by address.
CREATE TABLE login_failures (
    subject TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (subject, id)
);
CREATE INDEX login_failures_by_time ON login_failures (at);

-- The one-time secret that makes the first administrator.
CREATE TABLE setup_tokens (
    hash       TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
