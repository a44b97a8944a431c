-- +goose Up
-- What search finds: terms made by Casemate's own tokeniser, each with the
-- domain's prefix, so that a hit in another domain is impossible.
--{{sqlite
CREATE TABLE search_docs (
    n         INTEGER PRIMARY KEY AUTOINCREMENT,
    domain_id TEXT NOT NULL,
    doc       TEXT NOT NULL,
    parent    TEXT NOT NULL,
    kind      TEXT NOT NULL
);
CREATE UNIQUE INDEX search_docs_by_doc ON search_docs (domain_id, doc);
CREATE VIRTUAL TABLE search_index USING fts5(terms, singles, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0 tokenchars '_'");
--}}
--{{postgres
CREATE TABLE search_docs (
    domain_id TEXT NOT NULL,
    doc       TEXT NOT NULL,
    parent    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    terms     TSVECTOR NOT NULL,
    PRIMARY KEY (domain_id, doc)
) {{tenant}};
CREATE INDEX search_docs_by_terms ON search_docs USING GIN (terms);
--}}
