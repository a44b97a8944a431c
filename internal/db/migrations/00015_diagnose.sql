-- +goose Up
-- The last number given to a diagnosis of the domain: numbers are never given twice,
-- although old diagnoses are deleted.
CREATE TABLE diagnosis_numbers (
    domain_id TEXT   NOT NULL,
    last      BIGINT NOT NULL,
    PRIMARY KEY (domain_id)
) {{tenant}};

-- Self-service diagnoses.
CREATE TABLE diagnoses (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    number     BIGINT NOT NULL, -- job_id on the wire, within the domain
    creator    TEXT   NOT NULL, -- user id
    type       BIGINT NOT NULL, -- as on the wire, 1 to 4
    kind       TEXT   NOT NULL, -- id in the catalogue
    region     TEXT   NOT NULL,
    params     TEXT   NOT NULL, -- JSON: what was checked
    state      BIGINT NOT NULL, -- as on the wire: 0, 2, 3, 4
    abnormal   TEXT   NOT NULL, -- JSON: ids of the checks that found something
    red        BIGINT NOT NULL, -- how many these are
    created_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX diagnoses_by_number ON diagnoses (domain_id, number);
CREATE INDEX diagnoses_by_creator ON diagnoses (domain_id, creator, id);
CREATE INDEX diagnoses_by_time ON diagnoses (domain_id, created_at);
CREATE INDEX diagnoses_by_age ON diagnoses (created_at);
CREATE INDEX diagnoses_open ON diagnoses (created_at) WHERE state < 3;

-- Their checks, as the catalogue had them when the diagnosis began.
CREATE TABLE diagnosis_checks (
    domain_id    TEXT   NOT NULL,
    diagnosis_id TEXT   NOT NULL,
    id           TEXT   NOT NULL, -- of the check in the catalogue
    place        BIGINT NOT NULL,
    state        BIGINT NOT NULL, -- 0 waiting, 1 running, 2 passed, 3 warning, 4 failed, 5 skipped
    definition   TEXT   NOT NULL, -- JSON, placeholders filled in
    message_zh   TEXT   NOT NULL,
    message_en   TEXT   NOT NULL,
    started_at   BIGINT NOT NULL,
    ended_at     BIGINT NOT NULL,
    PRIMARY KEY (domain_id, diagnosis_id, id)
) {{tenant}};

-- Whether a diagnosis helped: one word of each user.
CREATE TABLE diagnosis_ratings (
    domain_id    TEXT   NOT NULL,
    diagnosis_id TEXT   NOT NULL,
    user_id      TEXT   NOT NULL,
    helpful      BIGINT NOT NULL,
    content      TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (domain_id, diagnosis_id, user_id)
) {{tenant}};

-- What a customer has that can be diagnosed, entered by administrators.
CREATE TABLE diagnosis_resources (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    project    TEXT   NOT NULL,
    region     TEXT   NOT NULL,
    ipv4       TEXT   NOT NULL,
    ipv6       TEXT   NOT NULL,
    status     TEXT   NOT NULL,
    host       TEXT   NOT NULL, -- id of the physical host
    owner      TEXT   NOT NULL, -- user id, '' = nobody's own
    metadata   TEXT   NOT NULL, -- JSON object
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};

-- Who signed an agreement, for the house, newest first.
CREATE INDEX agreement_signatures_by_agreement ON agreement_signatures (agreement_id, signed_at, domain_id, id);
