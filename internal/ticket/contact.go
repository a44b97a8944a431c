package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/search"
	"casemate/internal/verify"
)

// Codes of the operation log (operate_type.csv).
const (
	logContact   = 114
	logNoContact = 115
)

// Limits of what extension_map carries, in characters; those of the keys whose
// meaning is not documented are ours.
const (
	maxCopyAddress = 128 // as remind_mail in the contract
	maxContactKind = 32
	maxEncrypted   = 1024
	maxKnownCopies = 100 // addresses kept per user, to be offered again
)

// Faults of contacts.
var (
	ErrCopies       = fault.New(fault.Invalid, "OSM.01010008", "抄送邮箱无效", "Carbon copy email not valid.")
	ErrManyCopies   = fault.New(fault.Invalid, "OSM.01010008", "抄送邮箱最多 {max} 个", "at most {max} carbon copy emails are allowed")
	errContactMoved = fault.New(fault.Unavailable, fault.CodeInternal, "联系方式正被同时修改，请重试", "the contact is being changed at the same time: please try again")
	actContact      = locale.Texts{ZH: "修改联系方式", EN: "given another contact"}
)

const fieldCopies = "extension_map.remindCCEmail"

// Contact is where the customer wants notices of a ticket.
type Contact struct {
	Area   string   `json:"area,omitempty"` // calling code as the customer gave it
	Mobile string   `json:"mobile,omitempty"`
	Mail   string   `json:"mail,omitempty"`
	E164   string   `json:"e164,omitempty"`   // the mobile as notices use it
	Copies []string `json:"copies,omitempty"` // addresses that get each notice too

	// Documented by name only (contract README, oddity 26): kept and shown.
	Kind      string `json:"kind,omitempty"`      // contactType
	Receive   string `json:"receive,omitempty"`   // isReceiveMsgRemind
	Encrypted string `json:"encrypted,omitempty"` // remindEncryptCCEmail
}

func (c Contact) empty() bool {
	return c.Area+c.Mobile+c.Mail+c.E164+c.Kind+c.Receive+c.Encrypted == "" && len(c.Copies) == 0
}

// Extension is what extension_map may carry; nil = not sent, empty = taken away.
type Extension struct {
	Copies                   *[]string
	Kind, Receive, Encrypted *string
}

// into puts the extension into a contact, the copy addresses in their one
// spelling, each once and none that is the contact's own. It fails with
// OSM.01010008 for the addresses and .01 for the rest.
func (e Extension) into(c *Contact, most int) error {
	for _, f := range []struct {
		key  string
		in   *string
		most int
		out  *string
	}{{"contactType", e.Kind, maxContactKind, &c.Kind}, {"isReceiveMsgRemind", e.Receive, maxContactKind, &c.Receive}, {"remindEncryptCCEmail", e.Encrypted, maxEncrypted, &c.Encrypted}} {
		if f.in == nil {
			continue
		}
		if utf8.RuneCountInString(*f.in) > f.most {
			return fault.TooLong.In("extension_map."+f.key).With("max", f.most)
		}
		*f.out = *f.in
	}
	if e.Copies == nil {
		return nil
	}
	if len(*e.Copies) > max(most, maxKnownCopies) { // the same few a million times over would cost as much as a million
		return ErrManyCopies.In(fieldCopies).With("max", most)
	}
	var all []string
	for _, raw := range *e.Copies {
		if utf8.RuneCountInString(raw) > maxCopyAddress {
			return ErrCopies.In(fieldCopies)
		}
		address, err := identity.NormalMail(raw)
		if err != nil {
			return ErrCopies.In(fieldCopies)
		}
		if !slices.Contains(all, address) {
			all = append(all, address)
		}
		if len(all) > most {
			return ErrManyCopies.In(fieldCopies).With("max", most)
		}
	}
	c.Copies = all
	return nil
}

// Contact opens where notices go; empty when the person was erased.
func (s *Service) Contact(ctx context.Context, t Ticket) (c Contact, err error) {
	if t.contact == "" {
		return c, nil
	}
	p, err := s.keys.Person(ctx, t.Creator)
	if errors.Is(err, seal.ErrErased) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	plain, err := p.Open(contactPlace(t.ID), t.contact)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(plain), &c)
}

func contactPlace(id string) seal.Place {
	return seal.Place{Table: "tickets", Column: "contact", Row: id}
}

func (s *Service) sealContact(ctx context.Context, creator, id string, c Contact) (string, error) {
	if c.empty() {
		return "", nil
	}
	p, err := s.keys.Person(ctx, creator)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return p.Seal(contactPlace(id), string(plain))
}

