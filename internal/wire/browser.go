package wire

import "context"

// Names of the cookie that holds a browser's session (api/web.yaml).
const (
	SecureCookie   = "__Host-casemate_session"
	LoopbackCookie = "casemate_session" // on a loopback address without TLS, where browsers refuse the other

	SecureStateCookie   = "__Host-casemate_signin" // of a sign-in at an identity provider
	LoopbackStateCookie = "casemate_signin"
)

// Browser is what the server knows of the browser that calls.
type Browser struct {
	Cookie string // name of the session's cookie here; "" = none can be kept: neither TLS nor loopback
	Secret string // the session it sent, "" = none
	State  string // the sign-in at an identity provider that it began, "" = none
	Device string // what it says it is

	NoCsrf  bool // it sent no X-Csrf header
	Foreign bool // a page of another origin sent it here
}

// Secure tells whether its cookies are sent over TLS only.
func (b Browser) Secure() bool { return b.Cookie == SecureCookie }

type browserKey struct{}

// WithBrowser puts the calling browser into the context; only the server does.
func WithBrowser(ctx context.Context, b Browser) context.Context {
	return context.WithValue(ctx, browserKey{}, b)
}

// BrowserOf is the browser that calls.
func BrowserOf(ctx context.Context) Browser {
	b, _ := ctx.Value(browserKey{}).(Browser)
	return b
}
