package main

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"casemate/internal/locale"
	"casemate/internal/ticket"
)

// TestStates: every state is known by its number and both its names.
func TestStates(t *testing.T) {
	for _, s := range append(slices.Clone(ticket.Statuses), ticket.Deleted) {
		n := strconv.Itoa(int(s))
		for _, word := range []string{n, s.Name(locale.ZH), s.Name(locale.EN)} {
			if got, err := states(word); err != nil || !slices.Equal(got, []string{n}) {
				t.Errorf("%s: %v, %v, want %s", word, got, err, n)
			}
		}
		for word, want := range map[string]bool{"open": s.Open(), "closed": !s.Open() && s != ticket.Deleted} {
			if got, err := states(word); err != nil || slices.Contains(got, n) != want {
				t.Errorf("%s: %v, %v; holds %s: want %v", word, got, err, n, want)
			}
		}
	}
	for _, word := range []string{"", "6", "processed", "-1"} {
		if got, err := states(word); err == nil {
			t.Errorf("%q is taken for %v", word, got)
		}
	}
}

// TestReadInstant: times as people write them, in the zone that times are printed
// in unless they name one: the shell's, or UTC with --utc.
func TestReadInstant(t *testing.T) {
	east := time.FixedZone("", 3*3600)
	utc := new(output)
	if err := utcFlag(true).AfterApply(utc); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typed string
		o     *output
		want  string
	}{
		{"2026-11-27", &output{zone: east}, "2026-11-26T21:00:00Z"},
		{"2026-11-27 08:30", &output{zone: east}, "2026-11-27T05:30:00Z"},
		{"2026-11-27T08:30:00+08:00", &output{zone: east}, "2026-11-27T00:30:00Z"},
		{"2026-11-27", utc, "2026-11-27T00:00:00Z"},
		{" 2026-11-27T08:30 ", utc, "2026-11-27T08:30:00Z"},
		{"2026-11-27T08:30:00+08:00", utc, "2026-11-27T00:30:00Z"},
	} {
		got, err := readInstant(c.typed, c.o.where())
		if err != nil || got.UTC().Format(time.RFC3339) != c.want {
			t.Errorf("%s: %v, %v, want %v", c.typed, got, err, c.want)
		}
	}
	if got, err := (whenFlags{At: "2026-11-27"}).instant(east); err != nil || got.UTC().Format(time.RFC3339) != "2026-11-26T21:00:00Z" {
		t.Errorf("--at: %v, %v", got, err)
	}
	for _, f := range []whenFlags{{At: "foo"}, {At: "2026-13-01"}, {In: "soon"}, {In: "-2h"}, {In: "0s"}} {
		_, err := f.instant(time.UTC)
		if _, ok := err.(problem); !ok {
			t.Errorf("%+v: %v, want an error in both languages", f, err)
		}
	}
	if at, err := (whenFlags{In: "3d"}).instant(time.UTC); err != nil || time.Until(at).Round(time.Hour) != 72*time.Hour {
		t.Errorf("--in 3d: %v, %v", at, err)
	}
}

// TestChange: an undo without a number means the newest change, past what is
// aside, and never an older one.
func TestChange(t *testing.T) {
	assign := pastView{Kind: "ticket.assign", Revision: 4, Undoable: true}
	reply, note := pastView{Kind: "ticket.reply", Revision: 5}, pastView{Kind: "ticket.note", Revision: 6}
	snooze := pastView{Kind: "ticket.snooze", Revision: 6}
	for _, c := range []struct {
		all      []pastView
		revision int64
		want     string
		undoable bool
	}{
		{[]pastView{snooze, note, reply, assign}, 0, "ticket.reply", false},
		{[]pastView{snooze, note, assign}, 0, "ticket.assign", true},
		{[]pastView{snooze, note, reply, assign}, 4, "ticket.assign", true},
		{[]pastView{note}, 0, "", false},
		{[]pastView{{Kind: "ticket.create", Revision: 1}}, 0, "ticket.create", false},
		{[]pastView{{Kind: "ticket.message", Revision: 7}, {Kind: "ticket.merge", Revision: 7, Undoable: true}, assign}, 0, "ticket.merge", true},
	} {
		if got, ok := change(c.all, c.revision); got.Kind != c.want || got.Undoable != c.undoable || ok != (c.want != "") {
			t.Errorf("change(%v, %d) = %+v, %v, want %s", c.all, c.revision, got, ok, c.want)
		}
	}
}
