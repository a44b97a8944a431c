// Package selftest runs casemate selftest and the sandbox's commands against
// the shipped binary, as an operator would, on both databases.
package selftest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/world"
)

// report is what casemate selftest --json prints.
type report struct {
	Sandbox   string `json:"sandbox"`
	Total     int    `json:"total"`
	Passed    int    `json:"passed"`
	Failed    int    `json:"failed"`
	NotBuilt  int    `json:"not_built"`
	NotDriven int    `json:"not_driven"`
	Off       int    `json:"off"`
	MS        int64  `json:"ms"`
	Rows      []struct {
		Operation string `json:"operation"`
		Result    string `json:"result"`
		Proof     string `json:"proof"`
		Detail    string `json:"detail"`
		Status    int    `json:"status"`
	} `json:"operations"`
}

func (r report) of(operation string) (result, detail string) {
	for _, row := range r.Rows {
		if row.Operation == operation {
			return row.Result, row.Detail
		}
	}
	return "", ""
}

// run runs the command; ok tells whether its exit code was 0.
func run(t *testing.T, args ...string) (r report, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), world.Binary(t), append([]string{"selftest", "--json"}, args...)...)
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if jerr := json.Unmarshal(out, &r); jerr != nil {
		t.Fatalf("%v, %v: %s", err, jerr, errOut.String())
	}
	if err != nil && cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit code %d, want 1", cmd.ProcessState.ExitCode())
	}
	return r, err == nil
}

// built is how many operations there are, and all of them are to pass.
const built = 82

// TestSelftest: every operation of the contract is driven and shows its effect; the sandbox is empty and closed afterwards, and the
// demo's own tickets and queues have not noticed.
func TestSelftest(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			before := desk(t, w)
			r, ok := run(t, "--data", w.Dir)
			var driven []string
			for _, row := range r.Rows {
				driven = append(driven, row.Operation)
				if row.Result != "passed" || row.Proof == "" || row.Status/100 == 5 {
					t.Errorf("%s: %s, %d: %s", row.Operation, row.Result, row.Status, row.Detail)
				}
			}
			for _, op := range contract.Load(t, "v2.yaml") {
				if !slices.Contains(driven, op.ID) {
					t.Errorf("the matrix lacks %s", op.ID)
				}
			}
			if len(driven) != built || r.Total != built || r.Passed != built || r.Failed+r.NotBuilt+r.NotDriven+r.Off != 0 || !ok {
				t.Errorf("%d lines; of %d operations %d passed, %d failed, %d are not built, %d were not driven, %d are off; exit code 0 is %v", len(driven), r.Total, r.Passed, r.Failed, r.NotBuilt, r.NotDriven, r.Off, ok)
			}
			if left, err := w.Local("partner", "list"); err != nil || strings.Contains(left, "selftest") {
				t.Errorf("partners are left: %q %v", left, err)
			}
			if after := desk(t, w); after != before {
				t.Errorf("the desk's list changed from %s to %s", before, after)
			}
			if left, err := w.Local("desk", "list", "--domain", r.Sandbox); err != nil || left != "" {
				t.Errorf("tickets of the sandbox are left: %q %v", left, err)
			}
			if list, err := w.Local("sandbox", "list"); err != nil || !regexp.MustCompile(regexp.QuoteMeta(r.Sandbox)+`\t\S+\t(disabled|已停用)`).MatchString(list) {
				t.Errorf("the sandbox is not closed: %q %v", list, err)
			}
			// As people of the house, not as the operator on the machine.
			byName, ok := run(t, "--credentials", w.CredentialsFile())
			if byName.Passed != built || !ok {
				t.Errorf("with a credentials file %d passed, want %d: %+v", byName.Passed, built, byName.Rows)
			}
			t.Logf("REPORT selftest (%s): %d of %d operations, %d ms\n", t.Name(), r.Passed, r.Total, r.MS)
		})
	}
}

