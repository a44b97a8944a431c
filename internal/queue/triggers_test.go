package queue_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/locale"
	"casemate/internal/mailin"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestTriggers: every trigger there is begins a rule when the noun does what it
// names, mails and clocks among them; a mail's rule reads its text and its writer.
func TestTriggers(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		rules := map[string]queue.Rule{}
		for _, kind := range queue.Triggers {
			rules[kind] = w.rule(queue.ModeShadow, queue.Definition{When: on(kind), Then: []queue.Action{{Do: "tag", Tags: []string{"seen"}}}})
		}
		step := func(p ticket.Step) ticket.Ticket {
			t.Helper()
			w.Clock.Add(time.Second)
			got, err := w.Tickets.Take(ctx, w.Chen, p)
			w.OK(err)
			return got
		}
		n := w.faultTicket("down", w.severities()[0], locale.EN)
		for _, p := range []ticket.Step{{Action: "accept"}, {Action: "note", Text: "x"}, {Action: "pause"}, {Action: "resume"}, {Action: "severity", Severity: w.severities()[1]},
			{Action: "tag", Tags: []string{"a"}}, {Action: "untag", Tags: []string{"a"}}, {Action: "assign", Assignee: "emma"}} {
			p.Number = n
			step(p)
		}
		team := w.team("blue", w.Emma)
		step(ticket.Step{Number: n, Action: "transfer", To: ticket.HouseBusiness, Team: team.ID})
		step(ticket.Step{Number: n, Action: "accept"})
		step(ticket.Step{Number: n, Action: "release"})
		_, err := w.Tickets.Snooze(ctx, w.Chen, n, ticket.UntilStirred, 0)
		w.OK(err)
		_, err = w.Tickets.Unsnooze(ctx, w.Chen, n)
		w.OK(err)
		_, err = w.Tickets.Snooze(ctx, w.Chen, n, w.Clock.Now().Add(time.Minute).UnixMilli(), 0)
		w.OK(err)
		w.Clock.Add(2 * time.Minute)
		w.Work() // it wakes
		_, err = w.q.RunMacro(ctx, w.Chen, queue.Use{Number: n, Actions: []queue.Action{{Do: "notify", To: "emma"}}})
		w.OK(err)
		w.OK(w.Tickets.Reply(ctx, w.Li, n, "", "more"))
		all, err := w.Tickets.DeskMessages(ctx, w.Chen, n)
		w.OK(err)
		w.OK(w.Tickets.Withdraw(ctx, w.Li, n, all[len(all)-1].ID))
		label, err := w.Tickets.CreateLabel(ctx, w.Li, "l", "#102030")
		w.OK(err)
		w.OK(w.Tickets.AddLabels(ctx, w.Li, n, []int64{label}))
		w.OK(w.Tickets.RemoveLabels(ctx, w.Li, n, []int64{label}))
		// Clocks: the target is missed, behind a warning.
		clocks, err := w.Tickets.DeskClocks(ctx, w.Chen, n)
		w.OK(err)
		for _, c := range clocks.All {
			for _, at := range []int64{c.Warn, c.Escalate, c.Due} {
				if ahead := time.UnixMilli(at).Sub(w.Clock.Now()); c.Open() && ahead > 0 {
					w.Clock.Add(ahead + time.Second)
					w.Work()
				}
			}
		}
		w.OK(w.Act(w.Li, n, ticket.Press))
		step(ticket.Step{Number: n, Action: "ask", Text: "which?"})
		step(ticket.Step{Number: n, Action: "resolve", Text: "done"})
		w.OK(w.Act(w.Li, n, ticket.Close))
		w.OK(w.Tickets.Rate(ctx, w.Li, n, "", "good", []ticket.Score{{Dimension: 1, Points: 5}}))
		// Time closes and solves.
		closes, solves := w.Create(w.Li, "closes"), w.Create(w.Li, "solves")
		for _, x := range [][2]string{{closes, "resolve"}, {solves, "ask"}} {
			step(ticket.Step{Number: x[0], Action: "accept"})
			step(ticket.Step{Number: x[0], Action: x[1], Text: "words"})
		}
		for range 30 {
			w.Clock.Add(24 * time.Hour)
			w.Work()
		}
		w.OK(w.Act(w.Li, w.Create(w.Li, "cancelled"), ticket.Cancel))
		step(ticket.Step{Number: w.Create(w.Li, "invalid"), Action: "invalid", Text: "no"})
		// Messages on the move.
		a, b := w.Create(w.Li, "a"), w.Create(w.Li, "b")
		for range 2 {
			w.Clock.Add(time.Second)
			w.OK(w.Tickets.Reply(ctx, w.Li, a, "", "words"))
		}
		if all, err = w.Tickets.DeskMessages(ctx, w.Chen, a); err != nil || len(all) != 3 {
			t.Fatalf("%d messages, %v", len(all), err)
		}
		_, err = w.Tickets.MoveMessages(ctx, w.Chen, ticket.Move{From: a, To: b, Messages: []string{all[1].ID}})
		w.OK(err)
		_, err = w.Tickets.Split(ctx, w.Chen, ticket.Split{Number: a, Messages: []string{all[2].ID}})
		w.OK(err)
		merged, err := w.Tickets.Merge(ctx, w.Chen, ticket.Merge{Source: a, Into: b})
		w.OK(err)
		_, err = w.Tickets.Undo(ctx, w.Chen, b, merged.Revision)
		w.OK(err)
		// Queues.
		manual := w.queue(queue.Queue{Filter: ticket.RowFilter{Statuses: []ticket.Status{ticket.Submitted}, Teams: []string{ticket.Nobody}}})
		_, _, err = w.q.Claim(ctx, w.Chen, manual.ID)
		w.OK(err)
		w.say(w.Emma, queue.Online)
		given := w.Create(w.Wang, "for the team")
		step(ticket.Step{Number: given, Action: "transfer", To: ticket.HouseBusiness, Team: team.ID})
		w.queue(queue.Queue{Team: team.ID, Way: queue.RoundRobin, Filter: ticket.RowFilter{Statuses: []ticket.Status{ticket.Submitted}, Teams: []string{team.ID}}})
		w.assign()
		// Mail.
		mail, err := mailin.New(w.DB, w.Keys, mailin.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets, Attachments: w.Files},
			mailin.Options{Config: config.MailIn{Mailboxes: []config.Mailbox{{Name: "support", Address: "support@desk.example"}}}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		w.OK(err)
		w.Jobs.Add(mail.Kinds()...)
		byMail := w.rule(queue.ModeShadow, queue.Definition{When: queue.When{Events: []string{"mail.in"}, By: "customer"}, If: &queue.Condition{All: []queue.Condition{
			{Field: "message", Op: "contains", Value: "marker-77"}, {Field: "team", Op: "eq", Value: "none"}, {Field: "plan", Op: "eq", Value: "Business"},
			{Field: "language", Op: "eq", Value: "zh-cn"}, {Field: "due", Op: "within", Value: "30d"}}},
			Then: []queue.Action{{Do: "tag", Tags: []string{"seen"}}}})
		for _, text := range []string{"marker-77 it is", "something else"} {
			w.Clock.Add(time.Second)
			_, err = mail.Accept(ctx, mailin.Received{Mailbox: "support", From: "li@example.com",
				Raw: []byte("From: li@example.com\r\nTo: support@desk.example\r\nSubject: disk\r\nMessage-ID: <" + text[:6] + "@mail.example>\r\n\r\n" + text + "\r\n")})
			w.OK(err)
			w.Work()
		}
		w.follow()
		for _, kind := range queue.Triggers {
			if len(w.runs(rules[kind])) == 0 {
				t.Errorf("%s begins no rule", kind)
			}
		}
		if got := w.runs(byMail); len(got) != 1 {
			t.Errorf("the rule of the mail ran %d times", len(got))
		}
		// The team of a ticket is a condition.
		r := w.rule(queue.ModeShadow, queue.Definition{When: on("ticket.note"), If: &queue.Condition{Field: "team", Op: "eq", Value: team.ID}, Then: []queue.Action{{Do: "tag", Tags: []string{"seen"}}}})
		step(ticket.Step{Number: given, Action: "note", Text: "x"})
		step(ticket.Step{Number: b, Action: "note", Text: "x"})
		w.follow()
		if got := w.runs(r); len(got) != 1 || got[0].Number != given {
			t.Errorf("of the team: %+v", got)
		}
	})
}
