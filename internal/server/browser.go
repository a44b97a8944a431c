package server

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// errForeign: a page of another site sent it (threats.md C11).
var errForeign = fault.New(fault.Forbidden, fault.CodeForbidden, "不接受来自其他网站页面的请求", "requests from pages of other sites are not taken")

// browser is what a request tells of the browser that sent it.
func browser(r *http.Request, client, base string) wire.Browser {
	b := wire.Browser{Device: r.UserAgent(), NoCsrf: len(r.Header.Values("X-Csrf")) == 0}
	state := wire.LoopbackStateCookie
	switch {
	case strings.HasPrefix(base, "https://"):
		b.Cookie, state = wire.SecureCookie, wire.SecureStateCookie
	case loopback(client) && localHost(base):
		b.Cookie = wire.LoopbackCookie
	default:
		return b
	}
	// Two of one name: somebody else set one of them, and it is not told which.
	b.Foreign = foreign(r, base)
	b.Secret, b.State = oneCookie(r, b.Cookie), oneCookie(r, state)
	return b
}

func oneCookie(r *http.Request, name string) string {
	all := r.CookiesNamed(name)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// localHost tells whether an address of this server names this machine. A proxy
// on it that nobody listed would else make everybody local.
func localHost(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || loopback(host)
}

// foreign tells whether a page of another origin sent the request. Browsers say
// so in Sec-Fetch-Site, older ones in Origin; what is no browser says nothing,
// and has no cookie either.
func foreign(r *http.Request, base string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	o, err := url.Parse(origin)
	if err != nil || o.Host == "" {
		return true
	}
	b, err := url.Parse(base)
	return err != nil || !sameHost(o, b)
}

// sameHost compares without the scheme, which a proxy nobody listed may hide.
func sameHost(a, b *url.URL) bool {
	host := func(u *url.URL) string {
		if port := u.Port(); port != "" && port != "80" && port != "443" {
			return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
		}
		return strings.ToLower(u.Hostname())
	}
	return host(a) == host(b)
}

// sessionDoor tells where a session's cookie opens anything at all.
func sessionDoor(r *http.Request) bool {
	switch surfaceOf(r.URL.Path) {
	case "v2":
		return true
	case "desk":
		return strings.HasPrefix(r.URL.Path, "/desk/v1/")
	case "web":
		return strings.HasPrefix(r.URL.Path, "/web/v1/")
	}
	return false
}

// bare tells the reads that a cookie opens alone: the one that gives the header's
// value, and the stream, for which browsers send no headers of ours. Neither
// changes anything, and no page of another origin can read an answer.
func bare(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.URL.Path == "/web/v1/session" || r.URL.Path == "/web/v1/events")
}

// bySession is the caller a session's cookie stands for; who, when there is
// none or it does not count.
func (c *chain) bySession(ctx context.Context, r *http.Request, who principal.Principal) (principal.Principal, error) {
	b := wire.BrowserOf(ctx)
	if b.Secret == "" || !sessionDoor(r) {
		return who, nil
	}
	var csrf *string
	if values := r.Header.Values("X-Csrf"); len(values) > 0 {
		csrf = &values[0]
	}
	if csrf == nil && !bare(r) {
		return who, nil // as if there was no cookie
	}
	if r.Method == http.MethodPost && signingIn(r.URL.Path) {
		return who, nil // with whatever old session there is
	}
	if foreign(r, wire.Base(ctx)) {
		return who, errForeign
	}
	got, err := c.ident.BySession(ctx, b.Secret, csrf)
	if err != nil {
		return who, err
	}
	// The contracts of tokens and signatures let the routers ask for one of their
	// headers; what they admit is the caller verified here.
	r.Header.Set("X-Auth-Token", "browser session")
	got.RequestID, got.Address = who.RequestID, who.Address
	return got, nil
}

// signingIn names the requests that begin a session.
func signingIn(path string) bool {
	return path == "/web/v1/session" || path == "/web/v1/session/second-factor"
}
