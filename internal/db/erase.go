package db

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var anyTable = regexp.MustCompile(`(?is)CREATE TABLE (\w+) \(([^;]*?)\)\s*(?:\{\{tenant\}\})?;`)

// DomainTables are all tables whose rows belong to a domain, tenants' and
// global ones, read from the migrations, so that a new table is among them
// without a word. The last name in the alphabet comes first.
func DomainTables() ([]string, error) {
	text, err := schema()
	if err != nil {
		return nil, err
	}
	var tables []string
	for _, m := range anyTable.FindAllStringSubmatch(text, -1) {
		if table := strings.ToLower(m[1]); strings.Contains(m[2], "domain_id ") && !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	slices.Sort(tables)
	// Deltas go before the counters they are folded into: a fold that runs
	// meanwhile is waited for there, and what it added is then seen and removed.
	slices.Reverse(tables)
	return tables, nil
}

// Erase removes every row of the domain but those of the tables to keep. Only
// the reset of a sandbox does that; whoever works in the domain at the same
// moment may leave rows behind.
func Erase(tx *Tx, domain string, keep ...string) error {
	tables, err := DomainTables()
	if err != nil {
		return err
	}
	for _, k := range keep {
		if !slices.Contains(tables, k) {
			return fmt.Errorf("db: %s, to be kept, is no table of domains", k)
		}
	}
	for _, table := range tables {
		if !slices.Contains(keep, table) {
			tx.Write(Any, "DELETE FROM "+table+" WHERE domain_id = ?", domain)
		}
	}
	return nil
}
