-- +goose Up
-- Other systems that are told what happens. They follow the sealed history by
-- its numbers, each at its own pace. They belong to the house, not to a tenant.
CREATE TABLE webhooks (
    id             TEXT   NOT NULL PRIMARY KEY,
    url            TEXT   NOT NULL,
    about          TEXT   NOT NULL, -- the operator's note
    only_domain    TEXT   NOT NULL, -- '' = events of all domains
    kinds          TEXT   NOT NULL, -- JSON list of kinds or beginnings such as ticket.*, [] = all
    secret         TEXT   NOT NULL, -- sealed
    old_secret     TEXT   NOT NULL, -- sealed, '' = none
    old_until      BIGINT NOT NULL,
    state          TEXT   NOT NULL, -- on, off
    cause          TEXT   NOT NULL, -- why it is off
    passed         BIGINT NOT NULL, -- number of the last event that is done with
    tries          BIGINT NOT NULL, -- failed ones of the event behind it
    failing_since  BIGINT NOT NULL, -- 0 = it is not
    next_at        BIGINT NOT NULL, -- no try before
    created_at     BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL
);

-- What was sent and answered, for a month.
CREATE TABLE webhook_deliveries (
    webhook_id  TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    delivery    TEXT   NOT NULL, -- webhook-id header: the same at every try of one event
    event_seq   BIGINT NOT NULL, -- 0 = a test
    kind        TEXT   NOT NULL,
    outcome     TEXT   NOT NULL, -- ok, failed
    status      BIGINT NOT NULL, -- HTTP, 0 = no answer
    took        BIGINT NOT NULL, -- milliseconds
    request     TEXT   NOT NULL, -- body
    answer      TEXT   NOT NULL, -- beginning of the body, or why there was none
    at          BIGINT NOT NULL,
    PRIMARY KEY (webhook_id, id)
);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (at);
