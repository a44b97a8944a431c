-- +goose Up
-- Queues and views leave snoozed tickets out and can be ordered by what is due:
-- the index of open tickets has both, so that counts still read nothing else.
DROP INDEX desk_tickets_open;
CREATE INDEX desk_tickets_open ON desk_tickets (assignee, ticket_id, status, severity, team, product, sub_type, problem_type, region, language, plan,
    domain_id, ownership, isv_product, urges, changed_at, created_at, number, sandbox, snoozed, due_at) WHERE status IN (0, 1, 2, 5, 17) AND sandbox = 0;

-- The desk's search finds a tag over all customers.
CREATE INDEX ticket_tags_by_key ON ticket_tags (tag_key, domain_id, ticket_id);

-- How far the history was read for what follows from it at the desk: what waits
-- on a ticket that was merged away, what an engineer leaves who is shut out.
INSERT INTO desk_cursors (name, seq, mark) SELECT 'aftermath', coalesce((SELECT seq FROM event_heads WHERE domain_id = ''), 0), '';
