package server

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// Idempotency of writes (threats.md E2). A signed request has no nonce, so a
// request repeated by the client's HTTP layer is told from a wanted twin by its
// connection: clients repeat on a new connection when the old one died; a
// second equal request on the same keep-alive connection, after the first
// answer was written completely, is wanted.

// conn is what the server remembers of one connection: how often each derived
// key was answered on it.
type conn struct {
	mu       sync.Mutex
	answered map[string]int
}

type connKey struct{}

// withConn is the http.Server's ConnContext.
func withConn(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, &conn{answered: map[string]int{}})
}

const (
	keptSigned   = 16 * time.Minute // after X-Sdk-Date
	keptAtLeast  = 15 * time.Minute
	keptExplicit = 24 * time.Hour
	maxAnswered  = 4096 // keys remembered per connection; older ones count as never seen
)

// requestKey puts the idempotency key of a write into the context. The
// returned function must be called when the answer was written completely.
func (c *chain) requestKey(ctx context.Context, r *http.Request, who principal.Principal, body []byte) (context.Context, func()) {
	nothing := func() {}
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions || who.Kind == principal.Anonymous {
		return ctx, nothing
	}
	explicit := r.Header.Get("Idempotency-Key")
	if explicit == "" {
		explicit = r.Header.Get("X-Client-Token")
	}
	now := c.now()
	if explicit != "" {
		id := digest("explicit", who.Domain, who.User, r.Method, r.URL.Path, explicit, string(body))
		return db.WithRequestKey(ctx, db.RequestKey{ID: id, Domain: who.Domain, Until: now.Add(keptExplicit).UnixMilli()}), nothing
	}
	if who.AccessKey == "" {
		return ctx, nothing // a token's request carries nothing that tells a repeat from a twin
	}
	until := now.Add(keptAtLeast)
	if t, err := time.Parse("20060102T150405Z", r.Header.Get("X-Sdk-Date")); err == nil && t.Add(keptSigned).After(until) {
		until = t.Add(keptSigned)
	}
	auth := r.Header.Get("Authorization")
	id := digest("signed", who.AccessKey, auth[strings.LastIndex(auth, "Signature=")+1:], string(body))
	cn, ok := ctx.Value(connKey{}).(*conn)
	if !ok {
		return db.WithRequestKey(ctx, db.RequestKey{ID: id, Domain: who.Domain, Until: until.UnixMilli()}), nothing
	}
	cn.mu.Lock()
	twin := cn.answered[id]
	cn.mu.Unlock()
	key := id
	if twin > 0 {
		key = digest(id, strconv.Itoa(twin), r.RemoteAddr)
	}
	ctx = db.WithRequestKey(ctx, db.RequestKey{ID: key, Domain: who.Domain, Until: until.UnixMilli()})
	return ctx, func() {
		cn.mu.Lock()
		defer cn.mu.Unlock()
		if len(cn.answered) >= maxAnswered {
			clear(cn.answered)
		}
		cn.answered[id]++
	}
}
