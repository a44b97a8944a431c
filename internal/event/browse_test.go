package event_test

import (
	"fmt"
	"slices"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
)

// TestBrowse: every filter alone and together, pages without gap or repeat,
// nothing that is not sealed.
func TestBrowse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for i := range 6 {
			record(t, d, event.Event{Domain: fmt.Sprint("d", i%2), Kind: []string{"user.create", "user.roles", "users.other"}[i%3], Subject: "user", SubjectID: fmt.Sprint(i)})
		}
		sealAll(t, event.NewSealer(d, key, "n", quiet))
		record(t, d, event.Event{Domain: "d0", Kind: "user.create", Subject: "user", SubjectID: "late"})
		browse := func(f event.Filter) (ids []string) {
			t.Helper()
			if f.Limit == 0 {
				f.Limit = 100
			}
			err := d.View(t.Context(), func(tx *db.Tx) error {
				rows, err := event.Browse(tx, f)
				ids = nil
				for _, r := range rows {
					ids = append(ids, fmt.Sprint(r.SubjectID, r.Domain))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		for what, c := range map[string]struct {
			f    event.Filter
			want []string
		}{
			"all":              {event.Filter{}, []string{"5d1", "4d0", "3d1", "2d0", "1d1", "0d0"}},
			"a domain":         {event.Filter{Domain: "d1"}, []string{"5d1", "3d1", "1d1"}},
			"a kind":           {event.Filter{Kind: "user.roles"}, []string{"4d0", "1d1"}},
			"a family":         {event.Filter{Kind: "user.*"}, []string{"4d0", "3d1", "1d1", "0d0"}},
			"a subject":        {event.Filter{Subject: "user", SubjectID: "2"}, []string{"2d0"}},
			"an actor":         {event.Filter{Actor: "nobody"}, nil},
			"before a number":  {event.Filter{Before: 3}, []string{"1d1", "0d0"}},
			"a page":           {event.Filter{Limit: 2, Before: 5}, []string{"3d1", "2d0"}},
			"before all times": {event.Filter{To: 1}, nil},
			"after all times":  {event.Filter{From: 1 << 60}, nil},
			"together":         {event.Filter{Domain: "d0", Kind: "user.*", Actor: "u1", From: 1}, []string{"4d0", "0d0"}},
		} {
			if got := browse(c.f); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", what, got, c.want)
			}
		}
		var state event.State
		if err := d.View(t.Context(), func(tx *db.Tx) (err error) { state, err = event.StateOf(tx, key); return err }); err != nil {
			t.Fatal(err)
		}
		if state.Sealed != 6 || state.Unsealed != 1 || !state.Holds || state.From != 1 || state.Hash == "" {
			t.Errorf("the chain: %+v", state)
		}
		if err := d.View(t.Context(), func(tx *db.Tx) (err error) { state, err = event.StateOf(tx, []byte("another key")); return err }); err != nil || state.Holds {
			t.Errorf("with another key: %+v, %v", state, err)
		}
	})
}
