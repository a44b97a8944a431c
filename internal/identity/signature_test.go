package identity_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// signing is a customer with a key, on SQLite: verification touches the
// database once.
func signing(t *testing.T, demo bool) (*identity.Service, *dbtest.Clock, identity.AccessKey) {
	t.Helper()
	clock := dbtest.NewClock(time.Now())
	d := dbtest.Open(t, db.Options{URL: dbtest.SQLiteURL(t), Now: clock.Now})
	s := identity.New(d, sealtest.Keyring(t), identity.Options{DemoLocks: demo})
	who := principal.AsSystem(principal.House)
	dom, err := s.CreateDomain(t.Context(), who, identity.NewDomain{Name: "d"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.CreateUser(t.Context(), who, identity.NewUser{Domain: dom.ID, Name: "u", Password: password, Main: true})
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.CreateAccessKey(t.Context(), who, dom.ID, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s, clock, k
}

// official makes a request signed by the vendor's own signer.
func official(t *testing.T, k identity.AccessKey, method, path string, query url.Values, body []byte, headers map[string]string) *http.Request {
	t.Helper()
	b := request.NewHttpRequestBuilder().WithEndpoint("http://casemate.test").WithPath(path).WithMethod(method)
	for name, v := range headers {
		b = b.AddHeaderParam(name, v)
	}
	for key, vs := range query {
		b = b.AddQueryParam(key, reflect.ValueOf(vs)) // the form in which the SDK's services hand values over
	}
	if body != nil {
		b = b.WithBody("", rawBody(body))
	}
	r := b.Build()
	signed, err := signer.Sign(r, k.ID, k.Secret)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.ConvertRequest()
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range signed {
		out.Header.Set(name, v)
	}
	out.Host = "casemate.test"
	return out
}

type rawBody []byte

func (b rawBody) MarshalJSON() ([]byte, error) { return b, nil }

func read(t *testing.T, r *http.Request) []byte {
	t.Helper()
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

var letters = []rune("abzAZ09-_.~ +&=/%*,;:@!?'()云器é😀")

func text(n int) string {
	var b strings.Builder
	for range n {
		b.WriteRune(letters[rand.IntN(len(letters))])
	}
	return b.String()
}

// TestSignDifferential: what the official Go signer signs is accepted; with one
// bit flipped it is refused for the signature (threats C3).
func TestSignDifferential(t *testing.T) {
	t.Parallel()
	s, _, k := signing(t, true)
	const requests = 5000
	accepted, refused := 0, 0
	for i := range requests {
		if i%800 == 799 { // a thousand bad ones an hour would lock the key
			s, _, k = signing(t, true)
		}
		method := []string{"GET", "POST", "PUT", "DELETE"}[rand.IntN(4)]
		path := "/v2/servicerequest/cases/" + url.PathEscape(strings.ReplaceAll(text(1+rand.IntN(6)), "/", "")) + "x"
		query := url.Values{}
		for range rand.IntN(3) {
			query.Add("k"+text(2), text(rand.IntN(5)))
		}
		var body []byte
		if method != "GET" {
			body = []byte(fmt.Sprintf(`{"n":%d,"text":%q}`, i, "云服务器 "+fmt.Sprint(rand.Int())))
		}
		r := official(t, k, method, path, query, body, map[string]string{"Content-Type": "application/json"})
		raw := read(t, r)
		who, err := s.BySignature(t.Context(), r, raw)
		if err != nil || who.AccessKey != k.ID || who.Kind != principal.Customer {
			t.Fatalf("%s %s: %v", method, r.URL, err)
		}
		accepted++
		flip := r.Clone(t.Context())
		bad := bytes.Clone(raw)
		switch {
		case len(bad) > 0 && i%2 == 0:
			bad[rand.IntN(len(bad))] ^= 1
		default:
			a := []byte(flip.Header.Get("Authorization"))
			at := len(a) - 1 - rand.IntN(64)
			a[at] = "0123456789abcdef"[(strings.IndexByte("0123456789abcdef", a[at])+1)%16]
			flip.Header.Set("Authorization", string(a))
		}
		_, err = s.BySignature(t.Context(), flip, bad)
		if err == nil || !strings.Contains(err.Error(), "verify aksk signature fail") {
			t.Fatalf("a changed request: %v", err)
		}
		refused++
		if i%500 == 0 { // a good one clears the row of bad ones
			if _, err := s.BySignature(t.Context(), r, raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("REPORT signatures of the official Go SDK: %d accepted, %d changed ones refused\n", accepted, refused)
}

// TestSignatureTable: the rules of threats C2, each broken alone.
func TestSignatureTable(t *testing.T) {
	t.Parallel()
	s, clock, k := signing(t, true)
	type change func(r *http.Request, body *[]byte)
	header := func(name, v string) change { return func(r *http.Request, _ *[]byte) { r.Header.Set(name, v) } }
	auth := func(f func(string) string) change {
		return func(r *http.Request, _ *[]byte) { r.Header.Set("Authorization", f(r.Header.Get("Authorization"))) }
	}
	for name, tt := range map[string]struct {
		do   change
		want fault.Kind
	}{
		"as signed":                {func(*http.Request, *[]byte) {}, fault.None},
		"trailing slash added":     {func(r *http.Request, _ *[]byte) { r.URL.Path += "/" }, fault.None},
		"unsigned header added":    {header("X-Language", "en-us"), fault.None},
		"no Authorization":         {func(r *http.Request, _ *[]byte) { r.Header.Del("Authorization") }, fault.Unauthenticated},
		"two Authorizations":       {func(r *http.Request, _ *[]byte) { r.Header.Add("Authorization", "Bearer x") }, fault.Unauthenticated},
		"no date":                  {func(r *http.Request, _ *[]byte) { r.Header.Del("X-Sdk-Date") }, fault.Unauthenticated},
		"two dates":                {func(r *http.Request, _ *[]byte) { r.Header.Add("X-Sdk-Date", "20260115T080000Z") }, fault.Unauthenticated},
		"another date":             {header("X-Sdk-Date", clock.Now().Add(100*time.Second).UTC().Format("20060102T150405Z")), fault.Unauthenticated},
		"malformed date":           {header("X-Sdk-Date", "2026-01-15T08:00:00Z"), fault.Unauthenticated},
		"date not signed":          {auth(func(a string) string { return strings.Replace(a, "x-sdk-date", "x-other", 1) }), fault.Unauthenticated},
		"another algorithm":        {auth(func(a string) string { return strings.Replace(a, "SHA256", "SM3", 1) }), fault.Unauthenticated},
		"upper-case signature":     {auth(func(a string) string { i := strings.LastIndex(a, "="); return a[:i] + strings.ToUpper(a[i:]) }), fault.Unauthenticated},
		"short signature":          {auth(func(a string) string { return a[:len(a)-1] }), fault.Unauthenticated},
		"unknown key":              {auth(func(a string) string { return strings.Replace(a, k.ID, "NOSUCHKEY", 1) }), fault.Unauthenticated},
		"method":                   {func(r *http.Request, _ *[]byte) { r.Method = "PUT" }, fault.Unauthenticated},
		"path":                     {func(r *http.Request, _ *[]byte) { r.URL.Path += "x" }, fault.Unauthenticated},
		"query":                    {func(r *http.Request, _ *[]byte) { r.URL.RawQuery += "&x=1" }, fault.Unauthenticated},
		"query value":              {func(r *http.Request, _ *[]byte) { r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "a=1", "a=2", 1) }, fault.Unauthenticated},
		"query in another order":   {func(r *http.Request, _ *[]byte) { r.URL.RawQuery = "b=&a=1" }, fault.None},
		"body":                     {func(_ *http.Request, b *[]byte) { *b = append(*b, ' ') }, fault.Unauthenticated},
		"no body":                  {func(_ *http.Request, b *[]byte) { *b = nil }, fault.Unauthenticated},
		"stated hash not signed":   {header("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), fault.Unauthenticated},
		"domain header not signed": {header("X-Domain-Id", k.Domain), fault.Unauthenticated},
		"security token":           {header("X-Security-Token", "x"), fault.Unauthenticated},
	} {
		r := official(t, k, "POST", "/v2/servicerequest/cases", url.Values{"a": {"1"}, "b": {""}}, []byte(`{"x":1}`), map[string]string{"Content-Type": "application/json"})
		body := read(t, r)
		tt.do(r, &body)
		_, err := s.BySignature(t.Context(), r, body)
		if got := fault.KindOf(err); got != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	for _, off := range []time.Duration{14*time.Minute + 50*time.Second, -14*time.Minute - 50*time.Second, 15*time.Minute + 10*time.Second, -15*time.Minute - 10*time.Second} {
		r := official(t, k, "GET", "/v2/servicerequest/cases", nil, nil, nil)
		clock.Add(off)
		_, err := s.BySignature(t.Context(), r, nil)
		clock.Add(-off)
		if want := off.Abs() < 15*time.Minute; (err == nil) != want {
			t.Errorf("clock %v off: %v", off, err)
		}
	}
}

// TestAkLock: six bad signatures stop the key for that address only; the
// masked canonical request shows no secret (threats C6, C9).
func TestAkLock(t *testing.T) {
	t.Parallel()
	s, clock, k := signing(t, false)
	ask := func(address string, good bool) error {
		r := official(t, k, "POST", "/v2/servicerequest/cases", url.Values{"password": {"hunter22"}}, []byte(`{}`), map[string]string{"X-Auth-Token": "tokenvalue"})
		body := read(t, r)
		if !good {
			body = []byte(`{"x":1}`)
		}
		_, err := s.BySignature(principal.With(t.Context(), principal.Principal{Address: address}), r, body)
		return err
	}
	for i := range 6 {
		err := ask("192.0.2.1", false)
		if err == nil {
			t.Fatal("a bad signature is accepted")
		}
		if s := err.Error(); strings.Contains(s, "hunter22") || strings.Contains(s, "tokenvalue") || i == 0 && !strings.Contains(s, "POST|/v2/servicerequest/cases/|") {
			t.Errorf("the echo: %s", s)
		}
	}
	if err := ask("192.0.2.1", true); err == nil || !strings.Contains(err.Error(), "failed to reach the limit") {
		t.Errorf("after six bad ones: %v", err)
	}
	if err := ask("192.0.2.2", true); err != nil {
		t.Errorf("from another address: %v", err)
	}
	clock.Add(5*time.Minute + time.Second)
	if err := ask("192.0.2.1", true); err != nil {
		t.Errorf("after five minutes: %v", err)
	}
}
