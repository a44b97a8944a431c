-- +goose Up
-- Labels belong to their users. The number is the domain's own and never used
-- twice; name_key is the folded name, so that "Urgent" and "urgent" are one.
CREATE TABLE labels (
    domain_id  TEXT   NOT NULL,
    id         BIGINT NOT NULL, -- int32 on the wire
    owner      TEXT   NOT NULL, -- user id
    name       TEXT   NOT NULL,
    name_key   TEXT   NOT NULL,
    color      TEXT   NOT NULL, -- #rrggbb
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE UNIQUE INDEX labels_by_name ON labels (domain_id, owner, name_key);

-- The last number each domain gave to a label.
CREATE TABLE label_numbers (
    domain_id TEXT   NOT NULL,
    last      BIGINT NOT NULL,
    PRIMARY KEY (domain_id)
) {{tenant}};

-- Labels on tickets. Creator and state are the ticket's, so that the tickets of
-- a label are counted in the index alone.
CREATE TABLE ticket_labels (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    label_id  BIGINT NOT NULL,
    creator   TEXT   NOT NULL,
    status    BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, label_id)
) {{tenant}};
CREATE INDEX ticket_labels_by_label ON ticket_labels (domain_id, label_id, ticket_id, status, creator);

-- Tickets that belong together, one row for each direction.
CREATE TABLE ticket_relations (
    domain_id  TEXT   NOT NULL,
    ticket_id  TEXT   NOT NULL,
    related_id TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, related_id)
) {{tenant}};

-- revision is the ticket's when the message was added: it rises in the order of
-- commits, so that a reader who goes on behind it misses nothing. Messages that
-- are older than this column are numbered in their order; each of them had
-- raised the ticket's revision by one.
ALTER TABLE messages ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN withdrawn_at BIGINT NOT NULL DEFAULT 0; -- 0 = not; the text is gone then
UPDATE messages SET revision = (SELECT count(*) FROM messages AS older
    WHERE older.domain_id = messages.domain_id AND older.ticket_id = messages.ticket_id AND older.id <= messages.id) /* all domains: numbering what is there */;
CREATE INDEX messages_by_revision ON messages (domain_id, ticket_id, revision, id);
DROP INDEX messages_by_ticket;

-- How far a user has read a ticket; engineers' rows lie in the ticket's domain.
CREATE TABLE message_reads (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    user_id   TEXT   NOT NULL,
    revision  BIGINT NOT NULL,
    read_at   BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, user_id)
) {{tenant}};

-- Positions of polls over more tickets than a cursor has room for. The id is
-- the positions' hash: the same state is one row.
CREATE TABLE poll_cursors (
    domain_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    positions  TEXT   NOT NULL, -- JSON: ticket id -> revision
    kept_until BIGINT NOT NULL,
    PRIMARY KEY (domain_id, user_id, id)
) {{tenant}};
CREATE INDEX poll_cursors_by_end ON poll_cursors (kept_until);
