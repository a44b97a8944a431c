package sdk

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

func signing(t *testing.T, w *world.World, u world.User) *osm.OsmClient {
	t.Helper()
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

// TestDetails: additional parameters, contact, copy addresses, configuration,
// a report and the export, by the unmodified SDK, where business errors have
// 200: a refused download must still be an error.
func TestDetails(t *testing.T) {
	t.Parallel()
	w := world.Start(t, world.Options{Config: "errors: {business_status: documented}\nticket: {abuse_mail: abuse@house.example}\n"})
	boss, li := signing(t, w, w.Domains[0].Users[0]), signing(t, w, w.Domains[0].Users[1])
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	made, err := li.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: "account-change", SimpleDescription: "-1+1 请修改", SourceId: "83aeb0f2834c4df49826c781d32a963e",
		ExtendsMap: map[string]any{"login_name": "marker-7391"}, ExtensionMap: map[string]any{"remindCCEmail": "copy@example.org"}}})
	must(err)
	n := *made.IncidentId
	_, err = li.CreateCaseExtendsParam(&model.CreateCaseExtendsParamRequest{CaseId: n, Body: &model.PutCaseExtParamReq{ExtendsMap: map[string]any{"remote_port": 22}}})
	must(err)
	shown, err := li.ShowCaseExtendsParam(&model.ShowCaseExtendsParamRequest{CaseId: n})
	must(err)
	if shown.ErrorCode != nil {
		t.Errorf("%+v", shown)
	}
	mail := w.Domains[0].Users[1].Email
	_, err = li.UpdateCaseContactInfo(&model.UpdateCaseContactInfoRequest{CaseId: n, Body: &model.UpdateCaseContactInfoReq{RemindMail: &mail, ExtensionMap: map[string]any{"contactType": "1"}}})
	must(err)
	d, err := li.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: n})
	must(err)
	if ext := d.IncidentDetailInfo.ExtInfo; *ext.RemindMail != mail || *ext.CcEmail != "copy@example.org" || *ext.ContactType != "1" {
		t.Errorf("%v", ext)
	}
	cc, err := li.ListCaseCcEmails(&model.ListCaseCcEmailsRequest{})
	must(err)
	if *cc.CcEmailInfo.CcEmail != "copy@example.org" || len(*cc.McEmailInfos) != 1 {
		t.Errorf("%v", cc)
	}
	value, err := li.ShowConfiguration(&model.ShowConfigurationRequest{ConfigKey: "supported_languages"})
	must(err)
	if *value.ConfigValue != "zh-cn,en-us" {
		t.Errorf("%v", value)
	}
	none, err := li.ShowConfiguration(&model.ShowConfigurationRequest{ConfigKey: "nothing"})
	must(err)
	if none.ErrorCode == nil || *none.ErrorCode != "OSM.01010001" {
		t.Errorf("%v", none)
	}
	filed, err := li.CreateFeedback(&model.CreateFeedbackRequest{Body: &model.CreateFeedbackV2Req{Type: "spam", Title: "t", Content: "c", Files: []string{"f"},
		Contacts: &model.ContactWayInfoV2{Name: "Li", Mobile: "13800138001", IdType: 20, IdFiles: []string{"i"}}}})
	must(err)
	if filed.ErrorCode != nil {
		t.Errorf("%v", filed)
	}
	file, err := boss.DownloadCases(&model.DownloadCasesRequest{Language: "en-us", Timezone: "UTC", IncidentId: &n})
	must(err)
	var out bytes.Buffer
	if size, err := file.Consume(&out); err != nil || size < 1000 || !strings.HasPrefix(out.String(), "PK") {
		t.Errorf("%d bytes, %v", size, err)
	}
	_, err = li.DownloadCases(&model.DownloadCasesRequest{Language: "en-us", Timezone: "UTC"})
	if refused := (*sdkerr.ServiceResponseError)(nil); !errors.As(err, &refused) || refused.StatusCode != 403 || refused.ErrorCode != "OSM.01010002" {
		t.Errorf("a refused export: %v", err)
	}
	if strings.Contains(w.Log.String(), "marker-7391") || strings.Contains(w.Log.String(), "copy@example.org") {
		t.Error("a sensitive value or an address stands in the log")
	}
}
