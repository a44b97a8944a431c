-- +goose Up
-- What queues, views and the search of the desk filter by, in the desk's own
-- row of each ticket. region is '' where the catalogue calls it sensitive.
ALTER TABLE desk_tickets ADD COLUMN creator      TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN product      TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN sub_type     TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN problem_type TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN region       TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN plan         TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN language     TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN created_at   BIGINT NOT NULL DEFAULT 0;
UPDATE desk_tickets SET (creator, product, sub_type, problem_type, region, plan, language, created_at) =
    (SELECT t.creator, t.product, t.sub_type, t.problem_type, CASE WHEN t.region LIKE '~%' THEN '' ELSE t.region END, t.plan, t.language, t.created_at FROM tickets AS t
     WHERE t.domain_id = desk_tickets.domain_id AND t.id = desk_tickets.ticket_id)
    WHERE ticket_id IN (SELECT id FROM tickets);
