//go:build long

package move

import (
	"bufio"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// pass runs casemate migrate; when it has told a line with the word, it is
// killed after a moment. It returns what was printed and how long it took.
func pass(t *testing.T, env []string, word string, moment time.Duration, args ...string) (out string, took time.Duration, killed bool) {
	t.Helper()
	cmd := exec.Command(world.Binary(t), append([]string{"migrate"}, args...)...)
	cmd.Env = append(append(os.Environ(), "CASEMATE_LANGUAGE=en"), env...)
	lines, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	read := make(chan struct{})
	go func() {
		defer close(read)
		armed := word != ""
		for in := bufio.NewScanner(lines); in.Scan(); {
			fmt.Fprintln(&said, in.Text())
			if armed && strings.Contains(in.Text(), word) {
				armed = false
				time.AfterFunc(moment, func() { _ = cmd.Process.Kill() })
			}
		}
	}()
	err := cmd.Wait()
	w.Close()
	<-read
	took = time.Since(began)
	if killed = err != nil && word != ""; err != nil && !killed {
		t.Fatalf("migrate %v: %v\n%s", args, err, said.String())
	}
	return said.String(), took, killed
}

// digests are the sums over the rows of all tables but the search index's, the
// leases and what the tool for migrations keeps, in whatever order they come;
// read by this test itself.
func digests(t *testing.T, driver, source string) (sums map[string]string, all int64) {
	t.Helper()
	ctx := t.Context()
	d, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	list := "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
	if driver == "sqlite" {
		list = "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"
	}
	rows, err := d.QueryContext(ctx, list)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(table, "search_") && !strings.HasPrefix(table, "sqlite_") && table != "leases" && table != "goose_db_version" {
			columns[table] = append(columns[table], column)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	sums = map[string]string{}
	for table, names := range columns {
		slices.Sort(names)
		rows, err := d.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+table)
		if err != nil {
			t.Fatal(err)
		}
		var n int64
		var sum [4]uint64
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		var line []byte
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			line = line[:0]
			for _, v := range values {
				switch v := v.(type) {
				case []byte:
					line = fmt.Appendf(line, "b%d:%s", len(v), v)
				case string:
					line = fmt.Appendf(line, "s%d:%s", len(v), v)
				default:
					line = fmt.Appendf(line, "%T:%v;", v, v)
				}
			}
			h := sha256.Sum256(line)
			for i := range sum {
				sum[i] += binary.BigEndian.Uint64(h[8*i:])
			}
			n++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		all += n
		sums[table] = fmt.Sprintf("%d rows %x", n, sum)
	}
	return sums, all
}

// TestMigrateMany: 100,000 tickets, a tenth of them with an attachment, go from
// SQLite and files to PostgreSQL and a real object store and back. Passes are
// killed in each of their parts and run again. All rows, read by the test
// itself, and all attachments are the same, there and back.
func TestMigrateMany(t *testing.T) {
	many := 100_000
	if n, err := strconv.Atoi(os.Getenv("CASEMATE_MOVE_TICKETS")); err == nil {
		many = n
	}
	moment := time.Duration(many) * 80 * time.Microsecond
	store := world.Store(t, "moved")
	w := world.Start(t, world.Options{Direct: true, Config: "drain: 100ms\n", Env: store.Env})
	problem := w.Consultation(t)
	send := w.SendAs(w.Token(t, 0, 0))
	type file struct {
		id  string
		sum [32]byte
	}
	var (
		mu      sync.Mutex
		files   []file
		numbers []string
		writers sync.WaitGroup
	)
	began := time.Now()
	for from := range 32 {
		dice := rand.New(rand.NewPCG(1, uint64(from)))
		writers.Go(func() {
			for i := from; i < many && !t.Failed(); i += 32 {
				body := map[string]any{"business_type_id": problem, "source_id": "83aeb0f2834c4df49826c781d32a963e",
					"simple_description": fmt.Sprintf("云服务器 ecs-%d 无法登录 cannot log in, number %d", dice.IntN(5000), i)}
				if i%10 == 0 {
					content := make([]byte, 20+dice.IntN(16<<10))
					for j := range content {
						content[j] = byte(' ' + dice.IntN(90))
					}
					copy(content, "log of a server: ") // else chance may begin it as some other kind of file
					status, text := send(http.MethodPost, "/v2/servicerequest/accessorys/json-format-content", map[string]any{"accessory_name": "log.txt",
						"accessory_from": "incident", "upload_type": 0, "accessory_data": base64.StdEncoding.EncodeToString(content)})
					if status != 200 {
						t.Error(status, text)
						return
					}
					f := file{strings.Split(text, `"`)[3], sha256.Sum256(content)}
					body["accessory_ids"] = []string{f.id}
					mu.Lock()
					files = append(files, f)
					mu.Unlock()
				}
				status, text := send(http.MethodPost, "/v2/servicerequest/cases", body)
				if status != 200 {
					t.Error(status, text)
					return
				}
				if i%1000 == 0 {
					mu.Lock()
					numbers = append(numbers, strings.Split(text, `"`)[3])
					mu.Unlock()
				}
			}
		})
	}
	writers.Wait()
	if t.Failed() {
		return
	}
	t.Logf("REPORT move: %d tickets with %d attachments made in %.0f s", many, len(files), time.Since(began).Seconds())
	token := func() string { return w.Token(t, 0, 0) }
	shown := func() map[string]string {
		t.Helper()
		all, send := map[string]string{}, w.SendAs(token())
		for _, n := range numbers {
			status, text := send(http.MethodGet, "/v2/servicerequest/cases/"+n, nil)
			if status != 200 {
				t.Fatal(status, text)
			}
			all[n] = text
		}
		for i, f := range files {
			if i%max(1, len(files)/200) != 0 { // the last pass compared them all
				continue
			}
			r, err := http.NewRequest(http.MethodGet, w.URL+"/v2/servicerequest/accessorys/"+f.id, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Auth-Token", token())
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || sha256.Sum256(text) != f.sum {
				t.Errorf("attachment %s: %s, %d bytes, %v", f.id, res.Status, len(text), err)
			}
		}
		return all
	}
	details := shown()

	// There: while it serves, killed among the rows and among the attachments.
	database := dbtest.DurableDatabase(t)
	blobs := "s3://moved/casemate?endpoint=http://" + store.Address
	there := []string{"--data", w.Dir, "--to", database, "--to-blobs", blobs}
	inSQLite, inPostgres := "file:"+filepath.Join(w.Dir, "casemate.db")+"?mode=ro", database
	took := func(what string, rows int64, d time.Duration) {
		t.Logf("REPORT move: %s: %d rows in %.0f s, %.3f s for 1,000 rows (%.2f s for 1,000 tickets)", what, rows, d.Seconds(), d.Seconds()*1000/float64(rows), d.Seconds()*1000/float64(many))
	}
	cut := func(what, word string, moment time.Duration, args []string) {
		t.Helper()
		out, d, killed := pass(t, store.Env, word, moment, args...)
		if !killed {
			t.Errorf("%s: was not killed:\n%s", what, out)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		t.Logf("REPORT move: %s: killed after %.0f s at %q", what, d.Seconds(), lines[len(lines)-1])
	}
	cut("there, among the rows", "rows", moment, there)
	if _, n := digests(t, "pgx", inPostgres); n == 0 {
		t.Error("the pass was killed before it wrote a row")
	} else if _, all := digests(t, "sqlite", inSQLite); n >= all {
		t.Errorf("the pass was killed after it wrote all %d rows", n)
	} else {
		t.Logf("REPORT move: %d of %d rows were there at the kill", n, all)
	}
	cut("there, among the attachments", "attachments", moment/8, there)
	out, d, _ := pass(t, store.Env, "", 0, there...)
	t.Logf("while it serves, again:\n%s", out)
	_, rows := digests(t, "sqlite", inSQLite)
	took("there, a pass that finds the rows written", rows, d)
	w.Stop()
	cut("there, --finish, among the index", "index", moment/8, append(there, "--finish"))
	out, d, _ = pass(t, store.Env, "", 0, append(there, "--finish")...)
	t.Logf("--finish:\n%s", out)
	took("there, --finish with the index and all checks", rows, d)
	want, _ := digests(t, "sqlite", inSQLite)
	got, _ := digests(t, "pgx", inPostgres)
	same(t, "on PostgreSQL", got, want)
	if n := stored(t, filepath.Join(store.Folder, "moved")); n < len(files) {
		t.Errorf("%d objects in the store, %d attachments", n, len(files))
	}
	old := w.Dir
	w.Moved(old, database, "--blobs", blobs)
	w.Run()
	for n, text := range shown() {
		if text != details[n] {
			t.Errorf("ticket %s was\n%s\nand is\n%s", n, details[n], text)
		}
	}
	w.Stop()

	// Back, killed among the rows as well.
	elsewhere := filepath.Join(t.TempDir(), "back")
	back := []string{"--data", old, "--database", database, "--blobs", blobs, "--to", elsewhere, "--to-blobs", "files"}
	cut("back, among the rows", "rows", moment, back)
	out, d, _ = pass(t, store.Env, "", 0, append(back, "--finish")...)
	t.Logf("back, --finish:\n%s", out)
	want, rows = digests(t, "pgx", inPostgres)
	took("back, the rest and --finish with the index and all checks", rows, d)
	got, _ = digests(t, "sqlite", "file:"+filepath.Join(elsewhere, "casemate.db")+"?mode=ro")
	same(t, "back on SQLite", got, want)
	w.Moved(elsewhere, "")
	w.Run()
	for n, text := range shown() {
		if text != details[n] {
			t.Errorf("ticket %s was\n%s\nand is\n%s", n, details[n], text)
		}
	}
}

// stored counts the files below a folder.
func stored(t *testing.T, dir string) (n int) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
