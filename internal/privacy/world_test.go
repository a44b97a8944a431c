package privacy_test

import (
	"io"
	"log/slog"
	"slices"
	"testing"

	"casemate/internal/attachment"
	"casemate/internal/authorization"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/diagnose"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
	"casemate/internal/verify"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func rules() []personal.Rule {
	return slices.Concat(notify.Personal(), verify.Personal(), attachment.Personal(), authorization.Personal(), diagnose.Personal(), queue.Personal(), mailin.Personal(),
		knowledge.Personal(), ticket.Personal(), identity.Personal())
}

func agedRules() []personal.Aged {
	return slices.Concat(notify.Aged(), verify.Aged(), attachment.Aged(), authorization.Aged(), mailin.Aged(), ticket.Aged(), identity.Aged())
}

// world is an installation whose people's data are looked after.
type world struct {
	*tickettest.World
	t       *testing.T
	privacy *privacy.Service
	queue   *queue.Service
	mail    *mailin.Service
	admin   principal.Principal
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	tickettest.Each(t, ticket.Options{}, func(inner *tickettest.World) {
		w := &world{World: inner, t: inner.T.(*testing.T)}
		var err error
		w.queue, err = queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{Log: quiet})
		w.OK(err)
		w.mail, err = mailin.New(w.DB, w.Keys, mailin.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets, Attachments: w.Files, Queue: w.queue},
			mailin.Options{Config: config.MailIn{Mailboxes: []config.Mailbox{{Name: "support", Address: "support@desk.example"}}}, Log: quiet})
		w.OK(err)
		w.privacy = privacy.New(w.DB, w.Keys, privacy.Nouns{Identity: w.Ident, Tickets: w.Tickets, Attachments: w.Files, Rules: rules(), Aged: agedRules(),
			Hashes: []func(string) []string{w.Notify.SubjectOf, w.mail.SubjectOf}}, quiet)
		w.Jobs.Add(w.privacy.Kinds()...)
		w.Jobs.Add(w.mail.Kinds()...)
		w.admin = w.Engineer("root", "Root", principal.RoleAdministrator)
		test(w)
	})
}

func (w *world) work() {
	w.t.Helper()
	_, err := w.Jobs.Work(w.t.Context())
	w.OK(err)
}

func (w *world) n(sql string, args ...any) (n int) {
	w.t.Helper()
	w.OK(w.DB.View(w.t.Context(), func(tx *db.Tx) error { return tx.Get(sql, args...).Scan(&n) }))
	return n
}
