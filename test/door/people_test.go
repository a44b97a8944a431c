package door

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

// vouch is an OpenID Connect provider made of the standard library.
type vouch struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newVouch(t *testing.T) *vouch {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	l := &vouch{key: key}
	b64 := base64.RawURLEncoding.EncodeToString
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var out any = map[string]any{"keys": []any{map[string]any{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}}}
		if r.URL.Path == "/.well-known/openid-configuration" {
			out = map[string]any{"issuer": l.URL, "jwks_uri": l.URL + "/keys", "authorization_endpoint": l.URL + "/a", "token_endpoint": l.URL + "/t", "id_token_signing_alg_values_supported": []string{"RS256"}}
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *vouch) token(t *testing.T, user, audience string) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	body, _ := json.Marshal(map[string]any{"iss": l.URL, "aud": audience, "sub": user, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	text := b64([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, l.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + b64(sig)
}

// send is a plain call; header values may be empty.
func send(t *testing.T, method, url string, body any, headers ...string) (int, http.Header, map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatalf("%s %s: %s", method, url, raw)
		}
	}
	return res.StatusCode, res.Header, out
}

func sdk(t *testing.T, w *world.World, b *global.CredentialsBuilder) *osm.OsmClient {
	t.Helper()
	c, err := b.SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(c).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

// TestSDKFederation: the unmodified SDK logs in with the id token of a provider
// that the operator has configured, gets its temporary key and lists tickets;
// and it works with a temporary key that was made before.
func TestSDKFederation(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			idp := newVouch(t)
			settings := filepath.Join(t.TempDir(), "casemate.yaml")
			write := func(path, text string) {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(settings, "drain: 50ms\n")
			o := world.Options{Args: []string{"--config", settings}}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			d := w.Domains[0]
			write(settings, fmt.Sprintf("drain: 50ms\nidentity:\n  providers:\n  - id: corp\n    domain: %s\n    issuer: %s\n    client_id: casemate\n    allow: [127.0.0.1/32]\n", d.ID, idp.URL))
			w.Stop()
			w.Run()

			file := filepath.Join(t.TempDir(), "token")
			write(file, idp.token(t, d.Users[0].Name, "casemate"))
			client := sdk(t, w, global.NewCredentialsBuilder().WithIdpId("corp").WithIdTokenFile(file).WithIamEndpointOverride(w.URL))
			list, err := client.ListCases(&model.ListCasesRequest{})
			if err != nil || list.TotalCount == nil || *list.TotalCount == 0 {
				t.Fatalf("%+v, %v", list, err)
			}
			for name, c := range map[string][2]string{"another audience": {"corp", idp.token(t, d.Users[0].Name, "other")}, "a user who is not there": {"corp", idp.token(t, w.Domains[1].Users[0].Name, "casemate")}, "another provider": {"nobody", idp.token(t, d.Users[0].Name, "casemate")}} {
				bad := filepath.Join(t.TempDir(), "token")
				write(bad, c[1])
				_, err := sdk(t, w, global.NewCredentialsBuilder().WithIdpId(c[0]).WithIdTokenFile(bad).WithIamEndpointOverride(w.URL)).ListCases(&model.ListCasesRequest{})
				if code, status := code(err); code != "APIGW.0301" || status != http.StatusUnauthorized {
					t.Errorf("%s: %v", name, err)
				}
			}

			// By hand: the id token's answer, a temporary key, and its end.
			status, h, body := send(t, "POST", w.URL+"/v3.0/OS-AUTH/id-token/tokens", map[string]any{"auth": map[string]any{"id_token": map[string]any{"id": idp.token(t, d.Users[1].Name, "casemate")},
				"scope": map[string]any{"domain": map[string]any{"id": d.ID}}}}, "X-Idp-Id", "corp")
			token := h.Get("X-Subject-Token")
			got, _ := body["token"].(map[string]any)
			if status != http.StatusCreated || token == "" || h.Get("X-Request-Id") == "" || got["expires_at"] == "" || got["user"].(map[string]any)["id"] != d.Users[1].ID {
				t.Fatalf("%d %v", status, body)
			}
			if status, _, body := send(t, "POST", w.URL+"/v3.0/OS-AUTH/id-token/tokens", map[string]any{"auth": map[string]any{"id_token": map[string]any{"id": "x"}}}); status != 400 || body["error_code"] != "OSM.01010001" || !strings.Contains(fmt.Sprint(body["error_msg"]), "X-Idp-Id") {
				t.Errorf("without X-Idp-Id: %d %v", status, body)
			}
			ask := func(seconds any, headers ...string) (int, map[string]any) {
				inner := map[string]any{}
				if seconds != nil {
					inner["duration_seconds"] = seconds
				}
				if len(headers) == 0 {
					inner["id"] = token
				}
				status, _, body := send(t, "POST", w.URL+"/v3.0/OS-CREDENTIAL/securitytokens", map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"token"}, "token": inner}}}, headers...)
				return status, body
			}
			for seconds, want := range map[int]int{0: 400, 899: 400, 900: 201, 86400: 201, 86401: 400} {
				if status, body := ask(seconds); status != want || want == 400 && !strings.Contains(fmt.Sprint(body["error_msg"]), "duration_seconds") {
					t.Errorf("%d seconds: %d %v", seconds, status, body)
				}
			}
			if status, body := ask(900, "X-Auth-Token", token); status != http.StatusCreated {
				t.Errorf("the token in its header: %d %v", status, body)
			}
			if status, body := ask(900, "X-Auth-Token", "cmt_made-up"); status != http.StatusUnauthorized || body["error_code"] != "APIGW.0301" {
				t.Errorf("a made-up token: %d %v", status, body)
			}
			if status, body := ask(900, "X-Language", "en-us"); status != http.StatusUnauthorized {
				t.Errorf("nobody: %d %v", status, body)
			}
			_, body = ask(nil)
			k, _ := body["credential"].(map[string]any)
			text := func(name string) string { s, _ := k[name].(string); return s }
			ends, err := time.Parse("2006-01-02T15:04:05Z", text("expires_at"))
			if left := time.Until(ends); err != nil || left < 14*time.Minute || left > 15*time.Minute {
				t.Fatalf("%v, %v", body, err)
			}
			temporary := func(sk, security string) error {
				_, err := sdk(t, w, global.NewCredentialsBuilder().WithAk(text("access")).WithSk(sk).WithSecurityToken(security).WithDomainId(d.ID)).ListCases(&model.ListCasesRequest{})
				return err
			}
			if err := temporary(text("secret"), text("securitytoken")); err != nil {
				t.Errorf("a temporary key: %v", err)
			}
			for name, err := range map[string]error{"no security token": temporary(text("secret"), ""), "another security token": temporary(text("secret"), "cms_x"), "another secret": temporary("x"+text("secret")[1:], text("securitytoken"))} {
				if code, status := code(err); code != "APIGW.0301" || status != http.StatusUnauthorized {
					t.Errorf("%s: %v", name, err)
				}
			}
			if status, _, _ := send(t, "DELETE", w.URL+"/v3/auth/tokens", nil, "X-Auth-Token", token, "X-Subject-Token", token); status != http.StatusNoContent {
				t.Errorf("revoking: %d", status)
			}
			if code, _ := code(temporary(text("secret"), text("securitytoken"))); code != "APIGW.0301" {
				t.Error("the temporary key outlives its token")
			}
			for _, secret := range []string{text("secret"), text("securitytoken"), token} {
				if strings.Contains(w.LogText(), secret) {
					t.Error("a secret stands in the log")
				}
			}
		})
	}
}

