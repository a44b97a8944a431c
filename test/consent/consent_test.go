// Package consent tells the story of authorizations against the shipped binary:
// an engineer asks, the customer grants with the vendor's SDK, a gateway
// records, and nothing of what was granted is left.
package consent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

const (
	hostPassword = "MARKER-host-password-51c7"
	hostAccount  = "root-MARKER-account"
	source       = "83aeb0f2834c4df49826c781d32a963e"
)

func client(t *testing.T, w *world.World, domain, user int) *osm.OsmClient {
	t.Helper()
	u := w.Domains[domain].Users[user]
	c, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(c).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

func code(err error) string {
	var e *sdkerr.ServiceResponseError
	if errors.As(err, &e) {
		return e.ErrorCode
	}
	return ""
}

func ptr[T any](v T) *T { return &v }

// desk calls the desk API as a person of the house.
type desk struct {
	w     *world.World
	token string
}

func engineer(t *testing.T, w *world.World, name string) desk {
	t.Helper()
	for _, e := range w.Engineers {
		if e.Name == name {
			var s struct{ Token string }
			d := desk{w: w}
			if status := d.call(t, "POST", "/desk/v1/sessions", map[string]string{"name": e.Name, "password": e.Password}, &s); status != http.StatusCreated {
				t.Fatalf("log-in of %s: %d", name, status)
			}
			d.token = s.Token
			return d
		}
	}
	t.Fatalf("no engineer %s", name)
	return desk{}
}

func (d desk) call(t *testing.T, method, path string, body, into any) int {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, d.w.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if d.token != "" {
		r.Header.Set("X-Auth-Token", d.token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, answer)
		}
	}
	return res.StatusCode
}

type authorization struct {
	ID      string
	Status  int
	Details []struct {
		ID   int64
		Type string
	}
	Code string `json:"error_code"`
}

func each(t *testing.T, config string, test func(t *testing.T, w *world.World)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Config: "drain: 100ms\n" + config}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			test(t, world.Start(t, o))
		})
	}
}

// ticket opens a consultation of the first user of the first domain.
func ticket(t *testing.T, c *osm.OsmClient) string {
	t.Helper()
	types, err := c.ListProblemTypes(&model.ListProblemTypesRequest{ProductCategoryId: ptr("b5f0be5c9639466184abf80e01f9fa1d")})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range *types.IncidentBusinessTypeList {
		if *p.CaseType == "0" {
			made, err := c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: *p.BusinessTypeId, SimpleDescription: "请登录主机排查", SourceId: source}})
			if err != nil {
				t.Fatal(err)
			}
			return *made.IncidentId
		}
	}
	t.Fatal("no consultation")
	return ""
}

var authID = regexp.MustCompile(`^Auth-[0-9a-z]{26}$`)