// ContactChange is a change of a ticket's contact; nil = as it is, "" = taken
// away.
type ContactChange struct {
	Number, Group            string
	Area, Mobile, Mail, Time *string // Time: remind_time
	Extension
	ZoneName string // of Time: X-Time-Zone as it was sent, "" = as it is
}

// next is the contact after the change, which contacts must be proved for it,
// and the wire names of what is set and what is taken away. A number or address
// that the ticket has already needs no proof again.
func (in ContactChange) next(ctx context.Context, s *Service, who principal.Principal, now Contact, time string) (c Contact, p verify.Prepared, set, gone []string, err error) {
	c = now
	if err := in.into(&c, s.catalog.Now().CopyAddresses()); err != nil {
		return c, p, nil, nil, err
	}
	claims := verify.Claims{Area: now.Area}
	if in.Area != nil {
		claims.Area = *in.Area
	}
	switch {
	case in.Mobile != nil:
		claims.Mobile = *in.Mobile
	case in.Area != nil:
		claims.Mobile = now.Mobile // the same digits in another country are another number
	}
	if in.Mail != nil {
		claims.Mail = *in.Mail
	}
	if p, err = s.verify.Prepare(ctx, who, claims); err != nil {
		return c, p, nil, nil, err
	}
	if in.Mobile != nil || in.Area != nil && now.Mobile != "" {
		if c.Area, c.Mobile, c.E164 = claims.Area, claims.Mobile, p.Mobile; c.Mobile == "" {
			c.Area = ""
		} else if c.Area == "" {
			c.Area = "86"
		}
	}
	if in.Mail != nil {
		c.Mail = p.Mail
	}
	if c.E164 == now.E164 {
		claims.Mobile = ""
	}
	if c.Mail == now.Mail {
		claims.Mail = ""
	}
	if p, err = s.verify.Prepare(ctx, who, claims); err != nil {
		return c, p, nil, nil, err
	}
	note := func(name string, changed, empty bool) {
		switch {
		case changed && empty:
			gone = append(gone, name)
		case changed:
			set = append(set, name)
		}
	}
	note("remind_mobile", c.E164 != now.E164, c.E164 == "")
	note("remind_mail", c.Mail != now.Mail, c.Mail == "")
	note("remindCCEmail", !slices.Equal(c.Copies, now.Copies), len(c.Copies) == 0)
	note("contactType", c.Kind != now.Kind, c.Kind == "")
	note("isReceiveMsgRemind", c.Receive != now.Receive, c.Receive == "")
	note("remindEncryptCCEmail", c.Encrypted != now.Encrypted, c.Encrypted == "")
	note("remind_time", in.Time != nil && *in.Time != time, in.Time != nil && *in.Time == "")
	return c, p, set, gone, nil
}

// ChangeContact changes where and when notices of a ticket go, from the next
// one on; contact, proof and history are written together. A contact the ticket
// did not have needs a proof, or to be a registered one, as at creation; the
// operation carries no code, so it is proved before (CheckVerifyCodes). Setting
// something takes an open ticket; taking away is always allowed, for contact
// data can be cleared by their owner (semantics.md section 14). A change that
// changes nothing succeeds and leaves no trace. Failures: OSM.01010015 (no such
// ticket), .01 (format), .08 (copy addresses), .10 (not proved), .02 (the
// ticket is finished, or its creator is erased).
func (s *Service) ChangeContact(ctx context.Context, who principal.Principal, in ContactChange) error {
	if in.Time != nil {
		if err := checkRemindTime(*in.Time); err != nil {
			return err
		}
	}
	const tries = 4
	for range tries {
		moved, err := s.changeContact(ctx, who, in)
		if err != nil || !moved {
			return err
		}
	}
	return errContactMoved
}

// contactChanged is what the transaction leaves: stored for a repeated request.
type contactChanged struct {
	Refusal *fault.Error `json:",omitempty"`
	Moved   bool         `json:",omitempty"` // somebody else changed the contact since it was read: nothing was done
}

