package notify

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
	gomail "github.com/wneessen/go-mail"

	"casemate/internal/config"
)

// signedHeaders are what a signature covers (RFC 6376 section 5.4.1). From
// stands twice, so that no second one can be added (section 8.15).
var signedHeaders = []string{"From", "From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted", "Content-Language"}

// signer makes what signs mails, with a key in PEM; nil without a selector.
func signer(c config.DKIM, text, from string) (*dkim.SignOptions, error) {
	if c.Selector == "" {
		if c != (config.DKIM{}) {
			return nil, errors.New("selector is missing")
		}
		return nil, nil
	}
	own := from[strings.LastIndexByte(from, '@')+1:]
	if c.Domain == "" {
		c.Domain = own
	}
	// Receivers that check alignment (RFC 7489) want the domain of From, or one above.
	if d := strings.ToLower(c.Domain); d != strings.ToLower(own) && !strings.HasSuffix(strings.ToLower(own), "."+d) {
		return nil, errors.New("domain is neither that of from nor one above it")
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("key is no PEM")
	}
	key, err := privateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &dkim.SignOptions{Domain: c.Domain, Selector: c.Selector, Signer: key, Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed, HeaderKeys: signedHeaders}, nil
}

func privateKey(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return strongEnough(k)
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("key is neither RSA nor Ed25519") // the parser's error could quote it
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return strongEnough(k)
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errors.New("key is neither RSA nor Ed25519")
}

// strongEnough refuses keys that receivers must not accept (RFC 8301).
func strongEnough(k *rsa.PrivateKey) (crypto.Signer, error) {
	if k.N.BitLen() < 1024 {
		return nil, errors.New("key has less than 1024 bits")
	}
	return k, nil
}

// signMail puts the signature over the mail as it will be written.
func signMail(msg *gomail.Msg, o *dkim.SignOptions) error {
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return err
	}
	s, err := dkim.NewSigner(o)
	if err != nil {
		return err
	}
	_, err = s.Write(b.Bytes())
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	name, value, ok := strings.Cut(strings.TrimRight(s.Signature(), "\r\n"), ": ")
	if !ok {
		return errors.New("no signature")
	}
	msg.SetGenHeaderPreformatted(gomail.Header(name), value)
	return nil
}
