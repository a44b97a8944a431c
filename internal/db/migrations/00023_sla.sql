-- +goose Up
-- The rule of a ticket's clocks and how far they are (JSON), and what is due
-- next. '' = from before there were clocks.
ALTER TABLE tickets ADD COLUMN sla TEXT NOT NULL DEFAULT '';
CREATE INDEX tickets_without_sla ON tickets (domain_id, id) WHERE sla = '' AND status IN (0, 1, 2, 5, 17);
ALTER TABLE desk_tickets ADD COLUMN due_at   BIGINT NOT NULL DEFAULT 0; -- of the nearest running target, 0 = none runs
ALTER TABLE desk_tickets ADD COLUMN due_kind TEXT   NOT NULL DEFAULT '';
-- By time left, those without a running target last.
CREATE INDEX desk_tickets_by_due ON desk_tickets ((CASE WHEN due_at = 0 THEN 9223372036854775807 ELSE due_at END), ticket_id);

-- Rules that tickets were created under, by the hash of their content: a ticket
-- keeps its rule whatever the catalogue becomes. They never change.
CREATE TABLE sla_rules (
    id         TEXT   NOT NULL PRIMARY KEY,
    data       TEXT   NOT NULL, -- JSON
    created_at BIGINT NOT NULL
);

-- What clocks have told already, so that nothing is told twice.
CREATE TABLE ticket_sla_marks (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    clock     TEXT   NOT NULL, -- kind and which one, e.g. next_answer.2
    mark      TEXT   NOT NULL, -- warned, breached
    at        BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, clock, mark)
) {{tenant}};
