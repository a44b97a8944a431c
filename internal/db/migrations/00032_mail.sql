-- +goose Up
-- The purge finds what is past its time.
CREATE INDEX mail_threads_by_age ON mail_threads (created_at);
CREATE INDEX mails_by_age ON mails (state, changed_at);
