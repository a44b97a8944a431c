-- +goose Up
-- Providers that an administrator took out, on all nodes.
CREATE TABLE notify_drained (
    name  TEXT   NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);