func (s *Service) changeContact(ctx context.Context, who principal.Principal, in ContactChange) (moved bool, err error) {
	var seen Ticket
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { seen, err = visible(tx, who, in.Number, in.Group); return err })
	if err != nil {
		return false, err
	}
	now, err := s.Contact(ctx, seen)
	if err != nil {
		return false, err
	}
	c, claims, set, gone, err := in.next(ctx, s, who, now, seen.RemindTime)
	if err != nil || len(set)+len(gone) == 0 {
		return false, err
	}
	sealed, err := s.sealContact(ctx, seen.Creator, seen.ID, c)
	if errors.Is(err, seal.ErrErased) {
		return false, fault.NoPermission
	}
	if err != nil {
		return false, err
	}
	var known []copyAddress
	if slices.Contains(set, "remindCCEmail") {
		if known, err = s.sealCopies(ctx, who, c.Copies); err != nil {
			return false, err
		}
	}
	found := s.contactDoc(seen, c)
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (contactChanged, error) {
		before, err := visible(tx, who, in.Number, in.Group)
		switch {
		case err != nil:
			return contactChanged{}, err
		case before.contact != seen.contact || before.RemindTime != seen.RemindTime:
			return contactChanged{Moved: true}, nil
		case len(set) > 0 && !before.Status.Open():
			return contactChanged{}, errState(actContact, before.Status)
		}
		proof, err := s.verify.Prove(tx, who, claims)
		if err != nil || !proof.OK() {
			return contactChanged{Refusal: proof.Refusal}, err
		}
		t := before
		t.contact = sealed
		if in.Time != nil {
			if t.RemindTime = *in.Time; in.ZoneName != "" {
				t.Zone = in.ZoneName
			}
		}
		t = change(tx, before, t)
		tx.Write(1, "UPDATE tickets SET contact = ?, remind_time = ?, zone = ? WHERE domain_id = ? AND id = ?", t.contact, t.RemindTime, t.Zone, t.Domain, t.ID)
		if search.Put(tx, false, found...); len(found) == 0 {
			search.Remove(tx, t.Domain, contactDocID(t.ID))
		}
		for _, e := range []struct {
			kind  string
			code  int
			names []string
		}{{"ticket.contact.set", logContact, set}, {"ticket.contact.clear", logNoContact, gone}} {
			if len(e.names) > 0 {
				event.Record(tx, who, event.Event{Domain: t.Domain, Kind: e.kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: e.code,
					Data: map[string]any{"fields": e.names}})
			}
		}
		rememberCopies(tx, who, known)
		return contactChanged{}, nil
	})
	switch {
	case err != nil:
		return false, err
	case out.Refusal != nil:
		return false, out.Refusal
	}
	return out.Moved, nil
}

// copyAddress is an address ready to be remembered.
type copyAddress struct{ hash, sealed string }

func copyPlace(user, hash string) seal.Place {
	return seal.Place{Table: "copy_addresses", Column: "address", Row: user + "/" + hash}
}

func (s *Service) sealCopies(ctx context.Context, who principal.Principal, addresses []string) (all []copyAddress, err error) {
	if len(addresses) == 0 {
		return nil, nil
	}
	p, err := s.keys.Person(ctx, who.User)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		c := copyAddress{hash: s.ident.ContactHash(identity.Mail, a)}
		if c.sealed, err = p.Seal(copyPlace(who.User, c.hash), a); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// rememberCopies notes what the caller used, and forgets what he has not used
// for longest when there is too much.
func rememberCopies(tx *db.Tx, who principal.Principal, all []copyAddress) {
	for i, c := range all {
		tx.Write(1, `INSERT INTO copy_addresses (domain_id, user_id, hash, address, used_at, place) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (domain_id, user_id, hash) DO UPDATE SET used_at = excluded.used_at, place = excluded.place`,
			who.Domain, who.User, c.hash, c.sealed, tx.Now, i)
	}
	if len(all) > 0 {
		tx.Write(db.Any, `DELETE FROM copy_addresses WHERE domain_id = ? AND user_id = ? AND hash IN
			(SELECT c.hash FROM copy_addresses AS c WHERE c.domain_id = ? AND c.user_id = ? ORDER BY c.used_at DESC, c.place, c.hash LIMIT 1000 OFFSET ?)`,
			who.Domain, who.User, who.Domain, who.User, maxKnownCopies)
	}
}

// Copies are the copy addresses the caller used last, and all of his that are
// known, those used last first. Other users' are never among them.
func (s *Service) Copies(ctx context.Context, who principal.Principal) (last, known []string, err error) {
	if who.Kind != principal.Customer {
		return nil, nil, fault.NoPermission
	}
	var rows []copyAddress
	newest := 0
	err = s.db.View(ctx, func(tx *db.Tx) error {
		rows, newest = nil, 0
		var at int64
		return tx.List(func(r db.Row) error {
			var c copyAddress
			var used int64
			err := r.Scan(&c.hash, &c.sealed, &used)
			if at == 0 {
				at = used
			}
			if used == at {
				newest++
			}
			rows = append(rows, c)
			return err
		}, "SELECT hash, address, used_at FROM copy_addresses WHERE domain_id = ? AND user_id = ? ORDER BY used_at DESC, place, hash LIMIT ?", who.Domain, who.User, maxKnownCopies)
	})
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	p, err := s.keys.Person(ctx, who.User)
	if errors.Is(err, seal.ErrErased) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, c := range rows {
		address, err := p.Open(copyPlace(who.User, c.hash), c.sealed)
		if err != nil {
			return nil, nil, err
		}
		known = append(known, address)
	}
	return known[:newest], known, nil
}