// TestSelftestPlain: outside the demo world, without any provider, with the
// quota of the catalogue and business errors sent with status 200. What connects
// to hosts is off there, which counts as failed unless it is allowed; with this
// machine listed everything passes.
func TestSelftestPlain(t *testing.T) {
	t.Parallel()
	const documented = "errors:\n  business_status: documented\n"
	start := func(t *testing.T, config string) *world.World {
		w := world.Start(t, world.Options{NoDemo: true, Config: documented + config})
		if out, err := w.Local("user", "create", "chen", "--role", "engineer"); err != nil {
			t.Fatal(out, err)
		}
		return w
	}
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		w := start(t, "")
		switched := []string{"CheckHosts", "CreateDiagnoseJob"}
		for _, allow := range []bool{false, true} {
			args := []string{"--data", w.Dir}
			if allow {
				args = append(args, "--allow-off")
			}
			r, ok := run(t, args...)
			for _, row := range r.Rows {
				want := "passed"
				if slices.Contains(switched, row.Operation) {
					want = "off here"
				}
				if row.Result != want || want == "off here" && !strings.Contains(row.Detail, "allow") {
					t.Errorf("%s: %s: %s", row.Operation, row.Result, row.Detail)
				}
			}
			if ok != allow || r.Off != len(switched) || r.Passed != built-len(switched) {
				t.Errorf("allowed %v: exit code 0 is %v, %d passed, %d are off", allow, ok, r.Passed, r.Off)
			}
		}
	})
	t.Run("on", func(t *testing.T) {
		t.Parallel()
		w := start(t, "authorization: {check_hosts: {enabled: true, allow: [127.0.0.1]}}\ndiagnose: {allow: [127.0.0.1]}\n")
		// As the operator on the machine, and as an engineer who needs a supervisor's
		// word before a customer is asked for access.
		for _, args := range [][]string{{"--data", w.Dir}, {"--credentials", staff(t, w)}} {
			r, ok := run(t, args...)
			for _, row := range r.Rows {
				if row.Result != "passed" {
					t.Errorf("%s: %s: %s: %s", args[0], row.Operation, row.Result, row.Detail)
				}
			}
			if !ok || r.Passed != built {
				t.Errorf("%s: exit code 0 is %v, %d passed", args[0], ok, r.Passed)
			}
		}
	})
}

// staff is a credentials file with an engineer and an administrator.
func staff(t *testing.T, w *world.World) string {
	t.Helper()
	person := func(name, role string) map[string]string {
		out, err := w.Local("user", "create", name, "--role", role, "--json")
		if err != nil {
			t.Fatal(out, err)
		}
		var made struct{ Password string }
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			t.Fatal(err)
		}
		return map[string]string{"name": name, "password": made.Password}
	}
	text, err := json.Marshal(map[string]any{"base_url": w.URL, "engineers": []any{person("mei", "engineer")}, "admin": person("ada", "administrator")})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "staff.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// desk is the numbers of all tickets that engineers' lists show.
