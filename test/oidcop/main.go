// Command oidcop is the OpenID Connect provider that the sign-in tests log in
// at: zitadel's library (certified) with its example's storage, groups added and
// a door to change its people. It is a module of its own so that what it needs
// is no dependency of Casemate.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// person is a user with groups.
type person struct {
	storage.User
	Groups []string
}

// people is the user store; who is not in it is disabled.
type people struct {
	mu sync.Mutex
	m  map[string]person // by id
}

func (p *people) get(match func(person) bool) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.m {
		if match(one) {
			return &one.User
		}
	}
	return nil
}

// GetUserByID implements storage.UserStore.
func (p *people) GetUserByID(id string) *storage.User {
	return p.get(func(o person) bool { return o.ID == id })
}

// GetUserByUsername implements storage.UserStore.
func (p *people) GetUserByUsername(name string) *storage.User {
	return p.get(func(o person) bool { return o.Username == name })
}

// ExampleClientID implements storage.UserStore.
func (p *people) ExampleClientID() string { return storage.ServiceUserID }

func (p *people) groups(id string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.m[id].Groups
}

// store adds groups to what the provider says of its people, and gives nobody
// new tokens who is disabled.
type store struct {
	*storage.Storage
	people *people
}

// SetUserinfoFromToken implements op.Storage.
func (s *store) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	if s.people.GetUserByID(info.Subject) == nil {
		return oidc.ErrAccessDenied()
	}
	info.AppendClaims("groups", s.people.groups(info.Subject))
	return nil
}

// TokenRequestByRefreshToken implements op.Storage.
func (s *store) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	r, err := s.Storage.TokenRequestByRefreshToken(ctx, token)
	if err != nil || s.people.GetUserByID(r.GetSubject()) == nil {
		return nil, op.ErrInvalidRefreshToken
	}
	return r, nil
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		slog.Error("listening", "error", err)
		os.Exit(1)
	}
	issuer := "http://" + l.Addr().String() + "/"
	who := &people{m: map[string]person{}}
	provider := exampleop.SetupServer(issuer, &store{storage.NewStorage(who), who}, nil, false)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /control/people", func(w http.ResponseWriter, r *http.Request) {
		var all []struct {
			ID, Name, Password string
			Groups             []string
		}
		if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		m := map[string]person{}
		for _, a := range all {
			m[a.ID] = person{storage.User{ID: a.ID, Username: a.Name, Password: a.Password, Email: a.Name + "@example.com", EmailVerified: true}, a.Groups}
		}
		who.mu.Lock()
		who.m = m
		who.mu.Unlock()
	})
	mux.HandleFunc("PUT /control/client", func(w http.ResponseWriter, r *http.Request) {
		var c struct {
			ID, Secret string
			Redirects  []string
		}
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		storage.RegisterClients(storage.WebClient(c.ID, c.Secret, c.Redirects...))
	})
	mux.Handle("/", provider)
	fmt.Println(issuer)
	if err := http.Serve(l, mux); err != nil {
		slog.Error("serving", "error", err)
		os.Exit(1)
	}
}
