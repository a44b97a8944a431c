package api_test

import (
	"net/http"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// TestAgreements: read, sign, ask; a new version asks again.
func TestAgreements(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		const published, asked = "agreements/published-agreement", "agreements/signed-latest"
		signed := func(who principal.Principal, query string) any {
			t.Helper()
			status, answer := w.call(t, who, http.MethodGet, asked+query, "")
			if status != http.StatusOK {
				t.Fatalf("%d %v", status, answer)
			}
			return answer["is_signed_latest"]
		}
		for kind, name := range map[string][4]string{
			"0": {"工单服务协议", "创建工单（普通用户）", "Service Ticket Agreement", "Ticket creation (ordinary users)"},
			"1": {"工单服务协议（ISV）", "创建工单（ISV 用户）", "Service Ticket Agreement for Software Vendors", "Ticket creation (ISV users)"},
			"2": {"工单授权协议", "授权", "Ticket Authorization Agreement", "Authorization"},
		} {
			a := w.get(t, published+"?agreement_type="+kind)["case_agreement"].(map[string]any)
			wants(t, a, map[string]any{"agreement_type": kind, "agreement_name": name[0], "agreement_type_name": name[1], "version": 1.0})
			b := w.get(t, published+"?agreement_type="+kind, "X-Language", en)["case_agreement"].(map[string]any)
			wants(t, b, map[string]any{"id": a["id"], "agreement_type": kind, "agreement_name": name[2], "agreement_type_name": name[3], "version": 1.0})
			if a["content"] == b["content"] || b["content"] == "" {
				t.Errorf("type %s: the text is in one language", kind)
			}
		}
		a := w.get(t, published, "X-Language", en)["case_agreement"].(map[string]any)
		wants(t, a, map[string]any{"id": "1", "agreement_type": "0", "agreement_name": "Service Ticket Agreement", "agreement_type_name": "Ticket creation (ordinary users)"})
		if !strings.HasPrefix(a["content"].(string), "Welcome") {
			t.Errorf("content %.40q", a["content"])
		}
		// The documentation's example asks for type 5: tolerated, and empty.
		if answer := w.get(t, published+"?agreement_type=5"); len(answer) != 0 {
			t.Errorf("type 5: %v", answer)
		}
		if signed(w.business, "?agreement_type=5") != false || signed(w.business, "") != false {
			t.Error("signed before signing")
		}

		status, answer := w.call(t, w.business, http.MethodPost, "agreements/1/signed", `{"relation_id":"TS26011500000000000001"}`)
		if status != http.StatusOK || answer["agreement_signed_record_id"] != 1.0 {
			t.Fatalf("%d %v", status, answer)
		}
		if status, answer := w.call(t, w.business, http.MethodPost, "agreements/1/signed", ""); status != http.StatusOK || answer["agreement_signed_record_id"] != 2.0 {
			t.Errorf("without body: %d %v", status, answer)
		}
		if signed(w.business, "") != true || signed(w.business, "?agreement_type=0") != true || signed(w.business, "?agreement_type=2") != false {
			t.Error("the signature is not seen, or seen for another type")
		}
		if signed(w.free, "") != false {
			t.Error("signed for another domain")
		}

		// The vendors' agreement is signed for itself, and un-signed by a version of its own.
		if status, answer := w.call(t, w.business, http.MethodPost, "agreements/2/signed", `{"relation_id":"TS26011500000000000002"}`); status != http.StatusOK || answer["agreement_signed_record_id"] != 3.0 {
			t.Errorf("%d %v", status, answer)
		}
		if _, err := w.catalog.Publish(t.Context(), principal.AsSystem(principal.House), catalog.NewAgreement{Type: "1", Content: locale.Texts{ZH: "二", EN: "Two"}}); err != nil {
			t.Fatal(err)
		}
		a = w.get(t, published+"?agreement_type=1", "X-Language", en)["case_agreement"].(map[string]any)
		wants(t, a, map[string]any{"id": "4", "version": 2.0, "content": "Two", "agreement_name": "Service Ticket Agreement for Software Vendors"})
		if signed(w.business, "?agreement_type=1") != false || signed(w.business, "") != true {
			t.Error("publishing for vendors must un-sign theirs, and only theirs")
		}
		if status, answer := w.call(t, w.business, http.MethodPost, "agreements/2/signed", ""); status != http.StatusBadRequest {
			t.Errorf("the older version for vendors: %d %v", status, answer)
		}

		files, err := w.catalog.Export(t.Context(), principal.AsSystem(principal.House))
		if err != nil {
			t.Fatal(err)
		}
		files["agreements.yaml"] = append(files["agreements.yaml"], `
  - {id: 5, type: "0", version: 2, name: {zh: 工单服务协议, en: Service Ticket Agreement}, content: {zh: 新的条款, en: New terms}}
`...)
		if _, err := w.catalog.Apply(t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion); err != nil {
			t.Fatal(err)
		}
		wants(t, w.get(t, published)["case_agreement"].(map[string]any), map[string]any{"id": "5", "version": 2.0, "content": "新的条款"})
		if signed(w.business, "") != false {
			t.Error("the old signature counts for the new version")
		}
		status, answer = w.call(t, w.business, http.MethodPost, "agreements/1/signed", "{}")
		if status != http.StatusBadRequest || answer["error_code"] != "OSM.01010001" || !strings.Contains(answer["error_msg"].(string), "（5）") {
			t.Errorf("the old version: %d %v", status, answer)
		}
	})
}

func TestSignRefusals(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		tests := []struct {
			path, body string
			code       string
			field      string
		}{
			{"agreements/99/signed", "{}", "OSM.01010001", "id"},
			{"agreements/0/signed", "{}", "OSM.01010001", "id"},
			{"agreements/1/signed", `{"relation_id":"` + strings.Repeat("单", 33) + `"}`, "OSM.01010001", "relation_id"},
			{"agreements/1/signed", `{"relation_id":7}`, "OSM.0001", "relation_id"},
			{"agreements/1/signed", `{"relation_id":`, "OSM.0001", ""},
		}
		for _, tt := range tests {
			status, answer := w.call(t, w.business, http.MethodPost, tt.path, tt.body, "X-Language", en)
			msg, _ := answer["error_msg"].(string)
			if status != http.StatusBadRequest || answer["error_code"] != tt.code || !strings.Contains(msg, tt.field) {
				t.Errorf("%s %s: %d %v", tt.path, tt.body, status, answer)
			}
		}
		if status, answer := w.call(t, w.business, http.MethodPost, "agreements/1/signed", `{"relation_id":"`+strings.Repeat("单", 32)+`"}`); status != http.StatusOK {
			t.Errorf("32 characters: %d %v", status, answer)
		}
		if status, _ := w.call(t, principal.Principal{}, http.MethodPost, "agreements/1/signed", "{}"); status != http.StatusUnauthorized {
			t.Errorf("without credentials: %d", status)
		}
	})
}
