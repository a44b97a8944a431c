package notify

import (
	"bytes"
	"crypto/rand"
	"time"

	"casemate/internal/config"
)

// Compose writes the mail as it would go over the wire.
func Compose(c config.SMTP, product string, m Outgoing) ([]byte, error) {
	ch, err := NewSMTP(c, product)
	if err != nil {
		return nil, err
	}
	msg, err := ch.(*smtpChannel).compose(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = msg.WriteTo(&b)
	return b.Bytes(), err
}

// The internals that tests look at.
var (
	HeaderText = headerText
	Scrub      = scrub
	Render     = (*Service).render
)

// ReadBounce reads a returned mail.
func ReadBounce(host, pattern string, raw []byte) (Bounce, bool) {
	return newBounceReader(host, pattern).read(raw)
}

// Templates are the names of all templates.
func Templates() []string {
	var all []string
	for name := range templates {
		all = append(all, name)
	}
	return all
}

// Chosen is the order in which healthy providers are asked.
func Chosen(places map[string]Place) (names []string) {
	var all []*provider
	for name, at := range places {
		all = append(all, &provider{Channel: Broken{As: name}, place: at})
	}
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b) // never fails
		return b
	}
	for _, p := range choose(all, nil, time.Time{}, random) {
		names = append(names, p.Name())
	}
	return names
}
