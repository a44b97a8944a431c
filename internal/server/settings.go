package server

import (
	"context"
	"net/url"
	"path/filepath"
	"strconv"

	"casemate/internal/db"
	"casemate/internal/desk"
)

// settings are those of the command line, then those of the file, as this node
// works by them.
func (s *Server) settings() []desk.Setting {
	var all []desk.Setting
	put := func(key, value, usual string) {
		source := "command"
		if value == usual {
			source = "default"
		}
		all = append(all, desk.Setting{Key: key, Value: value, Source: source})
	}
	database := s.o.Database
	if u, err := url.Parse(database); err == nil {
		database = u.Redacted()
	}
	data, err := filepath.Abs("data")
	if err != nil {
		data = "data"
	}
	put("--blobs", s.o.Blobs, "")
	put("--data", s.o.Data, data)
	put("--database", database, "")
	put("--demo", strconv.FormatBool(s.o.Demo), "false")
	put("--keys", s.o.keysDir(), Options{Data: s.o.Data}.keysDir())
	put("--listen", s.o.Listen, "127.0.0.1:8080")
	force := s.o.Config
	if s.o.Demo { // as the nouns change theirs
		force.Authorization, force.Ticket, force.Verify = force.Authorization.Demo(), force.Ticket.Demo(), force.Verify.Demo()
	}
	usual := map[string]string{}
	for _, v := range s.o.file.Settings(s.o.file) {
		usual[v.Key] = v.Value
	}
	for _, v := range force.Settings(s.o.file) {
		source := "default"
		switch {
		case usual[v.Key] != v.Value:
			source = "demo"
		case v.Given:
			source = "file"
		}
		all = append(all, desk.Setting{Key: v.Key, Value: v.Value, Source: source})
	}
	return all
}

// storage reads the sizes of the store.
func (s *Server) storage(ctx context.Context) (n desk.Storage, err error) {
	size := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if s.db.Dialect() == db.Postgres {
		size = "SELECT pg_database_size(current_database())"
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := tx.Get(size).Scan(&n.Database); err != nil {
			return err
		}
		return tx.Get("SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM attachments /* all domains: the system's figures */").Scan(&n.Files, &n.FileBytes)
	})
	return n, err
}
