package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/seal/sealtest"
)

// idp is an OpenID Connect provider: discovery, a key set, tokens. It is made of
// the standard library alone and shares no code with the verifier.
type idp struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]crypto.Signer // by key id
	fetches atomic.Int64
	away    atomic.Bool
	// token answers the token endpoint; nil = there is none.
	token func(form url.Values) (status int, answer map[string]any)
	// userinfo answers to the Authorization header; nil = there is none.
	userinfo func(authorization string) (status int, answer map[string]any)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newIDP(t *testing.T) *idp {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{keys: map[string]crypto.Signer{"r1": rsaKey, "e1": ecKey}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		doc := map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token",
			"id_token_signing_alg_values_supported": []string{"RS256", "ES256"}}
		if p.userinfo != nil {
			doc["userinfo_endpoint"] = p.URL + "/userinfo"
		}
		_ = json.NewEncoder(w).Encode(doc)
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		status, answer := p.userinfo(r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.ParseForm() != nil || p.token == nil {
			http.NotFound(w, r)
			return
		}
		status, answer := p.token(r.PostForm)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		set := []map[string]string{}
		for id, k := range p.keys {
			switch k := k.(type) {
			case *rsa.PrivateKey:
				set = append(set, map[string]string{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": id, "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())})
			case *ecdsa.PrivateKey:
				xy, err := k.PublicKey.Bytes()
				if err != nil {
					t.Error(err)
				}
				set = append(set, map[string]string{"kty": "EC", "alg": "ES256", "use": "sig", "kid": id, "crv": "P-256", "x": b64(xy[1:33]), "y": b64(xy[33:])})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": set})
	})
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.away.Load() {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// sign makes a token; alg and kid may lie.
func (p *idp) sign(t *testing.T, kid, alg string, key crypto.Signer, claims map[string]any) string {
	t.Helper()
	header, _ := json.Marshal(map[string]string{"alg": alg, "kid": kid, "typ": "JWT"})
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := b64(header) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	var sig []byte
	switch k := key.(type) {
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, k, sum[:])
		sig, err = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), e
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(sig)
}

func publicPEM(t *testing.T, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// federated is the world's service with a provider for its domain.
func (w *world) federated(t *testing.T, all ...config.OIDC) *identity.Service {
	t.Helper()
	if err := (config.Identity{Providers: all}).Check(); err != nil {
		t.Fatal(err)
	}
	s, err := identity.NewFederated(w.d, w.keys, identity.Options{Providers: all})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestIDToken: a provider's token opens what its user has, and nothing else
// does; every refusal is answered alike.
func TestIDToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := newIDP(t)
		s := w.federated(t, config.OIDC{ID: "corp", Domain: w.domain.ID, Issuer: p.URL, ClientID: "casemate", Claim: "preferred_username", Allow: []string{"127.0.0.1/32"}},
			config.OIDC{ID: "mail", Domain: w.domain.ID, Issuer: p.URL, ClientID: "casemate", Claim: "email", Match: "mail", Allow: []string{"127.0.0.1/32"}})
		claims := func(change map[string]any) map[string]any {
			now := w.clock.Now().Unix()
			c := map[string]any{"iss": p.URL, "aud": "casemate", "sub": "42", "preferred_username": "SUB", "iat": now, "exp": now + 300}
			for k, v := range change {
				if c[k] = v; v == nil {
					delete(c, k)
				}
			}
			return c
		}
		token := func(change map[string]any) string { return p.sign(t, "r1", "RS256", p.keys["r1"], claims(change)) }
		login := func(provider, raw string) (identity.Token, error) {
			return s.LoginByIDToken(t.Context(), "", provider, raw, nil)
		}
		for name, raw := range map[string]string{
			"RSA":          token(nil),
			"EC":           p.sign(t, "e1", "ES256", p.keys["e1"], claims(nil)),
			"two audience": token(map[string]any{"aud": []string{"x", "casemate"}}),
			"at its end":   token(map[string]any{"exp": w.clock.Now().Unix()}),
		} {
			tok, err := login("corp", raw)
			if err != nil || tok.User.ID != w.sub.ID || tok.Domain.ID != w.domain.ID || tok.ExpiresAt != w.clock.Now().Add(24*time.Hour).UnixMilli() {
				t.Errorf("%s: %+v, %v", name, tok, err)
				continue
			}
			if who, err := s.ByToken(t.Context(), tok.Secret); err != nil || who.User != w.sub.ID {
				t.Errorf("%s: the token opens %+v, %v", name, who, err)
			}
		}
		if tok, err := login("mail", token(map[string]any{"email": "MAIN@example.com", "email_verified": true})); err != nil || tok.User.ID != w.main.ID {
			t.Errorf("by mail: %+v, %v", tok, err)
		}
		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		good := token(nil)
		parts := strings.Split(good, ".")
		none := b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
		mac := hmac.New(sha256.New, publicPEM(t, p.keys["r1"]))
		hs := b64([]byte(`{"alg":"HS256","kid":"r1"}`)) + "." + parts[1]
		mac.Write([]byte(hs))
		other, _ := json.Marshal(claims(map[string]any{"preferred_username": "main"}))
		answers := map[string]bool{}
		for name, c := range map[string][2]string{
			"unknown provider":         {"nobody", good},
			"no provider":              {"", good},
			"over":                     {"corp", token(map[string]any{"exp": w.clock.Now().Unix() - 1})},
			"not yet":                  {"corp", token(map[string]any{"nbf": w.clock.Now().Unix() + 600})},
			"no end":                   {"corp", token(map[string]any{"exp": nil})},
			"another audience":         {"corp", token(map[string]any{"aud": "other"})},
			"another issuer":           {"corp", token(map[string]any{"iss": "https://evil.example"})},
			"another's key":            {"corp", p.sign(t, "r1", "RS256", stranger, claims(nil))},
			"unknown key id":           {"corp", p.sign(t, "x9", "RS256", stranger, claims(nil))},
			"algorithm none":           {"corp", none},
			"HMAC with the public key": {"corp", hs + "." + b64(mac.Sum(nil))},
			"body changed":             {"corp", parts[0] + "." + b64(other) + "." + parts[2]},
			"unknown user":             {"corp", token(map[string]any{"preferred_username": "nobody"})},
			"no claim":                 {"corp", token(map[string]any{"preferred_username": nil})},
			"claim of another type":    {"corp", token(map[string]any{"preferred_username": 7})},
			"mail not verified":        {"mail", token(map[string]any{"email": "main@example.com", "email_verified": false})},
			"mail says nothing of it":  {"mail", token(map[string]any{"email": "main@example.com"})},
			"unknown mail":             {"mail", token(map[string]any{"email": "x@example.com", "email_verified": true})},
			"no mail":                  {"mail", token(map[string]any{"email": "nonsense", "email_verified": true})},
			"nonsense":                 {"corp", "nonsense"},
			"empty":                    {"corp", ""},
		} {
			_, err := login(c[0], c[1])
			f, ok := fault.As(err)
			if !ok || f.Kind != fault.Unauthenticated || f.Code != "APIGW.0301" {
				t.Errorf("%s: %v", name, err)
				continue
			}
			answers[f.ZH+f.EN] = true
		}
		if len(answers) != 1 {
			t.Errorf("the refusals differ: %v", answers)
		}
		if _, err := s.LoginByIDToken(t.Context(), "", "corp", good, func(identity.Domain) (string, bool) { return "", false }); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a scope that is not the user's: %v", err)
		}
		if err := s.Disable(t.Context(), w.system, w.domain.ID, w.sub.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := login("corp", good); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a disabled user: %v", err)
		}
	})
}

