package event

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
)

// A link of the chain is an HMAC-SHA-256 over what is stored of an event and
// the hash of the event before it. Everything is written with its length, so
// that no two different events have the same bytes.
const (
	linkLabel   = "casemate event 1"
	anchorLabel = "casemate anchor 1"
)

type mac struct{ h hash.Hash }

func newMAC(key []byte, label string) mac {
	m := mac{hmac.New(sha256.New, key)}
	m.text(label)
	return m
}

func (m mac) number(n int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	m.h.Write(b[:])
}

func (m mac) text(s string) {
	m.number(int64(len(s)))
	m.h.Write([]byte(s))
}

// sum is 43 characters of base64url.
func (m mac) sum() string { return base64.RawURLEncoding.EncodeToString(m.h.Sum(nil)) }

// link is the event's hash behind the hash before it ("" for the first).
func link(key []byte, before string, r Row) string {
	m := newMAC(key, linkLabel)
	m.row(before, r)
	return m.sum()
}

// row writes what is stored of an event, but its hash, behind the hash before it.
func (m mac) row(before string, r Row) {
	m.text(before)
	m.number(r.Seq)
	m.number(r.DomainSeq)
	for _, s := range [...]string{r.Domain, r.ID, r.Kind, r.Subject, r.SubjectID} {
		m.text(s)
	}
	m.number(r.Revision)
	m.number(int64(r.LogCode))
	m.number(int64(r.ActorKind))
	for _, s := range [...]string{r.Actor, r.Address, r.RequestID} {
		m.text(s)
	}
	m.number(r.At)
	m.text(string(r.Data))
}

// Anchor is a signed statement kept outside the database: at a time the chain
// had come to this number and hash.
type Anchor struct {
	Seq  int64
	Hash string
	At   int64 // milliseconds UTC
	MAC  string
}

func (a Anchor) sign(key []byte) string {
	m := newMAC(key, anchorLabel)
	m.number(a.Seq)
	m.text(a.Hash)
	m.number(a.At)
	return m.sum()
}

func (a Anchor) genuine(key []byte) bool { return hmac.Equal([]byte(a.MAC), []byte(a.sign(key))) }
