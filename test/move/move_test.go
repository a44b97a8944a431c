// Package move moves a running installation to another store and back.
package move

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// migrate runs the command until it ends, or kills it after a while.
func migrate(t *testing.T, kill time.Duration, args ...string) (string, error) {
	t.Helper()
	ctx := context.Background()
	if kill > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, kill)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, world.Binary(t), append([]string{"migrate"}, args...)...) // its end is SIGKILL
	cmd.Env = append(os.Environ(), "CASEMATE_LANGUAGE=en")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// rows are the digests of all domains' rows.
func rows(t *testing.T, w *world.World) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range w.Domains {
		for table, sum := range w.Settled(t, d.ID) {
			all[d.Name+" "+table] = sum
		}
	}
	return all
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if got[k] != want[k] {
			t.Errorf("%s: %s: %s, want %s", what, k, got[k], want[k])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d tables, want %d", what, len(got), len(want))
	}
}

// TestMigrate: an installation moves from SQLite to PostgreSQL while it serves,
// with passes that are killed, and back to a new folder; every row, every
// attachment and the history are the same, log-ins and keys go on working, and
// what is left behind or in use is refused.
func TestMigrate(t *testing.T) {
	w := world.Start(t, world.Options{Config: "drain: 100ms\n"})
	send := w.SendAs(w.Token(t, 0, 0))
	problem := w.Consultation(t)
	create := func(text string) string { // from several goroutines
		t.Helper()
		status, body := send(http.MethodPost, "/v2/servicerequest/cases", map[string]any{"business_type_id": problem,
			"source_id": "83aeb0f2834c4df49826c781d32a963e", "simple_description": text})
		if status != 200 {
			t.Error(status, body)
			return ""
		}
		return strings.Split(body, `"`)[3]
	}
	content := bytes.Repeat([]byte("attachment 附件\n"), 20000)
	status, body := send(http.MethodPost, "/v2/servicerequest/accessorys/json-format-content", map[string]any{"accessory_name": "log.txt", "accessory_from": "incident",
		"upload_type": 0, "accessory_data": base64.StdEncoding.EncodeToString(content)})
	if status != 200 {
		t.Fatal(status, body)
	}
	file := strings.Split(body, `"`)[3]
	first := create("磁盘 sdb 满了，请协助")
	const many = 100
	var writers sync.WaitGroup
	for from := range 16 {
		writers.Go(func() {
			for i := from; i < many; i += 16 {
				create(fmt.Sprintf("工单 before the move, number %d", i))
			}
		})
	}
	writers.Wait()
	shown := func() string {
		t.Helper()
		status, text := send(http.MethodGet, "/v2/servicerequest/cases/"+first, nil)
		if status != 200 {
			t.Fatal(status, text)
		}
		r, err := http.NewRequest(http.MethodGet, w.URL+"/v2/servicerequest/accessorys/"+file, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Auth-Token", w.Token(t, 0, 0))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the attachment: %s, %d bytes, %v", res.Status, len(got), err)
		}
		return text
	}
	detail := shown()

	database := dbtest.ServerDatabase(t)
	to := []string{"--data", w.Dir, "--to", database}
	end := make(chan struct{})
	var writer sync.WaitGroup
	written := 0
	writer.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				create(fmt.Sprintf("工单 during the move, number %d", written))
				written++
			}
		}
	})
	for i := range 4 { // killed while the other side writes
		if out, err := migrate(t, time.Duration(150*(i+1))*time.Millisecond, to...); err == nil && i == 0 {
			t.Logf("pass %d was not cut off: %s", i, out)
		}
	}
	out, err := migrate(t, 0, to...)
	close(end)
	writer.Wait()
	if err != nil || !strings.Contains(out, "--finish") {
		t.Fatalf("a pass while the server runs: %v %s", err, out)
	}
	if out, err := migrate(t, 0, append(to, "--finish")...); err == nil || !strings.Contains(out, "stop it") {
		t.Errorf("--finish while the server runs: %v %s", err, out)
	}
	want := rows(t, w)
	w.Stop()
	if out, err = migrate(t, 200*time.Millisecond, append(to, "--finish")...); err == nil {
		t.Logf("the last pass was not cut off: %s", out)
	}
	if out, err = migrate(t, 0, append(to, "--finish")...); err != nil || !strings.Contains(out, "checked:") {
		t.Fatalf("the last pass: %v %s", err, out)
	}
	if strings.Contains(out, "postgres:///") || strings.Contains(out, database) {
		t.Errorf("the database's URL, which may hold a password, is printed: %s", out)
	}
	old := w.Dir
	if out, err := w.Local("audit", "verify"); err == nil || !strings.Contains(err.Error(), "moved elsewhere") && !strings.Contains(err.Error(), "迁走") {
		t.Errorf("the store that was left behind is used: %s %v", out, err)
	}
	w.Moved(old, database)
	w.Run()
	same(t, "on PostgreSQL", rows(t, w), want)
	if got := shown(); got != detail {
		t.Errorf("the ticket was\n%s\nand is\n%s", detail, got)
	}
	create("工单 after the move")
	if found, err := w.Local("desk", "search", "sdb 磁盘"); err != nil || !strings.Contains(found, first) {
		t.Errorf("search after the move: %v %s", err, found)
	}
	if out, err := w.Local("audit", "verify", "--database", database); err != nil {
		t.Error(out, err)
	}
	want = rows(t, w)

	elsewhere := filepath.Join(t.TempDir(), "moved")
	back := []string{"--data", old, "--database", database, "--to", elsewhere, "--to-blobs", "files"}
	if out, err := migrate(t, 0, back...); err != nil {
		t.Fatal(out, err)
	}
	w.Kill()
	if out, err := migrate(t, 0, append(back, "--finish")...); err != nil || !strings.Contains(out, "checked:") {
		t.Fatal(out, err)
	}
	w.Moved(elsewhere, "")
	if out, err := w.Local("audit", "verify"); err != nil || strings.Contains(out, "0 anchors") {
		t.Errorf("the proofs of the history stayed behind: %s %v", out, err)
	}
	w.Run()
	same(t, "back on SQLite", rows(t, w), want)
	if got := shown(); got != detail {
		t.Errorf("the ticket was\n%s\nand is\n%s", detail, got)
	}
	w.Kill()

	// The store that was left is another time's: nothing of it is mixed in.
	other := world.Start(t, world.Options{Fresh: true})
	other.Kill()
	if out, err := migrate(t, 0, "--data", other.Dir, "--to", elsewhere); err == nil || !strings.Contains(out, "another installation") {
		t.Errorf("another installation as target: %v %s", err, out)
	}
	for _, args := range [][]string{{"--data", elsewhere}, {"--data", elsewhere, "--to", elsewhere}, {"--data", t.TempDir(), "--to", database}, {"--data", elsewhere, "--to", database, "--to-keys", "x"}} {
		if out, err := migrate(t, 0, args...); err == nil {
			t.Errorf("%v is taken: %s", args, out)
		}
	}
}
