// Package fault holds the errors Casemate shows to its callers: a kind for the
// code that handles them, a wire code for the machine that reads them, and one
// text in each language for the person who meets them.
//
// Errors that are not faults are bugs or broken machinery: the surfaces log
// them and show the internal error, never their text.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind tells handling code what went wrong. The wire code, not the kind, sets
// the HTTP status (semantics.md D11).
type Kind uint8

// The kinds, in no order of gravity.
const (
	None            Kind = iota // no error
	Internal                    // not a fault: unknown error
	Invalid                     // the input breaks a documented rule
	Unauthenticated             // no, or no valid, credentials
	Forbidden                   // known caller, no right
	NotFound                    // does not exist, or must look so
	Conflict                    // the state does not allow it
	TooMany                     // a rate or quota is used up; see After
	TooLarge                    // body over its limit
	Unavailable                 // try again later; see After
	NotBuilt                    // part of the contract that is not built yet (D28)
	Gone                        // the caller went away before the answer
)

var kindNames = [...]string{"none", "internal", "invalid", "unauthenticated", "forbidden",
	"not found", "conflict", "too many", "too large", "unavailable", "not built", "gone"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Codes used by more than one package (contract/errors.csv).
const (
	CodeMalformed    = "OSM.0001"     // unreadable body, wrong type
	CodeUnauthorized = "OSM.0002"     // authentication failed
	CodeForbidden    = "OSM.0003"     // illegal operation
	CodeInternal     = "OSM.0004"     // internal error; with 501 an operation not built yet (D28)
	CodeInvalid      = "OSM.01010001" // parameter missing, too long, out of range, unknown value
	CodeNoPermission = "OSM.01010002" // caller may not, or the state does not allow it (D20)
	CodeNoTicket     = "OSM.01010015" // unknown, deleted or foreign ticket (D9)
)

// Arg is a value for a text's {name} placeholder.
type Arg struct {
	Name  string
	Value any
}

// Error is a fault. Values made by New are templates: With, In, After and
// Because return changed copies, so package-level variables are safe to share.
type Error struct {
	Kind       Kind
	Code       string        // wire code, e.g. OSM.01010001
	ZH, EN     string        // texts with {name} placeholders
	Field      string        // wire name of the offending field, dots between levels, or ""
	Args       []Arg         // values for the placeholders
	RetryAfter time.Duration // for TooMany and Unavailable; sent rounded up to whole seconds, at least 1
	cause      error
}

// New declares a fault with its text in both languages.
func New(kind Kind, code, zh, en string) *Error {
	return &Error{Kind: kind, Code: code, ZH: zh, EN: en}
}

// With returns a copy that knows a value for the placeholder {name}.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Args = append(append([]Arg(nil), e.Args...), Arg{name, value})
	return &c
}

// In returns a copy that names the offending field as it is spelled on the wire.
func (e *Error) In(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// After returns a copy that tells the caller when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Because returns a copy that wraps its cause, for the log only.
func (e *Error) Because(err error) *Error {
	c := *e
	c.cause = err
	return &c
}

// Error is the English text for logs; surfaces use locale.Text.
func (e *Error) Error() string {
	s := e.Code + " " + Fill(e.EN, e.Args)
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, errTemplate) true for every copy of a template.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.EN == e.EN && t.Kind == e.Kind
}

// As finds the fault in an error chain.
func As(err error) (*Error, bool) {
	var f *Error
	ok := errors.As(err, &f)
	return f, ok
}

// KindOf is None for nil, the fault's kind, or Internal.
func KindOf(err error) Kind {
	if err == nil {
		return None
	}
	if f, ok := As(err); ok {
		return f.Kind
	}
	return Internal
}

// Fill replaces the {name} placeholders of a text; an unknown placeholder stays.
func Fill(text string, args []Arg) string {
	for _, a := range args {
		text = strings.ReplaceAll(text, "{"+a.Name+"}", fmt.Sprint(a.Value))
	}
	return text
}