func desk(t *testing.T, w *world.World) string {
	t.Helper()
	out, err := w.Local("desk", "list", "--limit", "100")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSelftestSees: the self-test is not content with a good answer. Between it
// and the server stands one who answers {} or an empty list for an operation
// without doing it; that operation must fail, by name.
func TestSelftestSees(t *testing.T) {
	w := world.Start(t, world.Options{})
	target, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ operation, method, path, answer string }{
		{"CreateMessages", "POST", `/cases/[^/]+/message$`, `{}`},
		{"UpdateCases", "POST", `/cases/[^/]+/action$`, `{"error_code":"","error_msg":""}`},
		{"CreateScores", "POST", `/cases/[^/]+/score$`, `{}`},
		{"SignPublishedAgreement", "POST", `/agreements/[^/]+/signed$`, `{"agreement_signed_record_id":1}`},
		{"CheckVerifyCodes", "POST", `/verifycodes$`, `{}`},
		{"SendVerifyCodes", "POST", `/verifycodes/send$`, `{}`},
		{"ListCases", "GET", `/servicerequest/cases$`, `{"total_count":0,"incident_info_list":[]}`},
		{"ListMessages", "GET", `/cases/[^/]+/messages$`, `{"count":0,"message_list":[]}`},
		{"ListCaseOperateLogs", "GET", `/operate-logs$`, `{"total_count":0,"incident_operate_log_list":[]}`},
		{"ListHasVerifiedContacts", "GET", `/has-verified$`, `{"count":0,"contact_list":[]}`},
		{"ListSatisfactionDimensions", "GET", `/satisfaction-dimensions$`, `{"total_count":0,"satisfaction_dimension_list":[]}`},
		{"ListExtendsParams", "GET", `/extends-map$`, `{"extends_params":[],"common_params":[]}`},
		{"ListCaseLimits", "GET", `/config/limits$`, `{"config":{"create_case_ccemail_max_count":11}}`},
		{"CreateCases", "POST", `/servicerequest/cases$`, `{"incident_id":"TS260101AAAAAAAAAAAAA"}`},
		{"ShowCaseStatus", "GET", `/status$`, `{"status":0}`},
		{"ListAccessoryAccessUrls", "GET", `/access-urls$`, `{"accessory_urls":[]}`},
		{"DeleteAccessories", "DELETE", `/accessorys/[^/]+$`, `{}`},
		{"UploadJsonAccessories", "POST", `/json-format-content$`, `{"accessory_id":"1"}`},
		{"CreatePrivileges", "POST", `/privileges$`, `{}`},
		{"ShowPartnersCasesPrivilege", "GET", `/cases-processing$`, `{"has_privilege":true}`},
		{"ShowPartnersServiceInfo", "GET", `/service-info$`, `{}`},
		{"ListAgencies", "GET", `/agencies$`, `{"total_count":0,"agency_list":[]}`},
		{"ConfirmAuthorizations", "PUT", `/authorizations/[^/]+$`, `{}`},
		{"UpdateAuthorizations", "PUT", `/authorizations/[^/]+/action$`, `{}`},
		{"CheckHosts", "POST", `/verify-host$`, `{}`},
		{"ListHistoryOperateLogs", "GET", `/operation-logs$`, `{"total_count":0,"ops_list":[]}`},
		{"ListTransportHistories", "GET", `/operation-file-logs$`, `{"total_count":0,"file_ops_list":[]}`},
		{"ShowLoginType", "GET", `/login-type$`, `{"login_type":"AKSK"}`},
		{"ListCaseQuotas", "GET", `/quotas$`, `{"total":5,"un_used":5}`},
		{"CreateLabels", "POST", `/labels$`, `{}`},
		{"DeleteCaseLabels", "DELETE", `/cases/[^/]+/labels$`, `{}`},
		{"CreateRelations", "POST", `/relations$`, `{}`},
		{"DeleteRelation", "DELETE", `/relations$`, `{}`},
		{"CreateFeedback", "POST", `/feedbacks$`, `{}`},
		{"CreateDiagnoseJob", "POST", `/job/start$`, `{"job_id":"1"}`},
		{"ListDiagnoseJob", "GET", `/diagnose/job$`, `{"status":3,"job_id":1,"items_result":[]}`},
		{"ListDiagnoseResources", "POST", `/vm/resources$`, `{"total_count":0,"result":[]}`},
		{"CreateDiagnoseFeedback", "POST", `/diagnose/feedback$`, `{}`},
		{"ListOrderIncident", "GET", `/queryincident$`, `{"totalCount":0,"incidentInfoList":[]}`},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			t.Parallel()
			path := regexp.MustCompile(tt.path)
			through := httputil.NewSingleHostReverseProxy(target)
			liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == tt.method && path.MatchString(r.URL.Path) && !strings.HasPrefix(r.URL.Path, "/desk/") {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(tt.answer))
					return
				}
				through.ServeHTTP(w, r)
			}))
			defer liar.Close()
			r, ok := run(t, "--data", w.Dir, "--url", liar.URL)
			result, detail := r.of(tt.operation)
			if ok || result != "failed" || detail == "" {
				t.Errorf("an operation that does nothing counts as %s (%s), exit code 0 is %v", result, detail, ok)
			}
		})
	}
}