// TestStory: from the engineer's request to the end, with the SDK.
func TestStory(t *testing.T) {
	each(t, "authorization: {check_hosts: {enabled: true, allow: [127.0.0.1]}}\n", func(t *testing.T, w *world.World) {
		port := int32(world.SSH(t, hostAccount, hostPassword))
		c := client(t, w, 0, 0)
		stranger, colleague := client(t, w, 1, 0), client(t, w, 0, 1)
		number := ticket(t, c)
		if _, err := w.Local("desk", "accept", number, "--as", "chen"); err != nil {
			t.Fatal(err)
		}
		id, err := w.Local("desk", "authorize", number, "需要登录主机查看磁盘", "--host", "127.0.0.1", "--as", "chen")
		if err != nil || !authID.MatchString(id) {
			t.Fatalf("authorize: %q, %v", id, err)
		}
		list, err := c.ListAuthorizations(&model.ListAuthorizationsRequest{IncidentId: &number, Status: ptr(int32(0)), XLanguage: ptr("en-us")})
		if err != nil || *list.Count != 1 || len(*list.IncidentAuthList) != 1 {
			t.Fatalf("list: %v, %v", list, err)
		}
		a := (*list.IncidentAuthList)[0]
		if *a.Id != id || *a.SimpleDescription != "请登录主机排查" || *a.AuthDescribe != "需要登录主机查看磁盘" || *a.ResourceTypeName != "Cloud server" || *a.VisitTypeName != "SSH" ||
			*a.CustomerId != w.Domains[0].ID || *a.XCustomerId != w.Domains[0].Users[0].ID || a.AuthExpireTime != nil || *a.ContentOfAuthLetter == "" {
			t.Errorf("listed: %v", a)
		}
		shown, err := c.ShowAuthorizationDetail(&model.ShowAuthorizationDetailRequest{AuthorizationId: id})
		if err != nil || len(*shown.IncidentAuthDetailList) != 1 {
			t.Fatalf("detail: %v, %v", shown, err)
		}
		item := (*shown.IncidentAuthDetailList)[0]
		if *item.Type != 1 || *item.InstanceName != "127.0.0.1" {
			t.Errorf("item: %v", item)
		}
		// Strangers and colleagues meet nothing.
		for name, other := range map[string]*osm.OsmClient{"stranger": stranger, "colleague": colleague} {
			_, err := other.ShowAuthorizationDetail(&model.ShowAuthorizationDetailRequest{AuthorizationId: id})
			_, none := other.ShowAuthorizationDetail(&model.ShowAuthorizationDetailRequest{AuthorizationId: "Auth-none"})
			if code(err) != "OSM.01010001" || code(none) != code(err) {
				t.Errorf("%s: %v, %v", name, err, none)
			}
			if _, err := other.CheckHosts(&model.CheckHostsRequest{AuthorizationDetailId: *item.Id, Body: &model.VerifyHostV2Req{Port: port, Account: hostAccount, Password: hostPassword}}); code(err) != "OSM.01010032" {
				t.Errorf("%s checks: %v", name, err)
			}
		}
		check := func(port int32, password string) string {
			_, err := c.CheckHosts(&model.CheckHostsRequest{AuthorizationDetailId: *item.Id, Body: &model.VerifyHostV2Req{Port: port, Account: hostAccount, Password: password}})
			if err != nil && code(err) == "" {
				t.Fatal(err)
			}
			return code(err)
		}
		if ok, wrong, closed := check(port, hostPassword), check(port, "wrong"), check(1, hostPassword); ok != "" || wrong != "OSM.01010003" || closed != "OSM.01010047" {
			t.Errorf("checks: %q, %q, %q", ok, wrong, closed)
		}
		if kind, err := c.ShowLoginType(&model.ShowLoginTypeRequest{}); err != nil || *kind.LoginType != "AKSK" {
			t.Errorf("login type %v, %v", kind, err)
		}

		chen, emma := engineer(t, w, "chen"), engineer(t, w, "emma")
		at := "/desk/v1/authorizations/" + id
		items := fmt.Sprint(at, "/details/", *item.Id)
		var refused struct {
			Code string `json:"error_code"`
		}
		if status := chen.call(t, "POST", items+"/sessions", map[string]any{}, &refused); status != http.StatusConflict || refused.Code != "OSM.01010002" {
			t.Errorf("a session before the grant: %d %v", status, refused)
		}
		now := time.Now().UnixMilli()
		grant := func(id string) error {
			_, err := c.ConfirmAuthorizations(&model.ConfirmAuthorizationsRequest{AuthorizationId: id, Body: &model.AgreeTenantAuthorizationV2Req{
				AuthEffectiveTime: ptr(now), AuthExpireTime: ptr(now + 3600_000),
				AuthDetailList: &[]model.TenantAgreeAuthDetailV2{{AuthDetailId: *item.Id, Port: &port, Account: ptr(hostAccount), Password: ptr(hostPassword)}}}})
			return err
		}
		if err := grant(id); err != nil {
			t.Fatal(err)
		}
		if err := grant(id); code(err) != "OSM.01010002" {
			t.Errorf("granted twice: %v", err)
		}
		shown, err = c.ShowAuthorizationDetail(&model.ShowAuthorizationDetailRequest{AuthorizationId: id})
		if err != nil || *shown.Status != 1 || shown.AuthExpireTime == nil || *shown.AuthHandlerName != w.Domains[0].Users[0].Name || strings.Contains(shown.String(), hostPassword) {
			t.Errorf("granted: %v, %v", shown, err)
		}

		var secret struct {
			Address, Account, Password string
			Port                       int32
		}
		if status := chen.call(t, "POST", items+"/reveal", map[string]any{"reason": "to read the logs"}, &secret); status != http.StatusOK || secret.Password != hostPassword || secret.Account != hostAccount || secret.Port != port || secret.Address != "127.0.0.1" {
			t.Errorf("reveal: %d %v", status, secret)
		}
		if status := emma.call(t, "POST", items+"/reveal", map[string]any{}, nil); status != http.StatusForbidden {
			t.Errorf("another engineer looks: %d", status)
		}
		var session struct{ ID int64 }
		if status := chen.call(t, "POST", items+"/sessions", map[string]any{}, &session); status != http.StatusCreated {
			t.Fatalf("session: %d", status)
		}
		records := fmt.Sprint(at, "/sessions/", session.ID)
		stamp := time.Now().UTC().Format(time.RFC3339Nano)
		if status := chen.call(t, "POST", records+"/records", map[string]any{
			"commands":  []any{map[string]any{"at": stamp, "text": "df -h"}, map[string]any{"at": stamp, "text": "exit"}},
			"transfers": []any{map[string]any{"at": stamp, "duration_ms": 2500, "type": "upload", "file_name": "fix.sh", "from_path": "/home/chen", "to_path": "/tmp", "size": 1536, "result": "success"}},
		}, nil); status != http.StatusNoContent {
			t.Fatalf("records: %d", status)
		}
		if status := chen.call(t, "POST", records+"/close", nil, nil); status != http.StatusOK {
			t.Fatalf("close: %d", status)
		}
		sessions, err := c.ListHistorySessions(&model.ListHistorySessionsRequest{AuthorizationId: id, AuthorizationDetailId: *item.Id})
		if err != nil || *sessions.TotalCount != 1 || *(*sessions.SessionList)[0].SessionId != session.ID || !strings.HasPrefix(*(*sessions.SessionList)[0].Duration, "00:00:") {
			t.Errorf("sessions: %v, %v", sessions, err)
		}
		for sort, want := range map[int32]string{0: "exit", 1: "df -h"} {
			ops, err := c.ListHistoryOperateLogs(&model.ListHistoryOperateLogsRequest{AuthorizationId: id, AuthorizationDetailId: *item.Id, SessionId: session.ID, Sort: &sort, Limit: ptr(int32(1))})
			if err != nil || *ops.TotalCount != 2 || *(*ops.OpsList)[0].Oper != want {
				t.Errorf("commands: %v, %v", ops, err)
			}
		}
		files, err := c.ListTransportHistories(&model.ListTransportHistoriesRequest{AuthorizationId: id, AuthorizationDetailId: *item.Id, SessionId: session.ID, XLanguage: ptr("en-us")})
		if err != nil || *files.TotalCount != 1 {
			t.Fatalf("transfers: %v, %v", files, err)
		}
		if f := (*files.FileOpsList)[0]; *f.Duration != "00:00:02" || *f.FileSize != "1.5K" || *f.OperateType != "Upload" || *f.OperResult != "Success" || *f.FileName != "fix.sh" {
			t.Errorf("transfer: %v", f)
		}

		if _, err := c.UpdateAuthorizations(&model.UpdateAuthorizationsRequest{AuthorizationId: id, ActionId: ptr("cancel")}); err != nil {
			t.Fatal(err)
		}
		if status := chen.call(t, "POST", items+"/reveal", map[string]any{}, nil); status != http.StatusConflict {
			t.Errorf("reveal after the end: %d", status)
		}
		log, err := c.ListCaseOperateLogs(&model.ListCaseOperateLogsRequest{CaseId: number, XLanguage: ptr("en-us")})
		if err != nil || *(*log.IncidentOperateLogList)[0].OperateType != 83 || *(*log.IncidentOperateLogList)[0].OperateDesc != "Authorization withdrawn" || *(*log.IncidentOperateLogList)[1].OperateType != 73 {
			t.Errorf("log: %v, %v", log, err)
		}

		// With its ticket an authorization ends, within seconds.
		id2, err := w.Local("desk", "authorize", number)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.UpdateCases(&model.UpdateCasesRequest{CaseId: number, ActionId: "close"}); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for {
			var now authorization
			chen.call(t, "GET", "/desk/v1/authorizations/"+id2, nil, &now)
			if now.Status == 3 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after the ticket's end: state %d", now.Status)
			}
			time.Sleep(50 * time.Millisecond) // the reader polls each second
		}
		w.Stop()
		err = filepath.WalkDir(filepath.Dir(w.Dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && (bytes.Contains(text, []byte(hostPassword)) || bytes.Contains(text, []byte(hostAccount))) {
				t.Errorf("%s holds what was granted", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(w.LogText(), "MARKER") {
			t.Error("the log holds what was granted")
		}
	})
}

// TestSupervisor: with approval required an engineer's request waits for a
// supervisor; checks are off without a word in the configuration.
func TestSupervisor(t *testing.T) {
	each(t, "authorization: {approval: required, check_hosts: {per_minute: 10}}\n", func(t *testing.T, w *world.World) {
		c := client(t, w, 0, 0)
		number := ticket(t, c)
		chen, zhao := engineer(t, w, "chen"), engineer(t, w, "zhao")
		var a authorization
		at := "/desk/v1/tickets/" + number + "/authorizations"
		if status := chen.call(t, "POST", at, map[string]any{"description": "to look"}, &a); status != http.StatusCreated || a.Status != 6 || len(a.Details) != 1 || a.Details[0].Type != "console" {
			t.Fatalf("asked: %d %+v", status, a)
		}
		steps := "/desk/v1/authorizations/" + a.ID + "/steps"
		if status := chen.call(t, "POST", steps, map[string]string{"action": "approve"}, nil); status != http.StatusForbidden {
			t.Errorf("an engineer approves his own request: %d", status)
		}
		if _, err := c.UpdateAuthorizations(&model.UpdateAuthorizationsRequest{AuthorizationId: a.ID, ActionId: ptr("reject")}); code(err) != "OSM.01010002" {
			t.Errorf("answered before the approval: %v", err)
		}
		var waiting struct{ Items []authorization }
		if zhao.call(t, "GET", "/desk/v1/authorizations?status=6", nil, &waiting); len(waiting.Items) != 1 || waiting.Items[0].ID != a.ID {
			t.Errorf("waiting: %+v", waiting)
		}
		if status := zhao.call(t, "POST", steps, map[string]string{"action": "approve"}, &a); status != http.StatusOK || a.Status != 0 {
			t.Errorf("approved: %d %+v", status, a)
		}
		// The same from the shell, by the operator.
		var more authorization
		chen.call(t, "POST", at, map[string]any{"description": "to look again"}, &more)
		if out, err := w.Local("desk", "authorizations", "--status", "6"); err != nil || !strings.HasPrefix(out, more.ID+"\t6\t") || !strings.Contains(out, "\tchen\tto look again") {
			t.Errorf("waiting: %q, %v", out, err)
		}
		if out, err := w.Local("desk", "refuse", more.ID); err == nil {
			t.Errorf("refused without a reason: %q", out)
		}
		if out, err := w.Local("desk", "refuse", more.ID, "not needed"); err != nil || !strings.HasPrefix(out, more.ID+"\t7\t") {
			t.Errorf("refused: %q, %v", out, err)
		}
		if out, err := w.Local("desk", "authorizations", "--case", number); err != nil || len(strings.Split(out, "\n")) != 2 {
			t.Errorf("of the ticket: %q, %v", out, err)
		}
		for language, word := range map[string]string{"zh-cn": "未开启", "en-us": "switched off"} {
			_, err := c.CheckHosts(&model.CheckHostsRequest{AuthorizationDetailId: a.Details[0].ID, XLanguage: &language, Body: &model.VerifyHostV2Req{Port: 22, Account: "a", Password: "b"}})
			if code(err) != "OSM.01010002" || !strings.Contains(err.Error(), word) {
				t.Errorf("check while off: %v", err)
			}
		}
		if _, err := c.UpdateAuthorizations(&model.UpdateAuthorizationsRequest{AuthorizationId: a.ID, ActionId: ptr("reject"), Body: &model.OperateAuthorizationV2Req{RejectReason: ptr("不需要")}}); err != nil {
			t.Fatal(err)
		}
		shown, err := c.ShowAuthorizationDetail(&model.ShowAuthorizationDetailRequest{AuthorizationId: a.ID})
		if err != nil || *shown.Status != 2 || *shown.RejectReason != "不需要" {
			t.Errorf("rejected: %v, %v", shown, err)
		}
	})
}