// TestIDTokenKeys: a new key of the provider is found; made-up key ids do not
// make us ask it without end; keys can come from a file; the guard holds.
func TestIDTokenKeys(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := newIDP(t)
		c := config.OIDC{ID: "corp", Domain: w.domain.ID, Issuer: p.URL, ClientID: "casemate", Claim: "preferred_username", Allow: []string{"127.0.0.1/32"}}
		s := w.federated(t, c)
		claims := map[string]any{"iss": p.URL, "aud": "casemate", "preferred_username": "sub", "exp": w.clock.Now().Unix() + 300}
		login := func(s *identity.Service, raw string) error {
			_, err := s.LoginByIDToken(t.Context(), "", "corp", raw, nil)
			return err
		}
		old := p.keys["r1"]
		if err := login(s, p.sign(t, "r1", "RS256", old, claims)); err != nil {
			t.Fatal(err)
		}
		fresh, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		p.keys = map[string]crypto.Signer{"r2": fresh}
		p.mu.Unlock()
		if err := login(s, p.sign(t, "r2", "RS256", fresh, claims)); err != nil {
			t.Errorf("a rotated key: %v", err)
		}
		if err := login(s, p.sign(t, "r1", "RS256", old, claims)); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("the key that was taken away: %v", err)
		}
		before := p.fetches.Load()
		for range 40 {
			if err := login(s, p.sign(t, "made-up", "RS256", old, claims)); fault.KindOf(err) != fault.Unauthenticated {
				t.Error(err)
			}
		}
		if n := p.fetches.Load() - before; n > 12 {
			t.Errorf("40 made-up tokens made %d requests at the provider", n)
		}
		if err := login(s, p.sign(t, "r2", "RS256", fresh, claims)); err != nil {
			t.Errorf("a known key after the flood: %v", err)
		}

		file := filepath.Join(t.TempDir(), "keys.pem")
		if err := os.WriteFile(file, append(publicPEM(t, fresh), publicPEM(t, old)...), 0o600); err != nil {
			t.Fatal(err)
		}
		fromFile := c
		fromFile.Issuer, fromFile.KeysFile, fromFile.Allow = "https://no.such.host.invalid", file, nil
		claims["iss"] = fromFile.Issuer
		if err := login(w.federated(t, fromFile), p.sign(t, "", "RS256", old, claims)); err != nil {
			t.Errorf("keys from a file: %v", err)
		}
		claims["iss"] = p.URL
		guarded := c
		guarded.Allow = []string{"203.0.113.9"} // http is allowed, this address is not
		if err := login(w.federated(t, guarded), p.sign(t, "r2", "RS256", fresh, claims)); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a provider at an address that may not be reached: %v", err)
		}
		// One that is away is asked again after a while, and then works.
		away := newIDP(t)
		late := c
		late.Issuer = away.URL
		claims["iss"] = away.URL
		raw := away.sign(t, "r1", "RS256", away.keys["r1"], claims)
		away.away.Store(true)
		s = w.federated(t, late)
		if err := login(s, raw); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a provider that is away: %v", err)
		}
		away.away.Store(false)
		if err := login(s, raw); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("at once: %v", err)
		}
		w.clock.Add(5 * time.Second)
		if err := login(s, raw); err != nil {
			t.Errorf("after a while: %v", err)
		}
		for name, text := range map[string]string{"missing": "", "empty": "nothing here"} {
			bad := fromFile
			bad.KeysFile = filepath.Join(t.TempDir(), "bad.pem")
			if text != "" {
				if err := os.WriteFile(bad.KeysFile, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := identity.NewFederated(w.d, sealtest.Keyring(t), identity.Options{Providers: []config.OIDC{bad}}); err == nil {
				t.Errorf("a %s key file is taken", name)
			}
		}
	})
}

