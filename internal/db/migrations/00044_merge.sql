-- +goose Up
--{{sqlite
-- Segments of the search index are merged a little in each batch of writes
-- (internal/search, mergeStep), not much in one of many: no commit waits long.
-- The other limit stays as a net below: so many segments on a level are merged at once.
INSERT INTO search_index(search_index, rank) VALUES('automerge', 0);
INSERT INTO search_index(search_index, rank) VALUES('crisismerge', 64);
--}}
