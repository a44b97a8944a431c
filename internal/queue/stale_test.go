package queue_test

import (
	"errors"
	"testing"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestStaleEverywhere: every operation on a ticket that takes its version tells
// of a stale one what happened, in both languages, and names the field.
func TestStaleEverywhere(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		a, b := w.Create(w.Li, "one"), w.Create(w.Li, "two")
		for _, n := range []string{a, b} {
			w.OK(w.Step(w.Emma, n, "accept", ""))
			w.OK(w.Tickets.Reply(ctx, w.Li, n, "", "more"))
		}
		all, err := w.Tickets.DeskMessages(ctx, w.Chen, a)
		w.OK(err)
		said := []string{all[len(all)-1].ID}
		for name, try := range map[string]func() error{
			"version": func() error {
				_, err := w.q.Merge(ctx, w.Chen, ticket.Merge{Source: a, Into: b, Version: 1})
				return err
			},
			"into_version": func() error {
				_, err := w.q.Merge(ctx, w.Chen, ticket.Merge{Source: a, Into: b, IntoVersion: 1})
				return err
			},
			"split": func() error {
				_, err := w.q.Split(ctx, w.Chen, ticket.Split{Number: a, Messages: said, Version: 1})
				return err
			},
			"move": func() error {
				_, err := w.q.MoveMessages(ctx, w.Chen, ticket.Move{From: a, To: b, Messages: said, Version: 1})
				return err
			},
			"snooze": func() error { _, err := w.q.Snooze(ctx, w.Chen, a, ticket.UntilStirred, 1); return err },
			"macro": func() error {
				_, err := w.q.RunMacro(ctx, w.Chen, queue.Use{Number: a, Version: 1, Actions: []queue.Action{{Do: "note", Text: words("x", "x")}}})
				return err
			},
			"step": func() error {
				_, err := w.q.Take(ctx, w.Chen, queue.Sending{Step: ticket.Step{Number: a, Action: "pause", Version: 1}})
				return err
			},
		} {
			err := try()
			var c *queue.Conflict
			if !errors.As(err, &c) || c.Reason != queue.ReasonVersion || len(c.Changes) < 2 || c.NewMessages != 1 {
				t.Errorf("%s: %v, %+v", name, err, c)
				continue
			}
			if name == "into_version" {
				w.field(err, "into_version")
			}
			f, _ := fault.As(err)
			if zh, en := locale.Text(locale.ZH, f), locale.Text(locale.EN, f); zh == en || zh == "" {
				t.Errorf("%s: %q %q", name, zh, en)
			}
		}
		if got := w.show(a); got.Revision != 3 {
			t.Errorf("the ticket was changed: %d", got.Revision)
		}
	})
}

// TestMacroMentions: a note of a macro or rule tells those it names, and passes
// over names that are nobody's.
func TestMacroMentions(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		a := w.Create(w.Li, "one")
		note := []queue.Action{{Do: "note", Text: words("@emma 请看，@nobody 也看", "@emma look, @nobody too")}}
		used, err := w.q.RunMacro(ctx, w.Chen, queue.Use{Number: a, Actions: note})
		w.OK(err)
		w.Clock.Add(time.Second)
		r := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.create"), Then: note})
		b := w.Create(w.Li, "two")
		w.follow()
		if !used.Done || len(w.runs(r)) != 1 {
			t.Errorf("%+v %+v", used, w.runs(r))
			return
		}
		for _, n := range []string{a, b} {
			team, err := w.q.Teamwork(ctx, w.Chen, n)
			w.OK(err)
			if len(team.Followers) != 1 || team.Followers[0].User != w.Emma.User || !team.Followers[0].Mentioned {
				t.Errorf("%s is followed by %+v", n, team.Followers)
			}
		}
	})
}
