-- +goose Up
-- Where messages have been: a row for each time one came from a ticket to
-- another one by a merge, a split or a move. to_ticket '' = a notice of the
-- operation itself, taken away when it was undone. A message that was moved
-- away stays in the stream that polls of its old ticket read, at the revision
-- it had there, unless silent is 1: the new ticket is another submitter's.
CREATE TABLE message_moves (
    domain_id      TEXT   NOT NULL,
    op             TEXT   NOT NULL, -- of ticket_changes
    message_id     TEXT   NOT NULL,
    from_ticket    TEXT   NOT NULL,
    from_revision  BIGINT NOT NULL, -- the message's there
    to_ticket      TEXT   NOT NULL,
    to_revision    BIGINT NOT NULL,
    opening        BIGINT NOT NULL, -- what the message was before
    origin         TEXT   NOT NULL,
    created_before BIGINT NOT NULL,
    created_after  BIGINT NOT NULL, -- another time only where the new ticket had a message of that millisecond
    silent         BIGINT NOT NULL,
    moved_at       BIGINT NOT NULL,
    undone_at      BIGINT NOT NULL, -- 0 = stands
    PRIMARY KEY (domain_id, op, message_id)
) {{tenant}};
CREATE INDEX message_moves_from ON message_moves (domain_id, from_ticket, from_revision);
CREATE INDEX message_moves_to ON message_moves (domain_id, to_ticket);
CREATE INDEX message_moves_by_message ON message_moves (domain_id, message_id);

-- The ticket a message was said in, once it was moved; '' = it never was.
ALTER TABLE messages ADD COLUMN origin TEXT NOT NULL DEFAULT '';

-- Changes of tickets that can be undone, with what an undo puts back. A merge,
-- a split or a move has a row for each of its two tickets.
CREATE TABLE ticket_changes (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    revision  BIGINT NOT NULL, -- the one the change made
    op        TEXT   NOT NULL, -- the same for all tickets of one operation
    kind      TEXT   NOT NULL,
    other_id  TEXT   NOT NULL, -- the other ticket of a merge, split or move
    data      TEXT   NOT NULL, -- JSON: what changed, before and after
    made_at   BIGINT NOT NULL,
    undone    BIGINT NOT NULL, -- revision that undid it, 0 = it stands
    PRIMARY KEY (domain_id, ticket_id, revision)
) {{tenant}};
CREATE INDEX ticket_changes_by_op ON ticket_changes (domain_id, op);
