package db

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// partitions is how many partitions a tenant's table has where it is
// partitioned.
const partitions = 4

func openStdlib(c *pgx.ConnConfig) *sql.DB { return stdlib.OpenDB(*c) }

// migrate brings the schema up to date. Migrations go forward only.
func migrate(ctx context.Context, d *sql.DB, o Options, dialect Dialect) error {
	texts, newest, err := migrationTexts(dialect, o.Partitioned)
	if err != nil {
		return err
	}
	gd := goose.DialectSQLite3
	var opts []goose.ProviderOption
	if dialect == Postgres {
		gd = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 60))
		if err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	opts = append(opts, goose.WithLogger(goose.NopLogger()))
	p, err := goose.NewProvider(gd, d, texts, opts...)
	if err != nil {
		return err
	}
	found, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if found > newest {
		return fmt.Errorf("db: the database has schema %d, this binary knows up to %d: use a newer binary", found, newest)
	}
	if found == newest {
		return nil
	}
	if dialect == SQLite {
		// A second process that starts at once waits here instead of failing half-way.
		return migrateSQLite(ctx, d, p)
	}
	_, err = p.Up(ctx)
	return err
}

func migrateSQLite(ctx context.Context, _ *sql.DB, p *goose.Provider) error {
	_, err := p.Up(ctx)
	if err == nil {
		return nil
	}
	// Another process may have migrated in between: then nothing is pending.
	if pending, perr := p.HasPending(ctx); perr == nil && !pending {
		return nil
	}
	return err
}

// migrationTexts are the migrations with their tokens replaced.
func migrationTexts(dialect Dialect, partitioned bool) (fs.FS, int64, error) {
	out := fstest.MapFS{}
	var newest int64
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, 0, err
		}
		base := strings.TrimPrefix(name, "migrations/")
		n, err := strconv.ParseInt(base[:strings.IndexByte(base, '_')], 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("db: migration %s has no number", base)
		}
		newest = max(newest, n)
		s, err := replaceTokens(string(text), dialect, partitioned)
		if err != nil {
			return nil, 0, fmt.Errorf("db: migration %s: %w", base, err)
		}
		out[base] = &fstest.MapFile{Data: []byte(s)}
	}
	return out, newest, nil
}

var tenantTable = regexp.MustCompile(`(?is)CREATE TABLE (\w+) \((?:[^;]*?)\)\s*\{\{tenant\}\};`)

// replaceTokens writes a migration for one engine: {{blob}}, {{tenant}}, and
// the lines between --{{sqlite or --{{postgres and --}}.
func replaceTokens(text string, dialect Dialect, partitioned bool) (string, error) {
	var b bytes.Buffer
	only := ""
	for line := range strings.Lines(text) {
		switch mark := strings.TrimSpace(line); {
		case mark == "--{{sqlite" || mark == "--{{postgres":
			only = strings.TrimPrefix(mark, "--{{")
			continue
		case mark == "--}}":
			only = ""
			continue
		case only != "" && only != dialect.String():
			continue
		}
		b.WriteString(line)
	}
	if only != "" {
		return "", errors.New("a section is not closed")
	}
	s := b.String()
	if partitioned && dialect == Postgres {
		s = tenantTable.ReplaceAllStringFunc(s, func(stmt string) string {
			name := tenantTable.FindStringSubmatch(stmt)[1]
			stmt = strings.Replace(stmt, "{{tenant}};", "PARTITION BY HASH (domain_id);", 1)
			for i := range partitions {
				stmt += fmt.Sprintf("\nCREATE TABLE %s_p%d PARTITION OF %s FOR VALUES WITH (MODULUS %d, REMAINDER %d);", name, i, name, partitions, i)
			}
			return stmt
		})
		if strings.Contains(s, "{{tenant}}") {
			return "", errors.New("{{tenant}} stands where no CREATE TABLE was understood")
		}
	}
	blob := "BLOB"
	if dialect == Postgres {
		blob = "BYTEA"
	}
	s = strings.NewReplacer("{{tenant}}", "", "{{blob}}", blob).Replace(s)
	if strings.Contains(s, "{{") {
		return "", errors.New("unknown token")
	}
	return s, nil
}

// TenantTables are the tables that hold tenants' rows: domain_id leads their
// keys, and every query on them names the domain.
func TenantTables() ([]string, error) {
	text, err := schema()
	if err != nil {
		return nil, err
	}
	var tables []string
	for _, m := range tenantTable.FindAllStringSubmatch(text, -1) {
		tables = append(tables, strings.ToLower(m[1]))
	}
	slices.Sort(tables)
	return tables, nil
}

// remark is a comment in a migration: it may hold anything, a semicolon too.
var remark = regexp.MustCompile(`--[^\n]*`)

// schema is the text of all migrations, in their order, without comments.
func schema() (string, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return "", err
		}
		b.Write(remark.ReplaceAll(text, nil))
		b.WriteByte('\n')
	}
	return b.String(), nil
}
