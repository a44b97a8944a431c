package verify

import (
	"slices"
	"strconv"

	"github.com/nyaruka/phonenumbers"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/notify"
)

// Contact is a phone number or mail address as a caller wrote it.
type Contact struct {
	Way   identity.Way
	Area  string // calling code of a phone number; ignored for mail
	Value string
}

// resolved is a contact in its one spelling.
type resolved struct {
	way      identity.Way
	normal   string // +8613800138000, an@address
	hash     string // keyed, the same for all tenants
	area     string // 86; "" for mail
	national string // 13800138000, or the address
}

func (r resolved) channel() notify.Way {
	if r.way == identity.SMS {
		return notify.SMS
	}
	return notify.Mail
}

// resolve normalises a contact (threats.md A15).
func (s *Service) resolve(c Contact) (resolved, error) {
	if c.Way != identity.SMS && c.Way != identity.Mail {
		return resolved{}, identity.ErrWay
	}
	if c.Value == "" {
		return resolved{}, fault.Missing.In("contact_value")
	}
	normal, err := identity.NormalContact(c.Way, c.Area, c.Value)
	if err != nil {
		return resolved{}, err
	}
	r := resolved{way: c.Way, normal: normal, hash: s.ident.ContactHash(c.Way, normal), national: normal}
	if c.Way == identity.SMS {
		if area, national, ok := notify.SplitNumber(normal); ok {
			r.area, r.national = area, national
		}
	}
	return r, nil
}

// maySMS tells whether text messages may go to the number: its country is
// listed and the numbering plan calls it mobile. Where the plan does not tell
// mobile from fixed (North America), both are taken.
func (s *Service) maySMS(r resolved) error {
	n, err := phonenumbers.Parse(r.normal, "")
	if err != nil {
		return ErrNoSMS
	}
	kind := phonenumbers.GetNumberType(n)
	if kind != phonenumbers.MOBILE && kind != phonenumbers.FIXED_LINE_OR_MOBILE {
		return ErrNoSMS
	}
	allowed := s.o.Config.SMSCountries
	if !slices.Contains(allowed, strconv.Itoa(int(n.GetCountryCode()))) && !slices.Contains(allowed, phonenumbers.GetRegionCodeForNumber(n)) {
		return ErrNoSMS
	}
	return nil
}
