-- +goose Up
-- Who looks at a ticket or writes in it. Rows are forgotten 30 s after the last
-- sign; a person's row is written at most every few seconds.
CREATE TABLE ticket_presence (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    user_id   TEXT   NOT NULL, -- of the house
    doing     TEXT   NOT NULL, -- viewing, replying, noting
    seen_at   BIGINT NOT NULL, -- on the installation's clock
    PRIMARY KEY (domain_id, ticket_id, user_id)
) {{tenant}};
CREATE INDEX ticket_presence_by_time ON ticket_presence (seen_at);

-- Who is told of what happens to a ticket that others handle.
CREATE TABLE ticket_followers (
    domain_id TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    user_id   TEXT   NOT NULL, -- of the house
    mentioned BIGINT NOT NULL, -- 1 = a note named him, 0 = he asked
    since     BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, user_id)
) {{tenant}};

-- Texts that are not sent yet. The id is reply or note for the one that is
-- written, else that of a text that came back beside it.
CREATE TABLE ticket_drafts (
    domain_id   TEXT   NOT NULL,
    ticket_id   TEXT   NOT NULL,
    user_id     TEXT   NOT NULL, -- of the house
    id          TEXT   NOT NULL,
    kind        TEXT   NOT NULL, -- reply, note
    action      TEXT   NOT NULL, -- reply, ask, resolve, note: the step it was meant for
    text        TEXT   NOT NULL, -- sealed
    attachments TEXT   NOT NULL, -- JSON: ids
    seen        TEXT   NOT NULL, -- id of the newest message the writer had seen, '' = unknown
    origin      TEXT   NOT NULL, -- typed, refused, recalled, withheld
    cause       TEXT   NOT NULL, -- error code, with refused and withheld
    version     BIGINT NOT NULL, -- rises with time, also over a draft's end
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (domain_id, ticket_id, user_id, id)
) {{tenant}};
CREATE INDEX ticket_drafts_by_user ON ticket_drafts (user_id, changed_at);

-- Messages that go out later: within the time for taking them back, or when
-- their writer wants it. The row goes in the transaction that sends it.
CREATE TABLE ticket_later (
    domain_id   TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    ticket_id   TEXT   NOT NULL,
    user_id     TEXT   NOT NULL, -- of the house
    action      TEXT   NOT NULL, -- reply, ask, resolve
    text        TEXT   NOT NULL, -- sealed
    attachments TEXT   NOT NULL, -- JSON: ids
    seen        BIGINT NOT NULL, -- revision of the ticket the writer knew
    anyway      BIGINT NOT NULL, -- 1 = also when somebody wrote meanwhile
    undo        BIGINT NOT NULL, -- 1 = held for taking it back only
    send_at     BIGINT NOT NULL, -- on the domain's clock
    version     BIGINT NOT NULL,
    address     TEXT   NOT NULL, -- from where it was sent, for the history
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (domain_id, id)
) {{tenant}};
CREATE INDEX ticket_later_by_ticket ON ticket_later (domain_id, ticket_id);
CREATE INDEX ticket_later_by_user ON ticket_later (user_id, send_at);
CREATE INDEX ticket_later_by_time ON ticket_later (send_at);

-- What people of the house set for their own work. No row = the defaults.
CREATE TABLE desk_settings (
    user_id     TEXT   NOT NULL PRIMARY KEY,
    undo_within BIGINT NOT NULL -- seconds; -1 = the installation's
);

-- A snoozed ticket is out of the desk's lists until an instant of its domain's
-- clock, or (-1) until its customer stirs. 0 = it is not snoozed.
ALTER TABLE desk_tickets ADD COLUMN snoozed    BIGINT NOT NULL DEFAULT 0;
ALTER TABLE desk_tickets ADD COLUMN snoozed_by TEXT   NOT NULL DEFAULT '';
ALTER TABLE desk_tickets ADD COLUMN snoozed_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX desk_tickets_snoozed ON desk_tickets (ticket_id) WHERE snoozed <> 0;
