package db_test

import (
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// TestMigratesDirectly: migrations, whose lock belongs to a session, go over the
// direct connection where there is one, not through the pooler.
func TestMigratesDirectly(t *testing.T) {
	t.Parallel()
	pooled, direct := dbtest.MigratedDatabase(t), dbtest.EmptyDatabase(t)
	dbtest.Open(t, db.Options{URL: pooled + "?listen=" + url.QueryEscape(direct)})
	c, err := pgx.Connect(t.Context(), direct)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var n int
	if err := c.QueryRow(t.Context(), "SELECT count(*) FROM goose_db_version").Scan(&n); err != nil || n < 2 {
		t.Errorf("%d migrations were applied over the direct connection: %v", n, err)
	}
}
