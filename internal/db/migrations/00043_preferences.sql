-- +goose Up
-- What a user chose for all his browsers. No row = nothing was chosen.
CREATE TABLE user_preferences (
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    chosen     TEXT   NOT NULL, -- JSON: look, keys, saved views, columns. Searches are personal: sealed with the key of the person
    notices    TEXT   NOT NULL, -- JSON: kind of notice to whether it goes
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, user_id)
) {{tenant}};
