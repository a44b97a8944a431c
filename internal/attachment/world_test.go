package attachment_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// world is two customers and an engineer, with files in a folder.
type world struct {
	t     *testing.T
	db    *db.DB
	clock *dbtest.Clock
	blobs *blob.Local
	s     *attachment.Service
	jobs  *job.Runner
	ident *identity.Service

	boss, li, wang, foreign, chen principal.Principal
}

func each(t *testing.T, c config.Attachment, test func(w *world)) {
	t.Helper()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) { test(open(t, d, clock, c)) })
}

func open(t *testing.T, d *db.DB, clock *dbtest.Clock, c config.Attachment) *world {
	w := &world{t: t, db: d, clock: clock}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	keys := sealtest.Keyring(t)
	var err error
	w.blobs, err = blob.OpenLocal(filepath.Join(t.TempDir(), "blobs"), clock.Now)
	w.ok(err)
	t.Cleanup(func() { _ = w.blobs.Close() })
	w.s, err = attachment.New(d, keys, w.blobs, attachment.Options{Config: c, Log: quiet})
	w.ok(err)
	w.jobs = job.NewRunner(d, "test", quiet)
	w.jobs.Add(w.s.Kinds()...)
	w.ident = identity.New(d, keys, identity.Options{PasswordMemory: 64})
	house := principal.AsSystem(principal.House)
	d1, err := w.ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "云帆科技"})
	w.ok(err)
	d2, err := w.ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "Harbour"})
	w.ok(err)
	user := func(domain, name string, main bool, role string) principal.Principal {
		u, err := w.ident.CreateUser(t.Context(), house, identity.NewUser{Domain: domain, Name: name, Password: "a-Password-1", Main: main, Role: role})
		w.ok(err)
		p := principal.Principal{Kind: principal.Customer, Domain: domain, User: u.ID, UserName: name, Main: main, Role: role}
		if role != "" {
			p.Kind = principal.Engineer
		}
		return p
	}
	w.boss, w.li, w.wang = user(d1.ID, "boss", true, ""), user(d1.ID, "li", false, ""), user(d1.ID, "wang", false, "")
	w.foreign, w.chen = user(d2.ID, "foreign", true, ""), user(principal.House, "chen", false, principal.RoleEngineer)
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused wants a fault with the code and, unless "", the field.
func (w *world) refused(err error, code, field string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || !strings.HasSuffix(f.Code, code) || field != "" && f.Field != field {
		w.t.Errorf("error %v, want code %s for %q", err, code, field)
	}
}

func file(name, text string) attachment.Upload {
	return attachment.Upload{Name: name, Origin: attachment.ForTicket, Body: strings.NewReader(text), Fields: attachment.Fields{Name: "name", Origin: "from", Body: "file"}}
}

// upload uploads a text a millisecond after the last.
func (w *world) upload(who principal.Principal, name, text string) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	id, err := w.s.Upload(w.t.Context(), who, file(name, text))
	w.ok(err)
	return id
}

// claim claims for a ticket of the owner's.
func (w *world) claim(who principal.Principal, c attachment.For, ids ...string) error {
	return w.db.Update(w.t.Context(), func(tx *db.Tx) error { return w.s.Claim(tx, who, c, ids) })
}

func (w *world) ticketOf(owner principal.Principal) attachment.For {
	return attachment.For{Domain: owner.Domain, Ticket: "ticket-" + owner.UserName, Message: "message-" + owner.UserName, Owner: owner.User, Opening: true, Field: "accessory_ids"}
}

// read opens a file and reads it whole.
func (w *world) read(who principal.Principal, group, id string) (string, error) {
	c, err := w.s.Open(w.t.Context(), who, group, id)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(c)
	return string(text), errors.Join(err, c.Close())
}

// stored counts the blobs in the store and those that rows need.
func (w *world) stored() (blobs, rows int) {
	w.t.Helper()
	w.ok(w.blobs.List(context.Background(), func(blob.Info) error { blobs++; return nil }))
	w.ok(w.s.Blobs(context.Background(), func(attachment.Stored) error { rows++; return nil }))
	return blobs, rows
}

func (w *world) work() {
	w.t.Helper()
	_, err := w.jobs.Work(w.t.Context())
	w.ok(err)
}
