package verify

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// Claims are the contacts a ticket shall use and what its caller shows for
// them.
type Claims struct {
	Area, Mobile, Mail    string // as written; "" = none
	PhoneProof, MailProof string // ids of proofs, from the headers
	Code                  string // for the first of mobile and mail that is not proved yet
}

// Prepared are claims made ready for Prove.
type Prepared struct {
	Mobile, Mail string // in their one spelling (+8613800138000); "" = none
	code         string
	claims       []claim
}

type claim struct {
	field  string // wire name of the contact
	header string // id of a proof
	r      resolved
	proof  sealedProof // to record when the code is right
}

// Prepare normalises the contacts and seals what a right code would leave. It
// fails, naming the field, for a contact that is none.
func (s *Service) Prepare(ctx context.Context, who principal.Principal, c Claims) (Prepared, error) {
	p := Prepared{code: c.Code}
	for _, in := range []struct {
		field, value, header string
		way                  identity.Way
		into                 *string
	}{
		{"remind_mobile", c.Mobile, c.PhoneProof, identity.SMS, &p.Mobile},
		{"remind_mail", c.Mail, c.MailProof, identity.Mail, &p.Mail},
	} {
		if in.value == "" {
			continue
		}
		r, err := s.resolve(Contact{Way: in.way, Area: c.Area, Value: in.value})
		if err != nil {
			return p, rename(err, in.field)
		}
		*in.into = r.normal
		k := claim{field: in.field, header: in.header, r: r}
		if c.Code != "" {
			if k.proof, err = s.sealProof(ctx, who, r); err != nil {
				return p, err
			}
		}
		p.claims = append(p.claims, k)
	}
	return p, nil
}

func rename(err error, field string) error {
	if f, ok := fault.As(err); ok && f.Field == "contact_value" {
		return f.In(field)
	}
	return err
}

// Prove decides in the caller's transaction whether each contact may be used:
// a registered one of the account, one with a proof of the caller's that holds
// (named by its header, or found when there is no header), or the first
// unproved one when the code is right (semantics.md D25). A refusal is an
// Outcome, not an error: the caller must commit, so that a wrong try counts and
// a right code is used up and leaves its proof. A code is not touched when the
// claims would be refused anyway.
func (s *Service) Prove(tx *db.Tx, who principal.Principal, p Prepared) (Outcome, error) {
	var open []claim
	for _, k := range p.claims {
		proved, err := proved(tx, who, k)
		if err != nil {
			return Outcome{}, err
		}
		if !proved {
			open = append(open, k)
		}
	}
	switch {
	case len(open) == 0:
		return Outcome{}, nil
	case p.code == "":
		return Outcome{Refusal: ErrWrong.In(open[0].field)}, nil
	case len(open) > 1:
		return Outcome{Refusal: ErrWrong.In(open[1].field)}, nil
	}
	right, err := s.try(tx, who, purposeContact, open[0].r, p.code)
	if err != nil {
		return Outcome{}, err
	}
	if !right {
		return Outcome{Refusal: ErrWrong.In("verify_code")}, nil
	}
	return Outcome{}, s.recordProof(tx, who, open[0].proof)
}

func proved(tx *db.Tx, who principal.Principal, k claim) (bool, error) {
	own, err := identity.OwnContact(tx, who.Domain, who.User, k.r.hash)
	if err != nil || own {
		return own, err
	}
	id, _, err := findProof(tx, who, k.r)
	return id != "" && (k.header == "" || k.header == id), err
}
