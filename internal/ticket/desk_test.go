package ticket_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestDeskSearch: the beginning of a number finds among all customers' tickets;
// words find with a domain, and without one they are refused, not found nowhere.
func TestDeskSearch(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		disk := w.create(w.li, "the disk is full")
		w.create(w.foreign, "the disk is slow")
		for _, c := range []struct {
			q, domain string
			want      int // -1 = refused
		}{
			{"T", "", 2}, {"ts", "", 2}, {disk[:4], "", 2}, {disk[:8], "", 2}, {" " + strings.ToLower(disk) + " ", "", 1},
			{"TS9", "", 0}, {"disk", w.li.Domain, 1}, {"disk", w.foreign.Domain, 1}, {disk, w.li.Domain, 1}, {disk, w.foreign.Domain, 0},
			{"disk", "", -1}, {"磁盘", "", -1}, {"TSX", "", -1}, {disk + "0", "", -1}, {disk + " disk", "", -1}, {"%", "", -1},
		} {
			page, total, _, err := w.s.Desk(w.t.Context(), w.chen, ticket.DeskFilter{Text: c.q, Domain: c.domain})
			if c.want < 0 {
				if f, ok := fault.As(err); !ok || f.Code != fault.CodeInvalid || f.Field != "q" {
					t.Errorf("%q: %v", c.q, err)
				}
				continue
			}
			w.ok(err)
			if total != c.want || len(page) != c.want {
				t.Errorf("%q in %q: %d tickets, want %d", c.q, c.domain, total, c.want)
			}
		}
	})
}

// TestDeskDeleted: deleted tickets are listed for those who may see them and ask
// for them, and nobody opens or steps one.
func TestDeskDeleted(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		gone, kept := w.create(w.li, "gone"), w.create(w.li, "kept")
		w.ok(w.act(w.li, gone, "cancel"))
		w.ok(w.act(w.li, gone, "delete"))
		boss := w.emma
		boss.Role = principal.RoleSupervisor
		numbers := func(who principal.Principal, statuses ...ticket.Status) (out []string) {
			page, total, _, err := w.s.Desk(w.t.Context(), who, ticket.DeskFilter{Statuses: statuses})
			w.ok(err)
			for _, t := range page {
				out = append(out, t.Number)
			}
			if total != len(out) {
				t.Errorf("%d in all, %d shown", total, len(out))
			}
			return out
		}
		for _, who := range []principal.Principal{boss, admin, {Kind: principal.Local}} {
			if got := numbers(who, ticket.Deleted); !slices.Equal(got, []string{gone}) {
				t.Errorf("%s %s sees of deleted ones %v", who.Kind, who.Role, got)
			}
			if got := numbers(who, ticket.Deleted, ticket.Submitted); !slices.Equal(got, []string{kept, gone}) {
				t.Errorf("%s %s sees of both %v", who.Kind, who.Role, got)
			}
			if got := numbers(who); !slices.Equal(got, []string{kept}) {
				t.Errorf("%s %s sees unasked %v", who.Kind, who.Role, got)
			}
			if _, err := w.s.DeskShow(w.t.Context(), who, gone); !errors.Is(err, fault.NoTicket) {
				t.Errorf("%s %s opens it: %v", who.Kind, who.Role, err)
			}
		}
		partners := boss
		partners.Partner = "somebody"
		for _, who := range []principal.Principal{w.chen, partners} {
			if _, _, _, err := w.s.Desk(w.t.Context(), who, ticket.DeskFilter{Statuses: []ticket.Status{ticket.Deleted}}); !errors.Is(err, fault.NoPermission) {
				t.Errorf("%s %q: %v", who.Role, who.Partner, err)
			}
		}
		if err := w.step(boss, gone, "note", "still here?"); !errors.Is(err, fault.NoTicket) {
			t.Errorf("a step: %v", err)
		}
	})
}

// TestSystemSteps: Casemate's own steps, by rules, make it nobody's handler.
func TestSystemSteps(t *testing.T) {
	each(t, ticket.Options{}, func(w *world) {
		system := principal.AsSystem(principal.House)
		n := w.create(w.li, "磁盘满了")
		w.refused(w.step(system, n, ticket.StepAccept, ""), fault.CodeNoPermission)
		w.ok(w.step(system, n, ticket.StepReply, "已收到，请稍候"))
		w.ok(w.step(system, n, ticket.StepNote, "rule: greeted"))
		got, err := w.s.DeskShow(t.Context(), w.chen, n)
		w.ok(err)
		if got.Assignee != "" || got.Status != ticket.Processing {
			t.Errorf("status %v, assignee %q", got.Status, got.Assignee)
		}
		all, err := w.s.DeskMessages(t.Context(), w.chen, n)
		w.ok(err)
		for _, m := range all[1:] {
			if m.Side != ticket.SystemSide || m.Author != "" {
				t.Errorf("message %+v", m)
			}
		}
		_, err = w.s.Take(t.Context(), system, ticket.Step{Number: n, Action: ticket.StepAssign, Assignee: "chen"})
		w.ok(err)
		if got, _ = w.s.DeskShow(t.Context(), w.chen, n); got.Assignee != w.chen.User {
			t.Errorf("assignee %q", got.Assignee)
		}
	})
}
