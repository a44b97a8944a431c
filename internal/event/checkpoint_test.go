package event_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
)

// history records and seals n events in three domains.
func history(t *testing.T, d *db.DB, s *event.Sealer, from, n int) {
	t.Helper()
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		for i := from; i < from+n; i++ {
			event.Record(tx, who, event.Event{Domain: fmt.Sprint("d", i%3), Kind: "ticket.note", Subject: "ticket", SubjectID: fmt.Sprint("t", i%7), Revision: int64(i + 1), LogCode: event.NoLog,
				Data: map[string]any{"n": i, "text": "<工单 & \" >"}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sealAll(t, s)
}

func fileOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCheckpoints: written when due, once for the same number, going on from the
// file after a restart, half a line of a crash or not; not of a chain that does
// not hold; checked with the public key alone.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		s := event.NewSealer(d, key, "n", quiet)
		signer := event.NewSigner(key[:32])
		path := filepath.Join(t.TempDir(), "checkpoints.log")
		open := func() *event.Checkpointer { return event.NewCheckpointer(d, key, signer, path, quiet) }
		c := open()
		none, err := c.Write(ctx)
		must(err)
		if none.Seq != 0 {
			t.Errorf("of nothing: %+v", none)
		}
		history(t, d, s, 0, 5)
		must(c.Due(ctx))
		first := fileOf(t, path)
		if strings.Count(first, "\n") != 1 || !strings.HasPrefix(first, "5 ") {
			t.Fatalf("%q", first)
		}
		history(t, d, s, 5, 3)
		must(c.Due(ctx))
		if fileOf(t, path) != first {
			t.Error("written again within the hour")
		}
		clock.Add(time.Hour)
		must(c.Due(ctx))
		if n := strings.Count(fileOf(t, path), "\n"); n != 2 {
			t.Errorf("%d lines after an hour", n)
		}
		clock.Add(time.Hour)
		must(c.Due(ctx))
		if n := strings.Count(fileOf(t, path), "\n"); n != 2 {
			t.Errorf("%d lines, though nothing came", n)
		}
		history(t, d, s, 8, 1000)
		must(open().Due(ctx)) // another process, many events
		must(open().Due(ctx))
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
		must(err)
		_, err = f.WriteString("1009 half a li")
		must(errors.Join(err, f.Close()))
		history(t, d, s, 1008, 2)
		last, err := open().Write(ctx)
		must(err)
		if last.Seq != 1010 {
			t.Errorf("%+v", last)
		}
		lines := strings.Split(strings.TrimSuffix(fileOf(t, path), "\n"), "\n")
		if len(lines) != 5 {
			t.Errorf("%d lines", len(lines))
		}
		must(os.WriteFile(path, []byte(strings.Join(append(lines[:3], lines[4]), "\n")+"\n"), 0o600)) // without the half line
		rep, err := event.VerifySigned(ctx, d, key, signer.Public(), []string{path})
		must(err)
		if !rep.OK() || rep.Checkpoints != 4 {
			t.Errorf("%v", rep)
		}
		// Offline.
		var export bytes.Buffer
		n, err := event.Export(ctx, d, &export)
		must(err)
		if n != 1010 {
			t.Errorf("%d exported", n)
		}
		public, err := event.ParsePEM([]byte(event.PEM(signer.Public())))
		must(err)
		rep, err = event.CheckExport(public, bytes.NewReader(export.Bytes()), strings.NewReader(fileOf(t, path)))
		must(err)
		if !rep.OK() || rep.Events != 1010 || rep.Unsealed != 0 || rep.Checkpoints != 4 {
			t.Errorf("offline: %v", rep)
		}
		other := event.NewSigner(bytes.Repeat([]byte{7}, 32)).Public()
		if rep, err = event.CheckExport(other, bytes.NewReader(export.Bytes()), strings.NewReader(fileOf(t, path))); err != nil || rep.Damages != 4+0 {
			t.Errorf("another key: %v %v", rep, err)
		}
		if _, err := event.CheckExport(public, bytes.NewReader(export.Bytes())); err == nil {
			t.Error("checked against nothing")
		}
		for _, bad := range []string{"", "x", event.PEM(public)[:60]} {
			if _, err := event.ParsePEM([]byte(bad)); err == nil {
				t.Errorf("%q is a key", bad)
			}
		}
		// What does not hold is not signed.
		must(d.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, "UPDATE events SET actor = 'x' WHERE seq = ? /* all domains: test */", int64(1010))
			return nil
		}))
		history(t, d, s, 1010, 1)
		if _, err := event.NewCheckpointer(d, key, signer, filepath.Join(t.TempDir(), "new.log"), quiet).Write(ctx); err == nil || !strings.Contains(err.Error(), "1010") {
			t.Errorf("signed what does not hold: %v", err)
		}
		closed, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := event.Export(closed, d, &export); err == nil {
			t.Error("exported with a context that had ended")
		}
	})
}

