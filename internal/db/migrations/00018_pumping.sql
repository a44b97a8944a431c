-- +goose Up
-- Text messages with codes as traffic: what was sent, entered and what it
-- cost, by subject (all, country:86, domain:ID) in slots of five minutes and
-- of a day. Not a tenant's: it protects the house's money.
CREATE TABLE verify_traffic (
    subject TEXT   NOT NULL,
    width   BIGINT NOT NULL, -- of a slot, milliseconds
    slot    BIGINT NOT NULL, -- its beginning
    sent    BIGINT NOT NULL,
    entered BIGINT NOT NULL, -- of those sent in the slot, how many codes were entered
    cost    BIGINT NOT NULL, -- thousandths of the operator's currency
    PRIMARY KEY (subject, width, slot)
);
CREATE INDEX verify_traffic_by_age ON verify_traffic (width, slot);

-- Why sends were refused.
CREATE TABLE verify_refusals (
    subject TEXT   NOT NULL,
    slot    BIGINT NOT NULL, -- of five minutes
    reason  TEXT   NOT NULL,
    n       BIGINT NOT NULL,
    PRIMARY KEY (subject, slot, reason)
);
CREATE INDEX verify_refusals_by_age ON verify_refusals (slot);

-- Breakers that have tripped.
CREATE TABLE verify_breakers (
    subject TEXT   NOT NULL PRIMARY KEY,
    state   TEXT   NOT NULL, -- closed, open, trial
    reason  TEXT   NOT NULL,
    trips   BIGINT NOT NULL, -- without a quiet day between them
    trials  BIGINT NOT NULL, -- sends left of a trial
    since   BIGINT NOT NULL, -- when it came into the state
    until   BIGINT NOT NULL, -- open: when the next trial begins; a very late time = not by itself
    moved   BIGINT NOT NULL  -- last change
);

ALTER TABLE verify_codes ADD COLUMN country TEXT NOT NULL DEFAULT ''; -- calling code, '' = mail, or caught
