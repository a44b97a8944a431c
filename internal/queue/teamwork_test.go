package queue_test

import (
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// team is a world whose people of the house get mails and whose jobs run.
type team struct {
	*world
	sealer    *event.Sealer
	anna, ben principal.Principal
	n         string // a ticket of Li's
}

func eachTeam(t *testing.T, test func(w *team)) {
	t.Helper()
	each(t, func(inner *world) {
		w := &team{world: inner}
		w.Jobs.Add(w.q.Kinds()...)
		w.sealer = event.NewSealer(w.DB, []byte("0123456789abcdef0123456789abcdef"), "test", slog.New(slog.DiscardHandler))
		w.anna, w.ben = w.mailed("anna", ""), w.mailed("ben", "")
		w.n = w.Create(w.Li, "磁盘已满")
		w.told()
		test(w)
	})
}

// mailed is a person of the house, or of a partner, with an address.
func (w *team) mailed(name, partner string) principal.Principal {
	w.t.Helper()
	u, err := w.Ident.CreateUser(w.t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1",
		Role: principal.RoleEngineer, Partner: partner, Alias: "alias of " + name, Mail: name + "@desk.example", Language: locale.EN})
	w.OK(err)
	return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: name, Role: principal.RoleEngineer, Partner: partner}
}

// told are the mails to the desk since the last call: who and template.
func (w *team) told() (all []string) {
	w.t.Helper()
	for {
		n, err := w.sealer.SealOnce(w.t.Context())
		w.OK(err)
		if n == 0 {
			break
		}
	}
	w.OK(w.Tickets.Follow(w.t.Context()))
	w.Work()
	w.Post.Mu.Lock()
	defer w.Post.Mu.Unlock()
	for _, m := range w.Post.Got {
		if name, ok := strings.CutSuffix(m.To, "@desk.example"); ok {
			all = append(all, name+" "+m.Template)
		}
	}
	w.Post.Got = nil
	slices.Sort(all)
	return all
}

func (w *team) wantTold(what string, want ...string) {
	w.t.Helper()
	if got := w.told(); !slices.Equal(got, want) {
		w.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// take takes a step through the queue.
func (w *team) take(who principal.Principal, action, text string, more ...func(*queue.Sending)) (queue.Taken, error) {
	p := queue.Sending{Step: ticket.Step{Number: w.n, Action: action, Text: text}}
	for _, f := range more {
		f(&p)
	}
	return w.q.Take(w.t.Context(), who, p)
}

func seconds(n int) func(*queue.Sending) { return func(p *queue.Sending) { p.Within = &n } }

func seen(id string) func(*queue.Sending) { return func(p *queue.Sending) { p.Seen = id } }

func version(v int64) func(*queue.Sending) { return func(p *queue.Sending) { p.Version = v } }

func (w *team) later(in time.Duration) func(*queue.Sending) {
	return func(p *queue.Sending) { p.At = w.Clock.Now().Add(in).UnixMilli() }
}

// said are the texts the customer sees, the description not among them.
func (w *team) said() (all []string) {
	w.t.Helper()
	page, _, err := w.Tickets.Messages(w.t.Context(), w.Li, w.n, "", 0, -1)
	w.OK(err)
	for _, m := range page {
		if !m.Opening {
			all = append(all, m.Text)
		}
	}
	return all
}

func (w *team) wantSaid(what string, want ...string) {
	w.t.Helper()
	if got := w.said(); !slices.Equal(got, want) {
		w.t.Errorf("%s: the customer sees %q, want %q", what, got, want)
	}
}

func (w *team) show() ticket.DeskTicket {
	w.t.Helper()
	t, err := w.Tickets.DeskShow(w.t.Context(), w.Chen, w.n)
	w.OK(err)
	return t
}

func (w *team) drafts(who principal.Principal) []queue.Draft {
	w.t.Helper()
	all, err := w.q.Drafts(w.t.Context(), who, w.n)
	w.OK(err)
	return all
}

// wantDraft wants one draft of the text and origin.
func (w *team) wantDraft(what string, who principal.Principal, text, origin string) queue.Draft {
	w.t.Helper()
	all := w.drafts(who)
	if len(all) != 1 || all[0].Text != text || all[0].Origin != origin {
		w.t.Fatalf("%s: drafts %+v, want one: %q, %s", what, all, text, origin)
	}
	return all[0]
}

func (w *team) conflict(err error, reason string) *queue.Conflict {
	w.t.Helper()
	var c *queue.Conflict
	if !errors.As(err, &c) || c.Reason != reason {
		w.t.Fatalf("error %v, want a conflict: %s", err, reason)
	}
	if fault.KindOf(err) != fault.Conflict {
		w.t.Errorf("the conflict is of kind %v", fault.KindOf(err))
	}
	return c
}

// kinds are the kinds of the ticket's events behind a revision.
func (w *team) kinds() (all []string) {
	w.t.Helper()
	t := w.show()
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error {
		all = nil
		rows, _, err := event.OfSubject(tx, t.Domain, "ticket", t.ID, false, false, 0, 1000)
		for _, r := range rows {
			all = append(all, r.Kind)
		}
		return err
	}))
	return all
}

func (w *team) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error { return tx.Get(sql, args...).Scan(&n) }))
	return n
}

// served makes a ticket a partner's business and answers his engineer; w.n is
// the ticket.
func (w *team) served() (nora principal.Principal) {
	w.t.Helper()
	system, ctx := principal.AsSystem(principal.House), w.t.Context()
	p, err := w.Ident.CreatePartner(ctx, system, identity.Partner{Name: "Blue", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
	w.OK(err)
	w.OK(w.Ident.ServedBy(ctx, system, w.Foreign.Domain, p.ID))
	nora = w.mailed("nora", p.ID)
	w.n = w.Create(w.Foreign, "the crane is stuck")
	w.Clock.Add(2 * time.Second) // who serves whom is cached for a second
	_, err = w.Tickets.Take(ctx, w.Chen, ticket.Step{Number: w.n, Action: ticket.StepTransfer, To: ticket.PartnerBusiness})
	w.OK(err)
	w.told()
	return nora
}

var slogDiscard = slog.New(slog.DiscardHandler)

var stamp = regexp.MustCompile(`（\d\d-\d\d \d\d:\d\d）| \(\d\d-\d\d \d\d:\d\d\)`)
