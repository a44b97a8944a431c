-- +goose Up
-- Sandboxes. A sandbox's clock is so many milliseconds ahead of the
-- installation's; that of other domains never is.
ALTER TABLE domains ADD COLUMN clock BIGINT NOT NULL DEFAULT 0;

-- The desk finds a sandbox's ticket by its number; its lists leave it out.
ALTER TABLE desk_tickets ADD COLUMN sandbox BIGINT NOT NULL DEFAULT 0;
INSERT INTO desk_tickets (ticket_id, domain_id, number, status, severity, assignee, urges, changed_at, sandbox)
    SELECT t.id, t.domain_id, t.number, t.status, t.severity, t.assignee, t.urges, t.changed_at, 1
    FROM tickets AS t JOIN domains AS d ON d.id = t.domain_id WHERE d.sandbox = 1;
