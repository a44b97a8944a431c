package mailin_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/identity"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// world is an installation that mail comes in to.
type world struct {
	*tickettest.World
	t     *testing.T
	mail  *mailin.Service
	queue *queue.Service
	admin principal.Principal
	n     int // mails accepted
}

// boxes are the mailboxes of the tests: by default strangers wait.
var boxes = config.MailIn{
	Mailboxes: []config.Mailbox{
		{Name: "support", Address: "support@desk.example", Aliases: []string{"help@desk.example"}},
		{Name: "refuse", Address: "strict@desk.example", Unknown: config.UnknownRefuse, Language: "en-us"},
		{Name: "guests", Address: "guests@desk.example", Unknown: config.UnknownCreate, Guest: config.Guest{Domain: "Harbour", User: "guest"}},
		{Name: "harbour", Address: "harbour@desk.example", Domain: "Harbour"},
	},
	AuthServers: []string{"mx.desk.example"},
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	eachWith(t, boxes, test)
}

func eachWith(t *testing.T, c config.MailIn, test func(w *world)) {
	t.Helper()
	tickettest.Each(t, ticket.Options{Config: config.Ticket{Acknowledge: true}}, func(inner *tickettest.World) {
		w := &world{World: inner, t: inner.T.(*testing.T)}
		var err error
		// The same post, with answers taken.
		w.Notify, err = notify.New(w.DB, w.Keys, notify.Options{Config: config.Notify{URL: "https://desk.example"}, Sandbox: w.Ident.InSandbox, Identity: w.Ident,
			Mail: []notify.Channel{w.Post}, SMS: []notify.Channel{w.Post}, ReplyTo: c.Reply()})
		w.OK(err)
		w.Tickets, err = ticket.New(w.DB, w.Keys, ticket.Nouns{Identity: w.Ident, Catalog: w.Catalog, Verify: w.Verify, Notify: w.Notify, Attachments: w.Files}, ticket.Options{Config: config.Ticket{Acknowledge: true}})
		w.OK(err)
		w.queue, err = queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{Log: quiet})
		w.OK(err)
		w.mail, err = mailin.New(w.DB, w.Keys, mailin.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets, Attachments: w.Files, Queue: w.queue}, mailin.Options{Config: c, Log: quiet})
		w.OK(err)
		w.Jobs.Add(w.Notify.Kinds()...)
		w.Jobs.Add(w.mail.Kinds()...)
		_, err = w.Ident.CreateUser(t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: w.Foreign.Domain, Name: "guest", Password: "a-Password-1"})
		w.OK(err)
		w.admin = w.Engineer("root", "", principal.RoleAdministrator)
		test(w)
	})
}

// take accepts a mail and works.
func (w *world) take(mailbox, raw string) mailin.Mail {
	w.t.Helper()
	return w.takeFrom(mailin.Received{Raw: []byte(raw), Mailbox: mailbox, From: "?"})
}

func (w *world) takeFrom(r mailin.Received) mailin.Mail {
	w.t.Helper()
	w.n++
	w.Clock.Add(time.Second)
	id, err := w.mail.Accept(context.Background(), r)
	w.OK(err)
	w.Work()
	return w.show(id)
}

func (w *world) show(id string) mailin.Mail {
	w.t.Helper()
	m, err := w.mail.Show(w.t.Context(), w.admin, id)
	w.OK(err)
	return m
}

// messages are what the ticket's customer sees, oldest first.
func (w *world) messages(number string) (all []ticket.Message) {
	w.t.Helper()
	all, err := w.Tickets.DeskMessages(w.t.Context(), w.Chen, number)
	w.OK(err)
	return all
}

// sent are the mails to an address with a template.
func (w *world) sent(to, template string) (all []notify.Outgoing) {
	w.Post.Mu.Lock()
	defer w.Post.Mu.Unlock()
	for _, m := range w.Post.Got {
		if (to == "" || m.To == to) && m.Template == template {
			all = append(all, m)
		}
	}
	return all
}
