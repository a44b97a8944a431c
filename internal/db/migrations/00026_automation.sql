-- +goose Up
-- Engineers' own marks on tickets, never shown to customers. tag_key is the
-- folded tag, so that "VIP" and "vip" are one.
CREATE TABLE ticket_tags (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    tag_key   TEXT   NOT NULL,
    tag       TEXT   NOT NULL,
    added_at  BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, tag_key)
) {{tenant}};
CREATE INDEX ticket_tags_by_tag ON ticket_tags (domain_id, tag_key, ticket_id);

-- Macros: actions under a name. owner is a user id, '' = everybody's.
CREATE TABLE macros (
    id         TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    name_zh    TEXT   NOT NULL,
    name_en    TEXT   NOT NULL,
    actions    TEXT   NOT NULL, -- JSON
    version    BIGINT NOT NULL, -- grows by one with each change
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    actor      TEXT   NOT NULL  -- who changed it last
);

-- Texts to write with: snippets, and whole answers (kind template).
CREATE TABLE snippets (
    id           TEXT   NOT NULL PRIMARY KEY,
    kind         TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    shortcut     TEXT   NOT NULL,
    shortcut_key TEXT   NOT NULL, -- folded, '' = none
    folder       TEXT   NOT NULL,
    title_zh     TEXT   NOT NULL,
    title_en     TEXT   NOT NULL,
    text_zh      TEXT   NOT NULL,
    text_en      TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    actor        TEXT   NOT NULL
);
CREATE UNIQUE INDEX snippets_by_shortcut ON snippets (owner, shortcut_key) WHERE shortcut_key <> '';

-- Actions on many tickets at once.
CREATE TABLE bulk_runs (
    id         TEXT   NOT NULL PRIMARY KEY,
    actor      TEXT   NOT NULL,
    actions    TEXT   NOT NULL, -- JSON
    total      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    done_at    BIGINT NOT NULL  -- 0 = not finished
);
-- What became of each ticket; a number that is nobody's lies in the house's domain.
CREATE TABLE bulk_items (
    domain_id       TEXT   NOT NULL,
    bulk_id         TEXT   NOT NULL,
    place           BIGINT NOT NULL, -- in the request, from 0
    number          TEXT   NOT NULL,
    ticket_id       TEXT   NOT NULL, -- '' = there is no such ticket
    revision_before BIGINT NOT NULL,
    revision_after  BIGINT NOT NULL, -- 0 = not done yet, or nothing was
    outcomes        TEXT   NOT NULL, -- JSON, one for each action that was tried
    done_at         BIGINT NOT NULL,
    PRIMARY KEY (domain_id, bulk_id, place)
) {{tenant}};
CREATE INDEX bulk_items_by_bulk ON bulk_items (bulk_id, place);

-- Rules: when, if, then.
CREATE TABLE rules (
    id         TEXT   NOT NULL PRIMARY KEY,
    name_zh    TEXT   NOT NULL,
    name_en    TEXT   NOT NULL,
    mode       TEXT   NOT NULL, -- on, off, shadow
    place      BIGINT NOT NULL, -- lower ones first
    definition TEXT   NOT NULL, -- JSON
    version    BIGINT NOT NULL,
    since      BIGINT NOT NULL, -- events before it are none of the rule's business
    cause      TEXT   NOT NULL, -- why Casemate switched it off, '' = it did not
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    actor      TEXT   NOT NULL
);
CREATE TABLE rule_versions (
    rule_id    TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    name_zh    TEXT   NOT NULL,
    name_en    TEXT   NOT NULL,
    mode       TEXT   NOT NULL,
    place      BIGINT NOT NULL,
    definition TEXT   NOT NULL,
    changed_at BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    PRIMARY KEY (rule_id, version)
);

-- How far the change feed is done with. Rules begin at what happens from now on.
CREATE TABLE rule_cursor (
    name TEXT   NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL
);
INSERT INTO rule_cursor (name, seq) SELECT 'rules', COALESCE(max(seq), 0) FROM event_heads WHERE domain_id = '';

-- What rules did. The key makes each execution happen once.
CREATE TABLE rule_runs (
    domain_id     TEXT   NOT NULL,
    rule_id       TEXT   NOT NULL,
    event_id      TEXT   NOT NULL, -- time:<ticket>:<since> for what time brings
    id            TEXT   NOT NULL,
    ticket_id     TEXT   NOT NULL,
    rule_version  BIGINT NOT NULL,
    mode          TEXT   NOT NULL, -- on, shadow
    state         TEXT   NOT NULL, -- running, done, failed, shadow, skipped
    kind          TEXT   NOT NULL, -- of the event
    depth         BIGINT NOT NULL, -- 1 = people or time caused the event, 2 = a rule that people caused ...
    chain         TEXT   NOT NULL, -- ids of the rules that led here, this one last, joined by commas
    code          TEXT   NOT NULL, -- why it was skipped: depth, loop, rate
    steps         TEXT   NOT NULL, -- JSON: what is to be done, texts rendered
    outcomes      TEXT   NOT NULL, -- JSON
    tries         BIGINT NOT NULL, -- how often somebody began to carry it out
    claimed_by    TEXT   NOT NULL,
    claimed_until BIGINT NOT NULL, -- on the installation's clock
    at            BIGINT NOT NULL,
    done_at       BIGINT NOT NULL,
    PRIMARY KEY (domain_id, rule_id, event_id)
) {{tenant}};
CREATE INDEX rule_runs_by_id ON rule_runs (domain_id, id);
CREATE INDEX rule_runs_by_rule ON rule_runs (rule_id, id);
CREATE INDEX rule_runs_by_ticket ON rule_runs (domain_id, ticket_id, rule_id, at);
