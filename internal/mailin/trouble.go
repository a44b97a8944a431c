package mailin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"unicode"

	"github.com/emersion/go-imap/v2"

	"casemate/internal/locale"
)

// Trouble is why a mailbox could not be read, in words for the operator.
type Trouble struct {
	ZH, EN string
	cause  error
}

func (t *Trouble) Error() string { return t.EN }
func (t *Trouble) Unwrap() error { return t.cause }

// In is the text in a language.
func (t *Trouble) In(l locale.Language) string {
	if l == locale.ZH {
		return t.ZH
	}
	return t.EN
}

// trouble says what failed and why; secrets are words that must not show.
func trouble(zh, en string, cause error, secrets ...string) *Trouble {
	if t := (*Trouble)(nil); errors.As(cause, &t) {
		return t // the one nearest to the cause says it best
	}
	why := plainCause(cause)
	for _, s := range secrets {
		if len(s) >= 4 {
			why = strings.ReplaceAll(why, s, "***")
		}
	}
	zhWhy := why
	for _, w := range []struct{ en, zh string }{{timedOut, "超时无应答"}, {cutOff, "连接中断"}} {
		if why == w.en {
			zhWhy = w.zh
		}
	}
	return &Trouble{ZH: zh + "：" + zhWhy, EN: en + ": " + why, cause: cause}
}

const (
	timedOut = "no answer in time"
	cutOff   = "the connection was cut"
)

// plainCause is an error in one line of at most 200 characters.
func plainCause(err error) string {
	var refused *imap.Error
	var net1 net.Error
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	s := ""
	switch {
	case err == nil:
		s = "unknown"
	case errors.As(err, &refused):
		s = fmt.Sprintf("%s %s", refused.Type, refused.Text)
	case errors.As(err, &unknown), errors.As(err, &cert):
		s = "certificate: " + err.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &net1) && net1.Timeout():
		s = timedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), strings.Contains(err.Error(), "use of closed network connection"),
		strings.Contains(err.Error(), "connection reset"), strings.Contains(err.Error(), "broken pipe"):
		s = cutOff
	default:
		s = err.Error()
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200])
	}
	return strings.TrimSpace(s)
}
