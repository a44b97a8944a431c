-- +goose Up
-- The desk's search. Its terms stand beside the customers' in the same index;
-- desk = 1 says that a document has them. What an older version wrote is
-- indexed anew in the background.
ALTER TABLE search_docs ADD COLUMN desk BIGINT NOT NULL DEFAULT 0;
CREATE INDEX search_docs_to_do ON search_docs (domain_id, doc) WHERE desk = 0;

-- What is still to be indexed, and how far it is. No row, or all of them
-- finished: the index is complete.
CREATE TABLE search_tasks (
    name        TEXT   NOT NULL PRIMARY KEY, -- tickets, messages, judgements, contacts, files, users, domains
    at_domain   TEXT   NOT NULL, -- the last one that is indexed
    at_id       TEXT   NOT NULL,
    done        BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    finished_at BIGINT NOT NULL
);
INSERT INTO search_tasks SELECT 'tickets', '', '', 0, count(*), 0 FROM tickets /* all domains: what is there is indexed anew */ HAVING count(*) > 0;
INSERT INTO search_tasks SELECT 'messages', '', '', 0, count(*), 0 FROM messages /* all domains: as above */ WHERE opening = 0 AND withdrawn_at = 0 HAVING count(*) > 0;
INSERT INTO search_tasks SELECT 'judgements', '', '', 0, count(*), 0 FROM tickets /* all domains: as above */ WHERE judgement <> '' HAVING count(*) > 0;
INSERT INTO search_tasks SELECT 'contacts', '', '', 0, count(*), 0 FROM tickets /* all domains: as above */ WHERE contact <> '' HAVING count(*) > 0;
INSERT INTO search_tasks SELECT 'files', '', '', 0, count(*), 0 FROM attachments /* all domains: as above */ HAVING count(*) > 0;
INSERT INTO search_tasks SELECT 'users', '', '', 0, count(*), 0 FROM users /* all domains: as above */ WHERE domain_id <> 'house' HAVING count(*) > 0;
INSERT INTO search_tasks SELECT 'domains', '', '', 0, count(*), 0 FROM domains WHERE id <> 'house' HAVING count(*) > 0;

-- label: finds by name over all customers.
CREATE INDEX labels_by_key ON labels (name_key);
--{{sqlite
-- What the index holds, for casemate doctor.
CREATE VIRTUAL TABLE search_index_terms USING fts5vocab(search_index, instance);
--}}
