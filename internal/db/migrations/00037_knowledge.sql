-- +goose Up
-- Articles of the house. A row is what an article is now; its words stand in its
-- versions. revision grows by one with each change, version with each change of
-- the words.
CREATE TABLE articles (
    id             TEXT   NOT NULL PRIMARY KEY,
    slug           TEXT   NOT NULL,
    state          TEXT   NOT NULL, -- draft, published, archived
    revision       BIGINT NOT NULL,
    version        BIGINT NOT NULL, -- the newest
    published      BIGINT NOT NULL, -- the version readers see, 0 = none
    audience       TEXT   NOT NULL, -- of the published version: internal, customers; '' = none
    created_at     BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL,
    published_at   BIGINT NOT NULL, -- 0 = it is not
    actor          TEXT   NOT NULL  -- who changed it last
);
CREATE UNIQUE INDEX articles_by_slug ON articles (slug);
CREATE INDEX articles_by_change ON articles (changed_at, id);

CREATE TABLE article_versions (
    article_id   TEXT   NOT NULL,
    version      BIGINT NOT NULL, -- from 1
    visibility   TEXT   NOT NULL, -- internal, customers
    title_zh     TEXT   NOT NULL,
    title_en     TEXT   NOT NULL,
    summary_zh   TEXT   NOT NULL,
    summary_en   TEXT   NOT NULL,
    body_zh      TEXT   NOT NULL, -- Markdown
    body_en      TEXT   NOT NULL,
    links        TEXT   NOT NULL, -- JSON: tags, products, problem types
    note         TEXT   NOT NULL, -- what was changed, for colleagues
    at           BIGINT NOT NULL,
    actor        TEXT   NOT NULL,
    revision     BIGINT NOT NULL, -- the article's when it was made
    published_at BIGINT NOT NULL, -- first, 0 = never
    PRIMARY KEY (article_id, version)
);

-- What articles are found by beside their words: of the newest version (stage
-- now) and of the published one (stage out).
CREATE TABLE article_links (
    article_id TEXT NOT NULL,
    stage      TEXT NOT NULL,
    kind       TEXT NOT NULL, -- tag, product, problem_type
    value      TEXT NOT NULL, -- a tag is folded
    PRIMARY KEY (article_id, stage, kind, value)
);
CREATE INDEX article_links_by_value ON article_links (kind, value, stage, article_id);

-- In which tickets an article was of use.
CREATE TABLE article_tickets (
    domain_id  TEXT   NOT NULL,
    ticket_id  TEXT   NOT NULL,
    article_id TEXT   NOT NULL,
    version    BIGINT NOT NULL, -- of the article then
    at         BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, article_id)
) {{tenant}};
CREATE INDEX article_tickets_by_article ON article_tickets (article_id, at);

-- Whether it helped, one word of each reader's.
CREATE TABLE article_votes (
    domain_id  TEXT   NOT NULL,
    article_id TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    helpful    BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (domain_id, article_id, user_id)
) {{tenant}};
CREATE INDEX article_votes_by_article ON article_votes (article_id, helpful);

-- What customers were shown while they wrote a ticket, without a word of theirs,
-- and which of it they opened.
CREATE TABLE article_suggestions (
    domain_id  TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    asked_at   BIGINT NOT NULL, -- last
    asked      BIGINT NOT NULL, -- how often
    shown      BIGINT NOT NULL, -- articles, the most at once
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX article_suggestions_by_start ON article_suggestions (started_at);
CREATE TABLE article_opened (
    domain_id     TEXT   NOT NULL,
    suggestion_id TEXT   NOT NULL,
    article_id    TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    PRIMARY KEY (domain_id, suggestion_id, article_id)
) {{tenant}};
