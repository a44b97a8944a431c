package ticket_test

import (
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestSnooze: a snoozed ticket is in no list until it wakes: at its instant, by
// its customer, by a new handler, by its end.
func TestSnooze(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{Config: config.Ticket{UrgeAfter: -1}}, func(w *world) {
		d := staffed(w)
		d.unlimited()
		ctx := d.t.Context()
		n := d.create(d.li, "磁盘")
		other := d.create(d.li, "another")
		d.assign(d.ben, n, d.anna)
		d.told()
		lists := func(f ticket.DeskFilter, want ...string) {
			t.Helper()
			page, total, _, err := d.s.Desk(ctx, d.ben, f)
			d.ok(err)
			var got []string
			for _, x := range page {
				got = append(got, x.Number)
			}
			if len(got) != len(want) || total != len(want) {
				t.Errorf("%+v lists %q of %d, want %q", f, got, total, want)
				return
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%+v lists %q, want %q", f, got, want)
				}
			}
		}
		show := func() ticket.DeskTicket {
			t.Helper()
			got, err := d.s.DeskShow(ctx, d.ben, n)
			d.ok(err)
			return got
		}
		awake := func(what string) {
			t.Helper()
			if z := show().Snooze; z.Until != 0 {
				t.Errorf("%s: it still rests: %+v", what, z)
			}
		}
		snooze := func(until int64) {
			t.Helper()
			_, err := d.s.Snooze(ctx, d.ben, n, until, 0)
			d.ok(err)
		}
		before := show()
		until := d.clock.Now().Add(time.Hour).UnixMilli()
		snooze(until)
		got := show()
		if got.Snooze.Until != until || got.Snooze.ByName != "ben" || got.Snooze.At != d.clock.Now().UnixMilli() || got.Revision != before.Revision {
			t.Errorf("it rests %+v of version %d", got.Snooze, got.Revision)
		}
		lists(ticket.DeskFilter{}, other)
		lists(ticket.DeskFilter{Snoozed: ticket.SnoozedNot, Domain: d.li.Domain}, other)
		lists(ticket.DeskFilter{Assignee: d.anna.User})
		lists(ticket.DeskFilter{Snoozed: ticket.SnoozedOnly}, n)
		lists(ticket.DeskFilter{Snoozed: ticket.SnoozedAll}, other, n)
		lists(ticket.DeskFilter{Text: n}, n)
		lists(ticket.DeskFilter{Text: n, Snoozed: ticket.SnoozedNot})
		// At its instant, and its handler is told.
		d.clock.Add(time.Hour - time.Millisecond)
		d.work()
		if show().Snooze.Until == 0 {
			t.Error("it wakes early")
		}
		d.wantTold("it rests")
		d.clock.Add(time.Millisecond)
		d.work()
		awake("at its instant")
		d.wantTold("woken", "anna "+notify.TemplateWoken+" "+n)
		// A later instant replaces the first; one's own work does not wake it.
		snooze(d.clock.Now().Add(time.Hour).UnixMilli())
		snooze(d.clock.Now().Add(3 * time.Hour).UnixMilli())
		d.clock.Add(2 * time.Hour)
		d.work()
		d.ok(d.step(d.anna, n, ticket.StepReply, "for your information"))
		d.ok(d.step(d.ben, n, ticket.StepNote, "note"))
		if show().Snooze.Until == 0 {
			t.Error("a replaced instant or an engineer's message woke it")
		}
		_, err := d.s.Unsnooze(ctx, d.anna, n)
		d.ok(err)
		awake("by hand")
		_, err = d.s.Unsnooze(ctx, d.anna, n)
		d.refused(err, ".01010002")
		d.told()
		d.clock.Add(time.Hour)
		d.work()
		d.wantTold("woken by hand already")
		// By others.
		for what, wake := range map[string]func() error{
			"reply":  func() error { return d.s.Reply(ctx, d.li, n, "", "and?") },
			"urge":   func() error { return d.act(d.li, n, ticket.Press) },
			"assign": func() error { d.assign(d.ben, n, d.ben); d.assign(d.ben, n, d.anna); return nil },
			"authorization": func() error {
				seen, _, err := d.s.Show(ctx, d.li, n, "")
				d.ok(err)
				d.ok(d.db.Update(ctx, func(tx *db.Tx) error {
					ticket.Record(tx, d.li, seen, "ticket.authorization.grant", ticket.LogGrant, "", map[string]any{"authorization": "a", "engineer": d.anna.User})
					return nil
				}))
				d.told()
				return nil
			},
		} {
			snooze(ticket.UntilStirred)
			lists(ticket.DeskFilter{}, other)
			d.clock.Add(31 * time.Minute)
			d.work()
			if show().Snooze.Until != ticket.UntilStirred {
				t.Errorf("%s: it wakes by itself", what)
			}
			d.ok(wake())
			awake(what)
		}
		snooze(ticket.UntilStirred)
		d.ok(d.act(d.li, n, ticket.Close))
		awake("its end")
		// Nobody handles it: who snoozed it is told.
		d.told()
		_, err = d.s.Snooze(ctx, d.ben, other, d.clock.Now().Add(time.Minute).UnixMilli(), 0)
		d.ok(err)
		d.clock.Add(time.Minute)
		d.work()
		d.wantTold("nobody's ticket", "ben "+notify.TemplateWoken+" "+other)
		// Refusals.
		_, err = d.s.Snooze(ctx, d.ben, n, ticket.UntilStirred, 0)
		d.refused(err, ".01010002")
		now := d.clock.Now()
		for _, until := range []time.Time{now, now.Add(-time.Second), now.Add(366*24*time.Hour + time.Millisecond)} {
			_, err = d.s.Snooze(ctx, d.ben, other, until.UnixMilli(), 0)
			d.refused(err, ".01010001")
		}
		_, err = d.s.Snooze(ctx, d.ben, other, now.Add(366*24*time.Hour).UnixMilli(), 1)
		d.ok(err)
		_, err = d.s.Snooze(ctx, d.ben, other, ticket.UntilStirred, 7)
		d.refused(err, ".01010002")
		for _, who := range []principal.Principal{d.auditor, d.li} {
			_, err = d.s.Snooze(ctx, who, other, ticket.UntilStirred, 0)
			d.refused(err, ".01010002")
		}
		_, err = d.s.Snooze(ctx, d.ben, "TS2601010000000000000", ticket.UntilStirred, 0)
		d.refused(err, ".01010015")
	})
}

