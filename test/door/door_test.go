// Package door knocks at the shipped binary from outside: credentials, the
// vendor's SDK, errors at the door, restart.
package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

func each(t *testing.T, test func(t *testing.T, w *world.World)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			o := world.Options{}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			test(t, world.Start(t, o))
		})
	}
}

func client(t *testing.T, w *world.World, sk string) *osm.OsmClient {
	t.Helper()
	c, err := global.NewCredentialsBuilder().WithAk(w.Domains[0].Users[0].AK).WithSk(sk).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(c).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

func code(err error) (string, int) {
	var e *sdkerr.ServiceResponseError
	if !errors.As(err, &e) {
		return "", 0
	}
	return e.ErrorCode, e.StatusCode
}

// TestSDK: the unmodified SDK's signature opens the door, with SQLite and
// PostgreSQL, also after a kill and a restart.
func TestSDK(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		sk := w.Domains[0].Users[0].SK
		for _, when := range []string{"first start", "after a kill"} {
			if _, err := client(t, w, sk).ListCases(&model.ListCasesRequest{}); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			if _, err := client(t, w, sk).ListLabels(&model.ListLabelsRequest{}); err != nil {
				t.Errorf("%s: %v", when, err)
			}
			_, err := client(t, w, sk[1:]+"x").ListCases(&model.ListCasesRequest{})
			if c, status := code(err); c != "APIGW.0301" || status != http.StatusUnauthorized {
				t.Errorf("%s, wrong secret: %v", when, err)
			}
			w.Kill()
			w.Run()
		}
		if text := w.LogText(); strings.Contains(text, sk) || strings.Contains(text, w.Admin.Password) {
			t.Error("a secret stands in the log")
		}
	})
}

// TestErrors: every refusal has both fields, a request id, and names the field.
func TestErrors(t *testing.T) {
	w := world.Start(t, world.Options{})
	for _, tt := range []struct {
		name, method, path, token, body string
		status                          int
		code                            string
	}{
		{"no credentials", "GET", "/v2/servicerequest/cases", "", "", 401, "APIGW.0301"},
		{"made-up token", "GET", "/v2/servicerequest/cases", "cmt_x", "", 401, "APIGW.0301"},
		{"unknown path", "GET", "/nowhere", "", "", 404, "APIGW.0101"},
		{"broken query", "GET", "/v2/servicerequest/cases?a=%zz", "", "", 400, "APIGW.0201"},
		{"NUL in the query", "GET", "/v2/servicerequest/cases?a=%00", "", "", 400, "APIGW.0201"},
		{"not UTF-8", "POST", "/v2/servicerequest/cases", "", "{\"a\":\"\xff\"}", 400, "OSM.0001"},
		{"body over 12 MB", "POST", "/v2/servicerequest/cases", "", strings.Repeat(" ", 12<<20+1), 413, "APIGW.0201"},
	} {
		for _, language := range []string{"zh-cn", "en-us"} {
			r, err := http.NewRequestWithContext(t.Context(), tt.method, w.URL+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Language", language)
			r.Header.Set("Content-Type", "application/json")
			if tt.token != "" {
				r.Header.Set("X-Auth-Token", tt.token)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			var body struct {
				Code string `json:"error_code"`
				Msg  string `json:"error_msg"`
				ID   string `json:"request_id"`
			}
			if err := json.Unmarshal(text, &body); err != nil {
				t.Errorf("%s: %s is no JSON", tt.name, text)
			}
			han := bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x4e00 && r < 0xa000 })
			if res.StatusCode != tt.status || body.Code != tt.code || body.Msg == "" || body.ID == "" || res.Header.Get("X-Request-Id") != body.ID || han != (language == "zh-cn") {
				t.Errorf("%s (%s): %d %s", tt.name, language, res.StatusCode, text)
			}
		}
	}
}

// TestHealth: the probes and a graceful end.
func TestHealth(t *testing.T) {
	w := world.Start(t, world.Options{NoDemo: true, Config: "drain: 100ms\n"})
	for _, path := range []string{"/healthz", "/readyz"} {
		res, err := http.Get(w.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
	w.Stop()
	if out, err := w.Local("audit", "verify"); err != nil || !strings.Contains(out, "holds") || strings.Contains(out, "(0 anchors") {
		t.Errorf("audit verify: %q, %v", out, err)
	}
	if out, err := w.Local("key", "rotate-master"); err != nil {
		t.Errorf("rotate-master: %q, %v", out, err)
	}
	w.Run()
}
