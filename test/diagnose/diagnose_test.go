// Package diagnose drives self-service diagnoses and agreements of the shipped
// binary: with the vendor's own Go SDK and with the operator's commands.
package diagnose

import (
	"fmt"
	"net"
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

const settings = `
diagnose:
  allow: [127.0.0.1/32]
`

func sdk(t *testing.T, w *world.World) *osm.OsmClient {
	t.Helper()
	u := w.Domains[0].Users[1]
	credentials, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	client, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(credentials).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(client)
}

func each(t *testing.T, test func(t *testing.T, w *world.World)) {
	t.Helper()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Config: settings}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			test(t, world.Start(t, o))
		})
	}
}

func ptr[T any](v T) *T { return &v }

func start(t *testing.T, c *osm.OsmClient, kind int32, params map[string]string) string {
	t.Helper()
	job, err := c.CreateDiagnoseJob(&model.CreateDiagnoseJobRequest{Body: &model.SubmitDiagnoseJobReq{Type: kind, Params: params}})
	if err != nil || job.JobId == nil {
		t.Fatalf("%+v, %v", job, err)
	}
	return *job.JobId
}

// wait asks until the diagnosis has ended.
func wait(t *testing.T, c *osm.OsmClient, id string, within time.Duration) *model.ListDiagnoseJobResponse {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		j, err := c.ListDiagnoseJob(&model.ListDiagnoseJobRequest{JobId: &id})
		if err != nil {
			t.Fatal(err)
		}
		if s := j.Status.Value(); s == 3 || s == 4 || s == 7 {
			return j
		}
		if time.Now().After(end) {
			t.Fatalf("still open: %s", j)
		}
	}
}

// TestSDK: all six operations, answers decoded by the SDK's own types.
func TestSDK(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		c := sdk(t, w)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		good := start(t, c, 1, map[string]string{"eip": "127.0.0.1", "port": port})
		j := wait(t, c, good, 20*time.Second)
		if len(*j.ItemsResult) == 0 || fmt.Sprint(*j.JobId) != good || *j.DomainId != w.Domains[0].ID || *j.CreateTime < 1e12 {
			t.Errorf("%s", j)
		}
		bad := start(t, c, 1, map[string]string{"eip": "10.0.0.1"})
		wait(t, c, bad, 20*time.Second)
		items, err := c.ListDiagnoseItems(&model.ListDiagnoseItemsRequest{Body: &model.QueryDiagnoseItemsReq{JobId: &bad, ItemIds: ptr("login-port")}})
		if err != nil || len(*items.ItemResults) != 1 || !strings.Contains(*(*items.ItemResults)[0].Response, "不是公网地址") {
			t.Errorf("%v, %v", items, err)
		}
		records, err := c.ListDiagnoseRecords(&model.ListDiagnoseRecordsRequest{PageNo: ptr(int32(1)), PageSize: ptr(int32(1))})
		if err != nil || *records.TotalCount != 2 || len(*records.Records) != 1 || *(*records.Records)[0].JobId != bad || *(*records.Records)[0].RedCount != 1 {
			t.Errorf("%v, %v", records, err)
		}
		resources, err := c.ListDiagnoseResources(&model.ListDiagnoseResourcesRequest{Body: &model.QueryTscDiagnoseResourcesReq{}})
		if err != nil || *resources.TotalCount != 0 || resources.Result == nil {
			t.Errorf("%v, %v", resources, err)
		}
		rating := &model.CreateDiagnoseFeedbackRequest{Body: &model.CreateFeedbackReq{Type: 1, IsHelpful: true, Content: ptr("有用")}}
		if _, err := c.CreateDiagnoseFeedback(rating); err != nil {
			t.Error(err)
		}
		if _, err := c.ListDiagnoseJob(&model.ListDiagnoseJobRequest{JobId: ptr("77")}); err == nil || !strings.Contains(err.Error(), "OSM.01010001") {
			t.Errorf("an unknown job: %v", err)
		}
	})
}

// TestAgreementCommands: the operator publishes a new version from two text files
// and sees who signed; a changed text under the same version is refused with file
// and line.
func TestAgreementCommands(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		c := sdk(t, w)
		local := func(args ...string) string {
			t.Helper()
			out, err := w.Local(args...)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		signed := func() bool {
			t.Helper()
			s, err := c.ShowSignedLatestPublishedAgreement(&model.ShowSignedLatestPublishedAgreementRequest{})
			if err != nil {
				t.Fatal(err)
			}
			return *s.IsSignedLatest
		}
		sign := func(id int32) error {
			_, err := c.SignPublishedAgreement(&model.SignPublishedAgreementRequest{Id: id, Body: &model.SignAgreementReq{RelationId: ptr("TS1")}})
			return err
		}
		if err := sign(1); err != nil || !signed() {
			t.Fatalf("not signed: %v", err)
		}
		dir := t.TempDir()
		folder := filepath.Join(dir, "catalog")
		local("catalog", "export", folder)
		zh, en := filepath.Join(dir, "zh.txt"), filepath.Join(dir, "en.txt")
		for file, text := range map[string]string{zh: "\ufeff第一条\r\n\r\n第二条：“引号”\r\n", en: "First\n\nSecond: \"quoted\" # no comment\n"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := local("agreement", "publish", "--type", "0", "--zh", zh, "--en", en, "--dir", folder)
		if !strings.Contains(out, "agreement 4") && !strings.Contains(out, "协议 4") {
			t.Errorf("it says %q", out)
		}
		latest, err := c.ShowLatestPublishedAgreement(&model.ShowLatestPublishedAgreementRequest{})
		if err != nil || *latest.CaseAgreement.Id != "4" || *latest.CaseAgreement.Version != 2 || *latest.CaseAgreement.Content != "第一条\n\n第二条：“引号”" {
			t.Errorf("%v, %v", latest, err)
		}
		if signed() {
			t.Error("a new version leaves the old signature in force")
		}
		if err := sign(1); err == nil || !strings.Contains(err.Error(), "OSM.01010001") {
			t.Errorf("the old version can be signed: %v", err)
		}
		if err := sign(4); err != nil || !signed() {
			t.Errorf("the new version cannot be signed: %v", err)
		}
		if out := local("agreement", "signatures", "1"); !strings.Contains(out, w.Domains[0].Users[1].Name) || !strings.Contains(out, "TS1") {
			t.Errorf("signatures: %q", out)
		}
		if out := local("catalog", "plan", folder); !strings.Contains(out, "no difference") && !strings.Contains(out, "没有差异") {
			t.Errorf("the folder with the new file differs: %q", out)
		}
		file := filepath.Join(folder, "agreement-0-v2.yaml")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), "Second", "Third", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, step := range []string{"plan", "apply"} {
			if _, err := w.Local("catalog", step, folder); err == nil || !strings.Contains(err.Error(), "agreement-0-v2.yaml:3: ") {
				t.Errorf("%s takes a changed text: %v", step, err)
			}
		}
	})
}