// TestSnoozeInSandbox: a sandbox's ticket wakes on its domain's clock.
func TestSnoozeInSandbox(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		box := w.sandbox("box")
		w.move(box, 48*time.Hour)
		n, err := w.s.Create(w.as(box), box, w.draft("waits"))
		w.ok(err)
		_, err = w.s.Snooze(w.t.Context(), w.chen, n, w.clock.Now().Add(47*time.Hour).UnixMilli(), 0)
		w.refused(err, ".01010001") // past, there
		_, err = w.s.Snooze(w.t.Context(), w.chen, n, w.clock.Now().Add(49*time.Hour).UnixMilli(), 0)
		w.ok(err)
		w.work()
		rests := func() bool {
			got, err := w.s.DeskShow(w.t.Context(), w.chen, n)
			w.ok(err)
			return got.Snooze.Until != 0
		}
		if !rests() {
			t.Error("it wakes early")
		}
		w.move(box, time.Hour)
		w.work()
		if rests() {
			t.Error("it does not wake on its clock")
		}
	})
}

// TestFollowers: who follows is told of what others do, until he ends it.
func TestFollowers(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		d := staffed(w)
		ctx := d.t.Context()
		n := d.create(d.li, "磁盘")
		for range 2 {
			d.ok(d.s.SetFollow(ctx, d.ben, n, true))
		}
		d.wantTold("following tells nobody")
		d.assign(d.ben, n, d.anna)
		d.wantTold("ben's own step", "anna "+notify.TemplateAssigned+" "+n)
		for _, action := range []string{ticket.StepPause, ticket.StepResume, ticket.StepNote, ticket.StepAsk} {
			d.ok(d.step(d.anna, n, action, "why"))
			d.wantTold(action, "ben "+notify.TemplateFollowed+" "+n)
		}
		d.ok(d.s.SetFollow(ctx, d.anna, n, true))
		d.ok(d.s.Reply(ctx, d.li, n, "", "so"))
		d.wantTold("a handler who follows is told once", "anna "+notify.TemplateReplied+" "+n, "ben "+notify.TemplateFollowed+" "+n)
		d.prefer(d.ben, notify.Preferences{Kinds: map[string]bool{notify.KindFollowed: false}})
		d.ok(d.s.Reply(ctx, d.li, n, "", "so"))
		d.wantTold("by preference", "anna "+notify.TemplateReplied+" "+n)
		d.prefer(d.ben, notify.Preferences{})
		for range 2 {
			d.ok(d.s.SetFollow(ctx, d.ben, n, false))
		}
		d.ok(d.step(d.anna, n, ticket.StepResolve, "done"))
		d.wantTold("ben follows no more")
		d.refused(d.s.SetFollow(ctx, d.auditor, n, true), ".01010002")
		d.refused(d.s.SetFollow(ctx, principal.AsSystem(principal.House), n, true), ".01010002")
		d.refused(d.s.SetFollow(ctx, d.ben, "TS2601010000000000000", true), ".01010015")
		// So many, and no more.
		for i := range ticket.MaxFollowers - 1 {
			who := d.ben
			who.User = d.ben.User + string(rune('0'+i/10)) + string(rune('0'+i%10))
			d.ok(d.s.SetFollow(ctx, who, n, true))
		}
		d.refused(d.s.SetFollow(ctx, d.ben, n, true), ".01010002")
		d.ok(d.s.SetFollow(ctx, d.anna, n, true))
	})
}
