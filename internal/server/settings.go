package server

import (
	"cmp"
	"context"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

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
	data, err := filepath.Abs("data")
	if err != nil {
		data = "data"
	}
	put("--backup-recipients", strings.Join(s.o.BackupRecipients, ", "), "")
	put("--backups", s.o.backupsAt(), Options{Data: s.o.Data}.backupsAt())
	put("--blobs", s.o.Blobs, "")
	put("--config", s.o.ConfigFile, "")
	put("--credentials", s.o.Credentials, "")
	put("--data", s.o.Data, data)
	put("--database", shownDatabase(s.o.Database), "")
	put("--demo", strconv.FormatBool(s.o.Demo), "false")
	put("--demo-public", strconv.FormatBool(s.o.DemoPublic), "false")
	put("--keys", s.o.keysDir(), Options{Data: s.o.Data}.keysDir())
	put("--listen", s.o.Listen, "127.0.0.1:8080")
	put("--log-json", strconv.FormatBool(s.o.LogJSON), "false")
	put("--log-level", cmp.Or(s.o.LogLevel, "info"), "info")
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

// shownDatabase is the address of a database as people may read it: scheme, host,
// port and the database's name, and of a second and third address in it (listen,
// replica) the same. Names, passwords and all other parameters are left out, for a
// driver takes secrets in more than one of them.
func shownDatabase(address string) string {
	if address == "" {
		return ""
	}
	shown := func(address string) (string, url.Values) {
		u, err := url.Parse(address)
		if err != nil || u.Scheme == "" || u.Opaque != "" {
			return "-", nil
		}
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), u.Query()
	}
	out, q := shown(address)
	sign := "?"
	for _, key := range []string{"listen", "replica"} {
		if v := q.Get(key); v != "" {
			other, _ := shown(v)
			out, sign = out+sign+key+"="+other, "&"
		}
	}
	return out
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
