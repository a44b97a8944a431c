-- +goose Up
-- One word for giving a ticket to somebody. Where nobody renamed the queue, it has it.
UPDATE desk_queues SET name_zh = '未分派' WHERE id = 'unassigned' AND name_zh = '待分配';
