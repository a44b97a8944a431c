package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"time"

	"casemate/internal/config"
	"casemate/internal/locale"
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
)

// ReadBounce reads a returned mail.
func ReadBounce(host, pattern string, raw []byte) (Bounce, bool) {
	return newBounceReader(host, pattern).read(raw)
}

// Render is a message's text.
func Render(s *Service, m Message) (payload, error) { return s.render(context.Background(), m) }

// SMSToo tells whether a template goes as text message as well.
func SMSToo(name string) bool { return templates[name][locale.ZH].sms != "" }

// AllTemplates are the names of all templates.
func AllTemplates() []string {
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

// ReplyAddress is the address an answer to the message goes to.
func (s *Service) ReplyAddress(m Message) string { return s.replyAddress(m) }
