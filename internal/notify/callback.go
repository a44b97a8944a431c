package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Twilio signs with HMAC-SHA1
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"casemate/internal/config"
	"casemate/internal/fault"
)

// ErrReceipt: nobody who may tell us receipts sent this. An unknown provider is
// answered like a wrong signature.
var ErrReceipt = fault.New(fault.Unauthenticated, "APIGW.0301", "回执签名不正确", "the receipt's signature is not right")

// MaxCallback is the largest receipt in bytes.
const MaxCallback = 64 << 10

// Callback is a gateway's receipt as it came over HTTP.
type Callback struct {
	Header http.Header
	Query  url.Values
	Body   []byte
}

// checkReceipt refuses what would take receipts unchecked. has = a secret is
// set; "" = it is not known here.
func checkReceipt(c config.Receipt, has bool, secret string) error {
	if !has {
		if c.State != "" || c.Check != "" || c.Header != "" {
			return errors.New("secret is missing: anybody could tell receipts")
		}
		return nil
	}
	switch {
	case len(secret) < 8:
		return errors.New("secret has less than 8 characters")
	case c.State == "" || len(c.Delivered)+len(c.Failed) == 0:
		return errors.New("state, and delivered or failed, are missing")
	case c.ID == "" && c.Check != config.ReceiptLink:
		return errors.New("id is missing")
	}
	switch c.Check {
	case "", config.ReceiptBody:
		if !validToken.MatchString(c.Header) {
			return errors.New("header is missing or not valid")
		}
	case config.ReceiptTwilio:
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
			return errors.New("url is missing: Twilio signs it")
		}
	case config.ReceiptLink:
	default:
		return errors.New("check is body, twilio or link")
	}
	return nil
}

// Callback takes a gateway's receipt. ErrReceipt when it is not the gateway's;
// what is signed and not understood, not final, or about an unknown message,
// changes nothing and is no error.
func (s *Service) Callback(ctx context.Context, name string, in Callback) error {
	p, err := s.find(ctx, name)
	if err != nil {
		return ErrReceipt
	}
	g, ok := p.Channel.(*gateway)
	if !ok || g.receiptKey == "" || len(in.Body) > MaxCallback {
		return ErrReceipt
	}
	message, ok := g.genuine(in)
	if !ok {
		return ErrReceipt
	}
	r, ok := g.readCallback(in)
	if !ok {
		return nil
	}
	if message != "" {
		r.Message = message
	}
	// It may come before the ledger knows the id.
	for try := 0; ; try++ {
		known, err := s.receive(ctx, r)
		if err != nil || known || try == len(receiptRetries)-1 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(receiptRetries[try]):
		}
	}
}

func sign(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// receiptLink is the query of the address a gateway is given for the receipt of
// one message.
func (g *gateway) receiptLink(id string) string {
	if g.receiptKey == "" || g.c.Receipt.Check != config.ReceiptLink {
		return ""
	}
	return url.Values{"m": {id}, "t": {hex.EncodeToString(sign(g.receiptKey, "receipt "+id))}}.Encode()
}

// genuine tells whether the gateway sent it; of a link, also which message it is
// about.
func (g *gateway) genuine(in Callback) (message string, ok bool) {
	c := g.c.Receipt
	switch c.Check {
	case config.ReceiptLink:
		message = in.Query.Get("m")
		given, err := hex.DecodeString(in.Query.Get("t"))
		return message, err == nil && message != "" && hmac.Equal(given, sign(g.receiptKey, "receipt "+message))
	case config.ReceiptTwilio:
		// Twilio: HMAC-SHA1 over the URL and the form's fields, sorted by name.
		form, err := url.ParseQuery(string(in.Body))
		if err != nil {
			return "", false
		}
		text := c.URL
		for _, name := range slices.Sorted(maps.Keys(form)) {
			for _, v := range form[name] {
				text += name + v
			}
		}
		h := hmac.New(sha1.New, []byte(g.receiptKey))
		_, _ = h.Write([]byte(text)) // never fails
		given, err := base64.StdEncoding.DecodeString(in.Header.Get("X-Twilio-Signature"))
		return "", err == nil && hmac.Equal(given, h.Sum(nil))
	}
	given := strings.TrimPrefix(strings.TrimSpace(in.Header.Get(c.Header)), "sha256=")
	want := sign(g.receiptKey, string(in.Body))
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString} {
		if b, err := decode(given); err == nil && hmac.Equal(b, want) {
			return "", true
		}
	}
	return "", false
}

// readCallback reads a receipt that is genuine. Not ok: it tells nothing final.
func (g *gateway) readCallback(in Callback) (Receipt, bool) {
	c := g.c.Receipt
	var answer any
	if kind, _, _ := mime.ParseMediaType(in.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(in.Body))
		if err != nil {
			return Receipt{}, false
		}
		fields := map[string]any{}
		for name, v := range form {
			fields[name] = v[0]
		}
		answer = fields
	} else {
		answer = parseAnswer(in.Body)
	}
	id, _ := lookup(answer, c.ID)
	state, _ := lookup(answer, c.State)
	why, _ := lookup(answer, c.Error)
	r := Receipt{Provider: g.c.Name, ProviderID: cut(oneLine(id), 128), Detail: "sms gateway: " + cut(state, 64)}
	if why != "" {
		r.Detail += " " + cut(why, 64)
	}
	r.listed = why == "" || slices.Contains(c.Recipient, why)
	switch {
	case slices.Contains(c.Delivered, state):
		r.Delivered = true
	case slices.Contains(c.Recipient, state):
		r.Recipient = true
	case slices.Contains(c.Failed, state):
		r.Recipient = why != "" && slices.Contains(c.Recipient, why)
	default:
		return r, false
	}
	return r, true
}
