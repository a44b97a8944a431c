package privacy_test

import (
	"database/sql"
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// inventory says of every text column what it holds: none (ids, kinds, values of
// a list), person (sealed with a person's key), sealed (with the installation's),
// hash (keyed), text (words of people), kept (words of nobody in particular).
// What is personal is erased by a rule of its table, or it says why not.
//
//go:embed inventory.csv
var inventory string

var classes = []string{"none", "person", "sealed", "hash", "text", "kept"}

// TestInventory holds the inventory against the schema: a new text column is
// classified, and what is personal has a rule that erases it.
func TestInventory(t *testing.T) {
	t.Parallel()
	rows, err := csv.NewReader(strings.NewReader(inventory)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	erased := map[string]bool{}
	for _, r := range rules() {
		if r.Set == "" {
			erased[r.Table+".*"] = true
			continue
		}
		for column := range strings.SplitSeq(r.Set, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(column), " ")
			erased[r.Table+"."+name] = true
		}
	}
	// The index is erased by documents, addresses of events with the key.
	for _, c := range []string{"search_docs.terms", "events.address"} {
		erased[c] = true
	}
	listed := map[string]bool{}
	for _, r := range rows[1:] {
		name := r[0] + "." + r[1]
		if listed[name] {
			t.Errorf("%s is listed twice", name)
		}
		listed[name] = true
		switch {
		case !slices.Contains(classes, r[2]):
			t.Errorf("%s: no class %q", name, r[2])
		case r[2] == "kept" && r[3] == "":
			t.Errorf("%s is kept and does not say why", name)
		case r[2] == "person" || r[2] == "text" || r[2] == "sealed" || r[2] == "hash":
			if !erased[name] && !erased[r[0]+".*"] && r[3] == "" {
				t.Errorf("%s is personal (%s), no rule erases it and nothing says why", name, r[2])
			}
		}
	}
	url := dbtest.SQLiteURL(t)
	dbtest.Open(t, db.Options{URL: url})
	d, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	found, err := d.Query(`SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND upper(c.type) IN ('TEXT', 'BLOB') AND t.name NOT LIKE 'search_index%' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'goose_db_version' ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	there := map[string]bool{"search_docs.terms": true} // PostgreSQL's
	for found.Next() {
		var table, column string
		if err := found.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		name := table + "." + column
		there[name] = true
		if !listed[name] {
			t.Errorf("%s is not classified: add a line to internal/privacy/inventory.csv (%s,%s,CLASS,WHY) and, if it is personal, a rule to its noun's privacy.go", name, table, column)
		}
	}
	for name := range listed {
		if !there[name] {
			t.Errorf("%s is in the inventory and not in the schema", name)
		}
	}
	fmt.Printf("REPORT inventory: %d text columns, %d rules\n", len(there), len(rules()))
}