// TestProviderSettings: what would be used wrongly is refused at the start.
func TestProviderSettings(t *testing.T) {
	good := config.OIDC{ID: "corp", Domain: "d", Issuer: "https://login.example", ClientID: "c"}
	if err := (config.Identity{Providers: []config.OIDC{good}}).Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*config.OIDC){
		"no id":            func(p *config.OIDC) { p.ID = "" },
		"long id":          func(p *config.OIDC) { p.ID = strings.Repeat("x", 129) },
		"no domain":        func(p *config.OIDC) { p.Domain = "" },
		"no issuer":        func(p *config.OIDC) { p.Issuer = "" },
		"clear text":       func(p *config.OIDC) { p.Issuer = "http://login.example" },
		"no audience":      func(p *config.OIDC) { p.ClientID = "" },
		"unknown match":    func(p *config.OIDC) { p.Match = "phone" },
		"algorithm none":   func(p *config.OIDC) { p.Algorithms = []string{"none"} },
		"shared algorithm": func(p *config.OIDC) { p.Algorithms = []string{"HS256"} },
	} {
		p := good
		change(&p)
		if err := (config.Identity{Providers: []config.OIDC{p}}).Check(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := (config.Identity{Providers: []config.OIDC{good, good}}).Check(); err == nil {
		t.Error("the same id twice is taken")
	}
}
