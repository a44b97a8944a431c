-- +goose Up
-- People of the house may hold several roles: all of them, the leading one
-- first, with commas between. The column role keeps the leading one.
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '';
UPDATE users SET roles = role WHERE role <> '' /* all domains: what everybody has already */;

-- What the house grants one account beside the catalogue, and when the account
-- was closed for good.
ALTER TABLE domains ADD COLUMN quota     BIGINT NOT NULL DEFAULT 0; -- open tickets of each problem type; 0 = the catalogue's, -1 = no end
ALTER TABLE domains ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0; -- 0 = it is not

-- What was made for the demo world, so that it can be removed without touching
-- what is real. Global: most of it is the house's.
CREATE TABLE demo_marks (
    kind   TEXT NOT NULL, -- domain, person, team, queue, view, macro, snippet, rule
    ref_id TEXT NOT NULL,
    PRIMARY KEY (kind, ref_id)
);

ALTER TABLE access_keys ADD COLUMN description TEXT NOT NULL DEFAULT '';
