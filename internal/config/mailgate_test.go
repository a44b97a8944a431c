package config_test

import (
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
)

// TestMailTransports: what would send a password in clear, open the receiver to
// the world by accident, or mean nothing, is refused by its key; bounds hold.
func TestMailTransports(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(m *config.MailIn)
		want   string // "" = it is taken
	}{
		{func(*config.MailIn) {}, ""},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Host = "" }, "imap.host"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.User = "" }, "imap.user"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Password = config.Secret{} }, "imap.password"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.TLS = "none" }, "clear text"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.TLS, m.Mailboxes[0].IMAP.Clear = "none", true }, ""},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.TLS, m.Mailboxes[0].IMAP.Host = "none", "127.0.0.1" }, ""},
		{func(m *config.MailIn) {
			m.Mailboxes[0].IMAP.TLS, m.Mailboxes[0].IMAP.Host = "none", "127.0.0.1.example.com"
		}, "clear text"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.TLS = "sometimes" }, "imap.tls"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Port = 65535 }, ""},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Port = 65536 }, "imap.port"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.After = "burn" }, "imap.after"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.After = "move" }, "imap.move"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Move = "Done" }, "imap.move"},
		{func(m *config.MailIn) {
			m.Mailboxes[0].IMAP.After, m.Mailboxes[0].IMAP.Move = "move", "INBOX"
		}, "folder itself"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Every = time.Second }, ""},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Every = time.Second - 1 }, "imap.every"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.Timeout = 10*time.Minute + 1 }, "imap.timeout"},
		{func(m *config.MailIn) { m.Mailboxes[1].IMAP = m.Mailboxes[0].IMAP }, "same folder"},
		{func(m *config.MailIn) { m.Mailboxes[0].IMAP.OAuth.TokenURL = "https://x.example/token" }, "both a password and oauth"},
		{func(m *config.MailIn) { oauth(m).ClientID = "" }, "oauth.client_id"},
		{func(m *config.MailIn) { oauth(m).ClientSecret = config.Secret{} }, "neither"},
		{func(m *config.MailIn) { oauth(m).TokenURL = "http://127.0.0.1/token" }, "http only"},
		{func(m *config.MailIn) { oauth(m).TokenURL = "ftp://x" }, "oauth.token_url"},
		{func(m *config.MailIn) { oauth(m).Mechanism = "plain" }, "oauth.mechanism"},
		{func(m *config.MailIn) { oauth(m).Allow = []string{"everywhere"} }, "oauth.allow"},
		{func(m *config.MailIn) { oauth(m) }, ""},
		{func(m *config.MailIn) { m.Receiver.Listen = ":2400" }, "can be reached"},
		{func(m *config.MailIn) { m.Receiver.Listen, m.Receiver.Public = ":2400", true }, ""},
		{func(m *config.MailIn) { m.Receiver.Listen = "127.0.0.1" }, "receiver.listen"},
		{func(m *config.MailIn) { m.Receiver.Protocol = "uucp" }, "receiver.protocol"},
		{func(m *config.MailIn) { m.Receiver.Certificate = "cert.pem" }, "belong together"},
		{func(m *config.MailIn) { m.Receiver.RequireTLS = true }, "require_tls"},
		{func(m *config.MailIn) { m.Receiver.Peers = []string{"10.0.0.0/33"} }, "receiver.peers"},
		{func(m *config.MailIn) { m.Receiver.Trusted = []string{"mx"} }, "receiver.trusted"},
		{func(m *config.MailIn) { m.Receiver.Connections = 10001 }, "receiver.connections"},
		{func(m *config.MailIn) { m.Receiver.PerPeer = -1 }, "receiver.per_peer"},
		{func(m *config.MailIn) { m.Receiver.Recipients = 10000 }, ""},
		{func(m *config.MailIn) { m.Receiver.Recipients = 10001 }, "receiver.recipients"},
		{func(m *config.MailIn) { m.Receiver.Mails = 1000001 }, "receiver.mails"},
		{func(m *config.MailIn) { m.Receiver.Timeout = time.Hour + 1 }, "receiver.timeout"},
		{func(m *config.MailIn) { m.Receiver.Name = "a\r\nb" }, "receiver.name"},
		{func(m *config.MailIn) { m.Mailboxes = nil }, "no mailboxes"},
	} {
		m := config.MailIn{Receiver: config.MailReceiver{Listen: "127.0.0.1:2400"}, Mailboxes: []config.Mailbox{
			{Address: "support@example.com", IMAP: config.IMAP{Host: "imap.example.com", User: "u", Password: config.Secret{File: "/x"}}}, {Address: "sales@example.com"}}}
		c.change(&m)
		err := m.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// oauth makes the first mailbox one with OAuth.
func oauth(m *config.MailIn) *config.MailOAuth {
	c := &m.Mailboxes[0].IMAP
	c.Password = config.Secret{}
	c.OAuth = config.MailOAuth{TokenURL: "https://login.example.com/token", ClientID: "app", ClientSecret: config.Secret{File: "/x"}}
	return &c.OAuth
}
