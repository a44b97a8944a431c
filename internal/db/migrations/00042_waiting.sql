-- +goose Up
-- The queue "waiting for the customer" stands among one's own and held everyone's.
-- Where nobody changed it, it holds the caller's from now on.
UPDATE desk_queues SET filter = '{"statuses":[2,17],"assignee":"me"}' WHERE id = 'waiting' AND version = 1 AND filter = '{"statuses":[2,17]}';
