package matrix

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// TestGoodPath: every operation, called as its documents want it on objects of
// the caller, succeeds; the steps of a ticket each in their state.
func TestGoodPath(t *testing.T) {
	configured(t, objects.Scenes, func(t *testing.T, w *world.World) {
		p := newParty(t, w, 0, 0, w.Consultation(t), "good path")
		var bilingual []string
		done, operations := 0, map[string]bool{}
		for _, call := range contract.Calls(t) {
			for _, values := range steps(call, p.good()) {
				delete(values, "group_id") // his own
				delete(values, "groupId")
				delete(values, "accessory_ids")
				err := p.maker.Prepare(t, call.ID, p.made, values)
				if err != nil {
					t.Errorf("%s: the scene: %v", call.ID, err)
					continue
				}
				// What has no good value is left out: only what is required must be there.
				wire := contract.Values{Pick: objects.Pick(values)}.Wire(call)
				full := contract.Values{Full: true, Pick: objects.Pick(values)}.Wire(call)
				for name, v := range full {
					if _, ok := values[name]; ok && wire[name] == nil {
						wire[name] = v
					}
				}
				if body, ok := full["body"].(map[string]any); ok {
					kept := maps.Clone(body)
					for name := range kept {
						if _, good := values[name]; !good && !slices.Contains(call.Body.Required, name) {
							delete(kept, name)
						}
					}
					wire["body"] = kept
				}
				path, header, body, kind := call.HTTP(wire)
				if body != nil {
					header["Content-Type"] = kind
				}
				a := p.send(t, call.Method, path, header, body)
				switch {
				case a.denied() || a.status != http.StatusOK:
					t.Errorf("%s (%v): %d %.300s\nrequest: %s %s %.500s", call.ID, values["action_id"], a.status, a.text, call.Method, path, body)
				default:
					done++
					operations[call.ID] = true
					if call.Method != http.MethodGet {
						continue
					}
					header["X-Language"] = "zh-cn"
					zh := p.send(t, call.Method, path, header, nil)
					if zh.denied() {
						t.Errorf("%s in Chinese: %d %.300s", call.ID, zh.status, zh.text)
					}
					if zh.plain() != a.plain() && han(zh.text) {
						bilingual = append(bilingual, call.ID)
					}
				}
			}
		}
		for _, named := range strings.Fields("ListAreaCodes ListCaseCategories ListCaseTemplates ListProblemTypes ListProductCategories ListRegions ListSatisfactionDimensions ShowCaseDetail ShowLatestPublishedAgreement") {
			if !slices.Contains(bilingual, named) {
				t.Errorf("%s tells the same names in both languages", named)
			}
		}
		if len(operations) != 82 {
			t.Errorf("%d operations have succeeded, want 82", len(operations))
		}
		t.Logf("REPORT good path (%s): %d of 82 operations succeed, in %d calls; %d tell names in two languages\n", t.Name(), len(operations), done, len(bilingual))
	})
}
