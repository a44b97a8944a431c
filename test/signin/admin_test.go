package signin

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// codeAt is RFC 6238 by the standard library alone.
func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	m := hmac.New(sha1.New, key)
	_ = binary.Write(m, binary.BigEndian, uint64(at.Unix()/30))
	sum := m.Sum(nil)
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff)%1000000)
}

// TestSecondFactorStory: an administrator must have a second factor and sets it
// up at the log-in; a customer may; the password alone opens no API of theirs;
// who lost the device is helped by the operator, who sees and ends sessions.
func TestSecondFactorStory(t *testing.T) {
	each(t, world.Options{Config: "identity: {second_factor: {required: [administrator], issuer: Example}}\n"}, func(t *testing.T, w *world.World) {
		status, _, out := try(t, w, "", w.Admin.Name, w.Admin.Password)
		enrolment, _ := out["enrolment"].(obj)
		if status != 202 || enrolment == nil || !strings.HasPrefix(enrolment["uri"].(string), "otpauth://totp/Example:") || !strings.HasPrefix(enrolment["qr"].(string), "data:image/svg+xml;base64,") {
			t.Fatalf("an administrator without a second factor: %d %v", status, out)
		}
		b := &browser{t: t, url: w.URL, agent: "Firefox"}
		answer := func(b *browser, challenge any, code string) (int, obj) {
			res, out := b.send("POST", "/web/v1/session/second-factor", obj{"challenge": challenge, "code": code})
			if res.StatusCode == http.StatusCreated {
				b.took(res, out)
			}
			return res.StatusCode, out
		}
		if status, _ := answer(b, "cmc_"+strings.Repeat("a", 43), "123456"); status != 401 {
			t.Errorf("a made-up challenge: %d", status)
		}
		status, in := answer(b, out["challenge"], codeAt(t, enrolment["secret"].(string), time.Now()))
		if status != 201 || len(in["recovery_codes"].([]any)) != 10 || !b.house() {
			t.Fatalf("the first code: %d %v", status, in)
		}
		recovery := in["recovery_codes"].([]any)
		if status, out := b.call("GET", "/web/v1/second-factor", nil); status != 200 || out["active"] != true || out["required"] != true || out["recovery_codes_left"] != 10.0 {
			t.Errorf("how it stands: %d %v", status, out)
		}
		if status, _ := b.call("POST", "/web/v1/second-factor/disable", obj{"code": recovery[9]}); status != 403 {
			t.Errorf("giving up what is demanded: %d", status)
		}
		// The desk's API asks for a code, too; a recovery code will do, once.
		n := &browser{t: t, url: w.URL}
		for _, c := range []struct {
			code any
			want int
		}{{nil, 401}, {"000000", 401}, {recovery[0], 201}, {recovery[0], 401}} {
			body := obj{"name": w.Admin.Name, "password": w.Admin.Password}
			if c.code != nil {
				body["code"] = c.code
			}
			if res, out := n.send("POST", "/desk/v1/sessions", body); res.StatusCode != c.want {
				t.Errorf("the desk's API with %v: %d %v", c.code, res.StatusCode, out)
			}
		}
		// A customer sets one up; the identity surface asks for it as Keystone does.
		d, u := w.Domains[0], w.Domains[0].Users[1]
		c := customer(t, w, 1)
		status, out = c.call("POST", "/web/v1/second-factor", nil)
		if status != 201 {
			t.Fatalf("%d %v", status, out)
		}
		secret := out["secret"].(string)
		if status, out := c.call("POST", "/web/v1/second-factor/confirm", obj{"code": codeAt(t, secret, time.Now())}); status != 200 || len(out["recovery_codes"].([]any)) != 10 {
			t.Errorf("confirming: %d %v", status, out)
		}
		token := func(methods []string, code string) int {
			identity := obj{"methods": methods, "password": obj{"user": obj{"name": u.Name, "password": u.Password, "domain": obj{"name": d.Name}}}}
			if code != "" {
				identity["totp"] = obj{"user": obj{"id": u.ID, "passcode": code}}
			}
			res, _ := n.send("POST", "/v3/auth/tokens", obj{"auth": obj{"identity": identity}})
			return res.StatusCode
		}
		if got := token([]string{"password"}, ""); got != 401 {
			t.Errorf("a token by password alone: %d", got)
		}
		// The next step's code is taken early: nobody has to wait for it.
		if got := token([]string{"password", "totp"}, codeAt(t, secret, time.Now().Add(30*time.Second))); got != 201 {
			t.Errorf("a token with a code: %d", got)
		}
		// The operator sees where the user is, and ends it; then takes the factor away.
		list, err := w.Local("user", "sessions", u.Name, "--domain", d.ID)
		if err != nil || strings.Count(list, "browser  password") != 1 || strings.Count(list, "token  password+totp") != 1 || !strings.Contains(list, "Browser of "+u.Name) {
			t.Errorf("sessions: %v\n%s", err, list)
		}
		if _, err := w.Local("user", "sessions", u.Name, "--domain", d.ID, "--end"); err != nil || c.alive() {
			t.Errorf("ending them: %v", err)
		}
		if status, _, out := try(t, w, d.Name, u.Name, u.Password); status != 202 || out["enrolment"] != nil {
			t.Errorf("the password: %d %v", status, out)
		}
		if _, err := w.Local("user", "totp", "reset", u.Name, "--domain", d.ID); err != nil {
			t.Error(err)
		}
		status, back, _ := try(t, w, d.Name, u.Name, u.Password)
		if status != 201 || !back.alive() {
			t.Errorf("after the reset: %d", status)
		}
		// One session by its id; of another user it is not there.
		_, mine := back.call("GET", "/web/v1/session", nil)
		path := "/desk/v1/domains/" + d.ID + "/users/"
		if status, text, err := w.Operator("DELETE", path+d.Users[2].ID+"/sessions/"+mine["session_id"].(string), nil); err != nil || status == 204 || !back.alive() {
			t.Errorf("another user's: %d %s %v", status, text, err)
		}
		if status, text, err := w.Operator("DELETE", path+u.ID+"/sessions/"+mine["session_id"].(string), nil); err != nil || status != 204 || back.alive() {
			t.Errorf("one session: %d %s %v", status, text, err)
		}
	})
}