// TestPartnerStory: an administrator adds a partner and his engineer from the
// shell; a customer's ticket is transferred to him, answered and closed; the
// partner sees nothing else and reaches nothing else of the desk.
func TestPartnerStory(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		run := func(args ...string) string {
			t.Helper()
			out, err := w.Local(args...)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		secret := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(secret, []byte("a long password\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run("user", "create", "--domain", "Client", "--new-domain", "cboss", "--password-file", secret)
		run("partner", "add", "Blue", "--zone", "GMT+08:00", "--days", "6", "--hours", "12", "--account", w.Domains[1].Name)
		run("partner", "engineer", "Blue", "nora", "--alias", "Nora of Blue", "--password-file", secret)
		if out := run("partner", "list"); !strings.Contains(out, "Blue") || !strings.Contains(out, "GMT+08:00 6x12") {
			t.Errorf("partners: %s", out)
		}
		run("partner", "serve", "Client", "Blue")
		_, h, _ := send(t, "POST", w.URL+"/v3/auth/tokens", map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"password"},
			"password": map[string]any{"user": map[string]any{"name": "cboss", "password": "a long password", "domain": map[string]any{"name": "Client"}}}}}})
		customer := h.Get("X-Subject-Token")
		number := story(t, w, customer)
		run("partner", "change", "Blue", "--listed", "no")
		if out, err := w.Local("desk", "transfer", number, "partner"); err == nil || !strings.Contains(err.Error(), "whitelist") && !strings.Contains(err.Error(), "白名单") {
			t.Errorf("not whitelisted: %q, %v", out, err)
		}
		run("partner", "change", "Blue", "--listed", "yes", "--hours", "8")
		run("desk", "transfer", number, "partner", "nora", "--text", "please take this one")
		_, _, session := send(t, "POST", w.URL+"/desk/v1/sessions", map[string]string{"name": "nora", "password": "a long password"})
		nora, _ := session["token"].(string)
		status, _, page := send(t, "GET", w.URL+"/desk/v1/tickets", nil, "X-Auth-Token", nora)
		if items, _ := page["items"].([]any); status != 200 || len(items) != 1 || page["total_count"] != 1.0 || items[0].(map[string]any)["owner"] != "partner" {
			t.Fatalf("the partner lists %v", page)
		}
		for _, path := range []string{"domains", "partners", "system", "deliveries", "catalog", "events", "outbox", "domains/house/users"} {
			if status, _, body := send(t, "GET", w.URL+"/desk/v1/"+path, nil, "X-Auth-Token", nora); status != http.StatusForbidden {
				t.Errorf("the partner reaches %s: %d %v", path, status, body)
			}
		}
		step := func(body map[string]any) (int, map[string]any) {
			status, _, out := send(t, "POST", w.URL+"/desk/v1/tickets/"+number+"/steps", body, "X-Auth-Token", nora)
			return status, out
		}
		if status, out := step(map[string]any{"action": "reply", "text": "hello from the partner"}); status != 200 {
			t.Errorf("reply: %v", out)
		}
		_, _, said := send(t, "GET", w.URL+"/v2/servicerequest/cases/"+number+"/messages", nil, "X-Auth-Token", customer)
		if text := fmt.Sprint(said); !strings.Contains(text, "replier_name:Nora of Blue") || !strings.Contains(text, "replier_type:2") || strings.Contains(text, "please take") {
			t.Errorf("the customer reads %s", text)
		}
		if status, out := step(map[string]any{"action": "transfer"}); status != 400 || !strings.Contains(fmt.Sprint(out["error_msg"]), "to") {
			t.Errorf("transfer to nowhere: %d %v", status, out)
		}
		if status, out := step(map[string]any{"action": "transfer", "to": "house"}); status != 200 || out["owner"] != "house" {
			t.Errorf("given back: %d %v", status, out)
		}
		if status, out := step(map[string]any{"action": "reply", "text": "x"}); status != 404 {
			t.Errorf("a ticket that was given back: %d %v", status, out)
		}
		_, _, session = send(t, "POST", w.URL+"/desk/v1/sessions", map[string]string{"name": w.Engineers[0].Name, "password": w.Engineers[0].Password})
		house, _ := session["token"].(string)
		_, _, out := send(t, "POST", w.URL+"/desk/v1/tickets/transfer", map[string]any{"numbers": []string{number, "TS0000000000000000000"}, "to": "partner"}, "X-Auth-Token", house, "X-Language", "en-us")
		if text := fmt.Sprint(out["items"]); !strings.Contains(text, "transferred:true") || !strings.Contains(text, "OSM.01010015") || !strings.Contains(text, "This case does not exist.") {
			t.Errorf("batch: %v", out)
		}
		run("partner", "remove", "Blue")
		if status, _, _ := send(t, "GET", w.URL+"/desk/v1/tickets", nil, "X-Auth-Token", nora); status != http.StatusUnauthorized {
			t.Errorf("a removed partner's engineer: %d", status)
		}
	})
}

// story is a ticket of the customer's.
func story(t *testing.T, w *world.World, token string) string {
	t.Helper()
	_, _, types := send(t, "GET", w.URL+"/v2/servicerequest/config/problems", nil, "X-Auth-Token", token)
	for _, p := range types["incident_business_type_list"].([]any) {
		if p := p.(map[string]any); p["case_type"] == "0" {
			_, _, made := send(t, "POST", w.URL+"/v2/servicerequest/cases", map[string]any{"business_type_id": p["business_type_id"], "simple_description": "a question", "source_id": "83aeb0f2834c4df49826c781d32a963e"}, "X-Auth-Token", token)
			if n, ok := made["incident_id"].(string); ok {
				return n
			}
			t.Fatalf("create: %v", made)
		}
	}
	t.Fatal("no consultation")
	return ""
}
