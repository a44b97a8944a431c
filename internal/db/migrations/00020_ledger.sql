-- +goose Up
-- What an attempt cost, what the provider told of it later, and when the next
-- one is due.
ALTER TABLE notify_attempts ADD COLUMN parts      BIGINT NOT NULL DEFAULT 0; -- that the provider took
ALTER TABLE notify_attempts ADD COLUMN cost       BIGINT NOT NULL DEFAULT 0; -- thousandths of the operator's currency
ALTER TABLE notify_attempts ADD COLUMN receipt    TEXT   NOT NULL DEFAULT ''; -- delivered, failed, bounced, delayed; '' = none came
ALTER TABLE notify_attempts ADD COLUMN receipt_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE notify_messages ADD COLUMN next_at    BIGINT NOT NULL DEFAULT 0; -- 0 = an attempt runs, or none will follow

CREATE INDEX notify_messages_by_reference ON notify_messages (ref, id);

-- The parts of messages that a provider took in several.
CREATE TABLE notify_parts (
    domain_id   TEXT   NOT NULL,
    attempt_id  TEXT   NOT NULL,
    n           BIGINT NOT NULL, -- from 1
    provider    TEXT   NOT NULL,
    provider_id TEXT   NOT NULL,
    delivered   BIGINT NOT NULL,
    began_at    BIGINT NOT NULL,
    PRIMARY KEY (domain_id, attempt_id, n)
) {{tenant}};
CREATE INDEX notify_parts_by_provider ON notify_parts (provider, provider_id);
CREATE INDEX notify_parts_by_age ON notify_parts (began_at);
