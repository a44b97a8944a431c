package notify

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"casemate/internal/locale"
)

// Channel is one provider: it takes one message for one recipient. It must
// honour the context, which ends with the message's life at the latest.
type Channel interface {
	// Name is how the ledger calls the provider.
	Name() string
	// Send hands the message over and returns the provider's own id of it, if
	// it has one. Errors are *Failure; any other is taken as temporary.
	Send(ctx context.Context, m Outgoing) (providerID string, err error)
}

// partwise is a channel that takes a message in parts, each with an id of its
// own. When it fails, the ids are those of the parts that were taken.
type partwise interface {
	SendParts(ctx context.Context, m Outgoing) (ids []string, err error)
}

// Outgoing is an opened message on its way to a provider.
type Outgoing struct {
	ID        string // the same at every repeat: providers may use it to drop doubles
	MessageID string // the mail's Message-ID without brackets, likewise stable
	Domain    string
	Way       Way
	To        string // normalised contact
	Person    string
	Template  string
	Language  locale.Language
	Subject   string
	Text      string
	HTML      string
	Code      string
	Stop      string // link that ends such mails (RFC 8058), "" = none
	Reply     string // address answers go to, "" = that of the sender
	At        int64  // when it was queued, milliseconds UTC: the mail's date
}

// Urgent tells whether somebody waits for the message: codes and tests.
func (m Outgoing) Urgent() bool {
	return strings.HasPrefix(m.Template, "verify.") || strings.HasPrefix(m.Template, "provider.")
}

// Failure is a delivery that did not succeed.
type Failure struct {
	Permanent bool   // this provider will never take this message
	Recipient bool   // because the recipient does not exist
	Unknown   bool   // it did not answer in time: it may have the message
	Unsent    bool   // nothing left, for sure
	Detail    string // the provider's answer
	Cause     error
}

func (f *Failure) Error() string {
	if f.Cause != nil {
		return f.Detail + ": " + f.Cause.Error()
	}
	return f.Detail
}

func (f *Failure) Unwrap() error { return f.Cause }

// outcome is the word for it in the ledger.
func (f *Failure) outcome() string {
	switch {
	case f.Permanent:
		return "permanent"
	case f.Unknown:
		return "unknown"
	}
	return "temporary"
}

// failure is any error as a Failure.
func failure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Detail: err.Error()}
}

// Broken is a channel that always fails, for tests and drills.
type Broken struct {
	As      string // its name
	Failure Failure
}

// Name is the channel's name.
func (b Broken) Name() string { return b.As }

// Send fails.
func (b Broken) Send(context.Context, Outgoing) (string, error) {
	f := b.Failure
	return "", &f
}

var (
	mailLike  = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+`)
	longDigit = regexp.MustCompile(`[0-9]{4,}`)
)

// scrub makes a provider's answer fit for the ledger and the log: one line, at
// most 200 characters, without the contact, addresses, and runs of digits that
// could be a number or a code. Status codes (three digits, 5.1.1) stay.
func scrub(detail, contact string) string {
	if contact != "" {
		detail = strings.ReplaceAll(detail, contact, "***")
	}
	detail = mailLike.ReplaceAllString(detail, "***")
	detail = longDigit.ReplaceAllString(detail, "***")
	detail = oneLine(detail)
	if r := []rune(detail); len(r) > 200 {
		detail = string(r[:200])
	}
	return detail
}

// oneLine turns control and line-separating characters into single blanks.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return strings.Join(strings.Fields(s), " ")
}

// Mask shows enough of a contact to recognise it and not enough to use it:
// +86 138****0000, a***@b.c (threats.md D16).
func Mask(contact string) string {
	if i := strings.LastIndexByte(contact, '@'); i > 0 {
		first := []rune(contact)[0]
		return string(first) + "***" + contact[i:]
	}
	if area, national, ok := SplitNumber(contact); ok {
		return "+" + area + " " + MaskNumber(national)
	}
	return "***"
}

// MaskNumber masks a national number: 138****0000; of short ones more is hidden.
func MaskNumber(national string) string {
	n := len(national)
	switch {
	case n >= 8:
		return national[:3] + "****" + national[n-4:]
	case n >= 5:
		return national[:1] + "****" + national[n-2:]
	}
	return "****"
}
