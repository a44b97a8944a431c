package identity

import (
	"net/mail"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"casemate/internal/db"
	"casemate/internal/fault"
)

// Way is how a contact is reached, as the wire numbers it.
type Way int

const (
	SMS  Way = 0
	Mail Way = 1
)

var (
	errMobile = fault.New(fault.Invalid, fault.CodeInvalid, "手机号码无效", "the phone number is not valid").In("contact_value")
	errArea   = fault.New(fault.Invalid, fault.CodeInvalid, "国家码“{area}”不存在，请写数字，例如中国为 86", "there is no calling code {area}: write digits, for example 86 for China").In("area_code")
	errMail   = fault.New(fault.Invalid, fault.CodeInvalid, "邮箱地址无效", "the e-mail address is not valid").In("contact_value")
	// ErrWay: contact_way is neither 0 nor 1.
	ErrWay = fault.New(fault.Invalid, "OSM.01010012", "类型只能是 0 或 1", "The type must be 0 or 1.").In("contact_way")
)

// NormalContact is the one spelling of a contact; every other spelling leads
// to it or is refused (threats.md A15).
func NormalContact(way Way, area, value string) (string, error) {
	switch way {
	case SMS:
		return NormalMobile(area, value)
	case Mail:
		return NormalMail(value)
	}
	return "", ErrWay
}

// NormalMobile is a phone number as E.164, e.g. +8613800138000. The area code
// may be written 86, +86 or 0086; without one it is 86.
func NormalMobile(area, value string) (string, error) {
	return settled(errMobile, value, func(v string) (string, error) { return foldMobile(area, v) })
}

// settled folds a value and refuses it when its folded form is not left alone
// by folding again: such a value would have two spellings of its own.
func settled(refusal error, value string, fold func(string) (string, error)) (string, error) {
	once, err := fold(value)
	if err != nil {
		return "", err
	}
	if twice, err := fold(once); err != nil || twice != once {
		return "", refusal
	}
	return once, nil
}

func foldMobile(area, value string) (string, error) {
	if control(area + value) {
		return "", errMobile
	}
	value = norm.NFKC.String(strings.TrimSpace(value))
	area = norm.NFKC.String(strings.TrimSpace(area))
	area = strings.TrimPrefix(strings.TrimPrefix(area, "+"), "00")
	if area == "" {
		area = "86"
	}
	if strings.Trim(area, "0123456789") != "" || len(area) > 4 {
		return "", errArea.With("area", clipped(area))
	}
	for _, r := range value {
		if !strings.ContainsRune("0123456789+-() .", r) {
			return "", errMobile
		}
	}
	if rest, ok := strings.CutPrefix(value, "00"); ok {
		value = "+" + rest
	}
	if !strings.HasPrefix(value, "+") {
		if n, err := strconv.Atoi(area); err != nil || phonenumbers.GetRegionCodeForCountryCode(n) == "ZZ" {
			return "", errArea.With("area", area)
		}
		value = "+" + area + strings.TrimLeft(value, " ")
	}
	n, err := phonenumbers.Parse(value, "")
	if err != nil || n.GetExtension() != "" || !phonenumbers.IsPossibleNumber(n) {
		return "", errMobile
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// clipped is a typed word as an error repeats it.
func clipped(word string) string {
	if r := []rune(word); len(r) > 20 {
		return string(r[:20]) + "..."
	}
	return word
}

// NormalMail is an address with its domain in lower-case ASCII (IDN as xn--).
// The local part stays as it is written, in lower case: mail systems in use
// treat it so, and two cases must not give two limits. Plus-addresses are
// addresses of their own. Quoted local parts, comments and display names are
// refused.
func NormalMail(value string) (string, error) { return settled(errMail, value, foldMail) }

func foldMail(value string) (string, error) {
	if control(value) || len(value) > 254 {
		return "", errMail
	}
	value = norm.NFKC.String(strings.TrimSpace(value))
	at := strings.LastIndexByte(value, '@')
	if at <= 0 || at > 64 || strings.ContainsAny(value, "\"<>()[],;:\\ \t") || strings.Count(value, "@") != 1 {
		return "", errMail
	}
	host, err := idna.Lookup.ToASCII(strings.TrimSuffix(value[at+1:], "."))
	if err != nil || !strings.Contains(host, ".") || len(host) > 253 {
		return "", errMail
	}
	out := strings.ToLower(value[:at]) + "@" + strings.ToLower(host)
	if a, err := mail.ParseAddress(out); err != nil || a.Address != out {
		return "", errMail
	}
	return out, nil
}

// control tells texts that are no contact in any spelling: not UTF-8, or with
// characters that do not show.
func control(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u200b' || r == '\u200e' || r == '\u200f' || r >= '\u202a' && r <= '\u202e' || r == '\ufeff'
	})
}

// ContactHash is the keyed hash under which a normalised contact is found, the
// same for all tenants.
func (s *Service) ContactHash(way Way, normal string) string {
	if way == SMS {
		return s.keys.Lookup("contact mobile", normal)
	}
	return s.keys.Lookup("contact mail", normal)
}

// OwnContact tells whether the hash is a registered contact of the caller's or
// of its main account's profile: those need no proof (semantics.md D5).
func OwnContact(tx *db.Tx, domain, user, hash string) (bool, error) {
	var n int
	err := tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND (id = ? OR main = 1) AND (mobile_hash = ? OR mail_hash = ?)", domain, user, hash, hash).Scan(&n)
	return n > 0, err
}

// ContactsIn are the contacts a word may be, in their one spelling.
func ContactsIn(word string) (all []string) {
	if strings.ContainsAny(word, "@＠") {
		if mail, err := NormalMail(word); err == nil {
			all = append(all, mail)
		}
		return all
	}
	digits := 0
	for _, r := range word {
		if r >= '0' && r <= '9' || r >= '０' && r <= '９' {
			digits++
		}
	}
	if digits < 7 {
		return nil
	}
	if mobile, err := NormalMobile("", word); err == nil {
		all = append(all, mobile)
	}
	return all
}