// TestInsider: who has the chain's own secret writes events anew, links and heads
// and all; the signed checkpoints tell, every time.
func TestInsider(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rng := rand.New(rand.NewPCG(20261125, 3))
		s := event.NewSealer(d, key, "n", quiet)
		signer := event.NewSigner(key[:32])
		path := filepath.Join(t.TempDir(), "checkpoints.log")
		writer := event.NewCheckpointer(d, key, signer, path, quiet)
		for i := range 4 {
			history(t, d, s, i*10, 10)
			if _, err := writer.Write(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		history(t, d, s, 40, 5) // behind the last checkpoint
		checkpoints := event.Checkpoints(fileOf(t, path))
		rounds := 200
		if d.Dialect() == db.Postgres {
			rounds = 60
		}
		undo := errors.New("undo")
		found, alarms := 0, 0
		for i := range rounds {
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				if i%10 == 0 {
					rep, err := event.InspectSigned(tx, key, signer.Public(), checkpoints)
					if err != nil {
						return err
					}
					if !rep.OK() {
						alarms++
					}
				}
				at := rng.Int64N(40) + 1
				rows, err := event.After(tx, "", 0, 100)
				if err != nil {
					return err
				}
				before := ""
				for _, r := range rows {
					if r.Seq == at {
						r.Actor = "somebody else"
					}
					hash := event.Link(key, before, r)
					tx.Write(1, "UPDATE events SET actor = ?, hash = ? WHERE seq = ? /* all domains: test */", r.Actor, hash, r.Seq)
					before = hash
					tx.Write(db.Any, "UPDATE event_heads SET hash = ? WHERE seq = ? AND domain_id = ?", hash, r.DomainSeq, r.Domain)
				}
				tx.Write(1, "UPDATE event_heads SET hash = ? WHERE domain_id = ''", before)
				rep, err := event.Inspect(tx, key)
				if err != nil {
					return err
				}
				if !rep.OK() {
					t.Errorf("the insider is found without checkpoints: the test is no test: %v", rep)
				}
				if rep, err = event.InspectSigned(tx, key, signer.Public(), checkpoints); err != nil {
					return err
				}
				if !rep.OK() {
					found++
					if b := rep.Broken[0]; b.Damage != event.Unsigned || b.Seq < at || b.Seq-at >= 10 {
						t.Errorf("number %d was changed, reported %v", at, rep)
					}
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
		}
		t.Logf("%d of %d rewritings found, %d false alarms", found, rounds, alarms)
		if found != rounds || alarms > 0 {
			t.Errorf("%d found of %d, %d false alarms", found, rounds, alarms)
		}
	})
}

// TestExportTampering: 1,000 random edits of an export and of the file of
// checkpoints are found with the public key alone, and nothing untouched is
// called damaged.
func TestExportTampering(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rng := rand.New(rand.NewPCG(20261125, 4))
		s := event.NewSealer(d, key, "n", quiet)
		signer := event.NewSigner(key[:32])
		path := filepath.Join(t.TempDir(), "checkpoints.log")
		writer := event.NewCheckpointer(d, key, signer, path, quiet)
		for i := range 5 {
			history(t, d, s, i*6, 6)
			if _, err := writer.Write(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		if _, err := event.Export(t.Context(), d, &out); err != nil {
			t.Fatal(err)
		}
		whole := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
		whole[len(whole)-1] += "\n"
		signed := fileOf(t, path)
		check := func(lines []string, signed string) event.Report {
			rep, err := event.CheckExport(signer.Public(), strings.NewReader(strings.Join(lines, "")), strings.NewReader(signed))
			if err != nil {
				t.Fatal(err)
			}
			return rep
		}
		const rounds = 1000
		found, alarms := 0, 0
		for i := range rounds {
			if i%10 == 0 && !check(whole, signed).OK() {
				alarms++
			}
			lines, file := append([]string{}, whole...), signed
			at, to := rng.IntN(len(lines)), rng.IntN(len(lines)-1)
			what := ""
			switch i % 8 {
			case 0, 1, 2: // a byte of an event
				b := []byte(lines[at])
				k := rng.IntN(len(b) - 1)
				old := b[k]
				for b[k] == old {
					b[k] = byte(33 + rng.IntN(90))
				}
				what, lines[at] = fmt.Sprintf("byte %d of line %d", k, at), string(b)
			case 3:
				what, lines = fmt.Sprint("removed ", at), append(lines[:at], lines[at+1:]...)
			case 4:
				what = fmt.Sprint("exchanged ", to)
				lines[to], lines[to+1] = lines[to+1], lines[to]
			case 5:
				what, lines[at] = fmt.Sprint("twice ", at), lines[at]+lines[at]
			case 6:
				what, lines = fmt.Sprint("cut at ", at), lines[:at]
			case 7: // a byte of the checkpoints; the ends of lines aside
				b := []byte(file)
				k := rng.IntN(len(b))
				for b[k] == '\n' {
					k = rng.IntN(len(b))
				}
				old := b[k]
				for b[k] == old {
					b[k] = byte(33 + rng.IntN(90))
				}
				what, file = fmt.Sprintf("byte %d of the checkpoints", k), string(b)
			}
			if check(lines, file).OK() {
				t.Errorf("%s was not found", what)
				continue
			}
			found++
		}
		t.Logf("%d of %d edits found, %d false alarms", found, rounds, alarms)
		if found != rounds || alarms > 0 {
			t.Errorf("%d found of %d, %d false alarms", found, rounds, alarms)
		}
	})
}
