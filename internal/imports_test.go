package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casemate/internal/db"
)

// layers says who may import whom: a package imports only packages of lower
// layers, with the exceptions named. Adding an arrow is a change to this table.
var layers = map[string]int{
	"markdown": 0, "fault": 0, "config": 0, "principal": 0, "guard": 0, "locale": 1, // locale may import fault
	"sla": 2, "sheet": 2, "db": 2, "seal": 2, "blob": 2, "archive": 2, "yamlfile": 2, "wire": 2, // wire: what the surfaces' mappers share (docs/adr/0002)
	"event": 3, "job": 3, "search": 3, "personal": 3,
	"identity": 4, "privilege": 5, "catalog": 6, "notify": 6, "webhook": 6, "verify": 7, "attachment": 7, "knowledge": 7, "ticket": 8,
	"authorization": 9, "diagnose": 9, "queue": 9, "live": 9, "privacy": 9,
	"mailin": 10, "report": 10, "setup": 10,
	"api": 11, "desk": 11, "webapi": 11, "iam": 11,
	"server":   12,
	"selftest": 0, // a client: it knows nothing of the server
}

// never are arrows that the layers would allow and the design does not.
var never = map[string][]string{
	"api":    {"db", "blob", "job", "seal"},
	"desk":   {"db", "blob", "job", "seal"},
	"iam":    {"db", "blob", "job", "seal"},
	"webapi": {"db", "blob", "job", "seal"},
}

func goFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{} // path -> package folder
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/oas/") {
			return err
		}
		parts := strings.Split(filepath.ToSlash(path), "/")
		if len(parts) == 2 { // helpers for tests, one folder deeper, are free
			files[path] = parts[0]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImports(t *testing.T) {
	for path, pkg := range goFiles(t) {
		mine, ok := layers[pkg]
		if !ok {
			t.Errorf("package %s has no layer", pkg)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			rest, ours := strings.CutPrefix(name, "casemate/internal/")
			if !ours || rest == pkg+"/oas" {
				continue
			}
			theirs, ok := layers[rest]
			if !ok || theirs >= mine || slices.Contains(never[pkg], rest) {
				t.Errorf("%s imports %s: not in the table", path, rest)
			}
		}
	}
}

// TestLayersDocumented: the table of docs/ARCHITECTURE.md is the one above.
func TestLayersDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]int{"selftest": 0} // a client; it has a row without a number
	name := regexp.MustCompile("`([a-z]+)`")
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \|`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(row[1])
		for _, p := range name.FindAllStringSubmatch(row[2], -1) {
			written[p[1]] = n
		}
	}
	if !maps.Equal(written, layers) {
		t.Errorf("the document has %v, the test %v", written, layers)
	}
}

var statement = regexp.MustCompile(`(?is)^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s`)

// TestTenantScope reads the SQL texts of the nouns: whoever touches a tenant's
// table names the domain, or says in the text why not.
func TestTenantScope(t *testing.T) {
	tenant, err := db.TenantTables()
	if err != nil {
		t.Fatal(err)
	}
	if len(tenant) < 4 {
		t.Fatalf("only %v are tenants' tables", tenant)
	}
	touches := regexp.MustCompile(`(?i)\b(FROM|JOIN|INTO|UPDATE)\s+(` + strings.Join(tenant, "|") + `)\b`)
	read, free := 0, 0
	for path := range goFiles(t) {
		for _, sql := range texts(t, path) {
			if !statement.MatchString(sql) || !touches.MatchString(sql) {
				continue
			}
			read++
			switch {
			case strings.Contains(sql, "/* all domains:"):
				free++
				t.Logf("%s: %.100s", path, strings.Join(strings.Fields(sql), " "))
			case !strings.Contains(sql, "domain_id"):
				t.Errorf("%s: a query on a tenant's table without its domain: %s", path, sql)
			}
		}
	}
	if read < 20 {
		t.Errorf("only %d statements were read: the scan is broken", read)
	}
	t.Logf("REPORT tenant scope: %d statements on tenants' tables, %d of them over all domains with a reason\n", read, free)
}
