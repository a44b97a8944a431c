package ticket_test

import (
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// inWords is what the newest event of a ticket says to the house.
func (w *world) inWords(who principal.Principal, number, kind string) ticket.Told {
	w.t.Helper()
	show, err := w.s.DeskShow(w.t.Context(), who, number)
	w.ok(err)
	var rows []event.Row
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) (err error) {
		rows, _, err = event.Latest(tx, show.Domain, "ticket", show.ID, 0, 1)
		return err
	}))
	if len(rows) != 1 || rows[0].Kind != kind {
		w.t.Fatalf("the newest event of %s is no %s: %+v", number, kind, rows)
	}
	told, err := w.s.Tell(w.t.Context(), rows)
	w.ok(err)
	return told[0]
}

// TestTellHandOver: the audit says from which side to which a ticket went, with
// the partner's name, and which change was undone.
func TestTellHandOver(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		ctx := w.t.Context()
		check := func(number, kind, zh, en string) {
			w.t.Helper()
			if got, want := w.inWords(w.chen, number, kind).Words, (locale.Texts{ZH: zh, EN: en}); got != want {
				w.t.Errorf("%s: %+v, want %+v", kind, got, want)
			}
		}
		undo := func(number string, revision int64) {
			w.t.Helper()
			_, err := w.s.Undo(ctx, w.chen, number, revision)
			w.ok(err)
		}
		n := p.create(p.lisa, "to the partner")
		w.ok(p.move(w.chen, n, ticket.PartnerBusiness, ""))
		check(n, "ticket.transfer", "服务方：本方 → 伙伴 Blue", "side: house → partner Blue")
		undo(n, 2)
		check(n, "ticket.undo", "撤销第 2 次变更（转移）；服务方：伙伴 Blue → 本方", "undid revision 2 (Ticket transferred); side: partner Blue → house")
		w.ok(p.move(w.chen, n, ticket.PartnerBusiness, ""))
		w.ok(p.move(p.nora, n, ticket.HouseBusiness, ""))
		check(n, "ticket.transfer", "服务方：伙伴 Blue → 本方", "side: partner Blue → house")
		undo(n, 5)
		check(n, "ticket.undo", "撤销第 5 次变更（转移）；服务方：本方 → 伙伴 Blue", "undid revision 5 (Ticket transferred); side: house → partner Blue")
		isv := p.isvTicket(p.lisa)
		w.ok(p.move(w.chen, isv, ticket.HouseBusiness, ""))
		check(isv, "ticket.transfer", "服务方：ISV Maker → 本方", "side: ISV Maker → house")
		w.ok(p.move(w.chen, isv, ticket.ISVBusiness, ""))
		check(isv, "ticket.transfer", "服务方：本方 → ISV Maker", "side: house → ISV Maker")
		// A partner who was removed since has his name; events of before partners were named, the side.
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(1, "UPDATE partners SET removed_at = ? WHERE id = ?", tx.Now, p.maker.ID)
			return nil
		}))
		check(isv, "ticket.transfer", "服务方：本方 → ISV Maker", "side: house → ISV Maker")
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE events SET data = '{\"owner_from\": 0, \"owner_to\": 2}' WHERE domain_id = ? AND kind = 'ticket.transfer'", p.client.ID)
			return nil
		}))
		check(isv, "ticket.transfer", "服务方：本方 → ISV", "side: house → ISV")
	})
}

// TestTellAgreements: both audits name the version that was signed, withdrawn or
// not, and read no text of an agreement for it.
func TestTellAgreements(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		sign := func() catalog.Agreement {
			a, _ := w.catalog.Now().LatestAgreement(catalog.AgreementCreate)
			_, err := w.catalog.Sign(ctx, w.li, a.ID, "")
			w.ok(err)
			return a
		}
		first := sign()
		_, err := w.catalog.Publish(ctx, principal.AsSystem(principal.House), catalog.NewAgreement{Type: catalog.AgreementCreate, Name: locale.Texts{ZH: "新协议", EN: "New terms"}, Content: locale.Texts{ZH: "二", EN: "Two"}})
		w.ok(err)
		sign()
		files := catalog.Default() // without the second version: it is withdrawn
		_, err = w.catalog.Apply(ctx, principal.AsSystem(principal.House), files, catalog.AnyVersion)
		w.ok(err)
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "UPDATE catalog_entries SET data = 'unreadable' WHERE kind = 'agreement'")
			return nil
		}))
		for lang, want := range map[locale.Language][2]string{
			locale.ZH: {"新协议 版本 2", first.Name.ZH + " 版本 1"},
			locale.EN: {"New terms Version 2", first.Name.EN + " Version 1"},
		} {
			page, _, err := w.s.Audit(ctx, w.li, lang, ticket.AuditFilter{Names: []string{"signAgreement"}})
			w.ok(err)
			if len(page) != 2 || page[0].ResourceName != want[0] || page[1].ResourceName != want[1] {
				w.t.Errorf("the customer reads %+v, want %q", page, want)
			}
			var rows []event.Row
			w.ok(w.db.View(ctx, func(tx *db.Tx) (err error) {
				rows, err = event.Find(tx, w.li.Domain, event.Query{Kinds: []string{"agreement.sign"}, To: tx.Now, Limit: 10})
				return err
			}))
			told, err := w.s.Tell(ctx, rows)
			w.ok(err)
			if len(told) != 2 || told[0].Subject.In(lang) != want[0] || told[1].Subject.In(lang) != want[1] {
				w.t.Errorf("the house reads %+v, want %q", told, want)
			}
		}
	})
}
