package matrix

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// scene is what an operation needs before it can succeed, and the values it is
// then called with.
type scene struct {
	*party
	t      *testing.T
	values map[string]any
}

var errScene = errors.New("an operation the scene needs is not built")

// must sends a request of the scene's preparation.
func (s *scene) must(method, path string, body any, into any) error {
	var raw []byte
	if body != nil {
		raw, _ = json.Marshal(body)
	}
	a := s.send(s.t, method, "/v2/servicerequest/"+path, nil, raw)
	switch {
	case a.status == http.StatusNotImplemented:
		return errScene
	case a.denied():
		return fmt.Errorf("%s %s: %.300s", method, path, a.text)
	case into != nil:
		return json.Unmarshal([]byte(a.text), into)
	}
	return nil
}

func (s *scene) make(kind objects.Kind, text string) (string, error) {
	m := s.maker
	m.Text = text
	id, err := m.Make(kind, s.made)
	if errors.Is(err, objects.ErrNotBuilt) {
		return "", errScene
	}
	return id, err
}

// engineer takes steps on the scene's ticket.
func (s *scene) engineer(steps ...string) error {
	for _, step := range steps {
		if _, err := s.w.Local(append([]string{"desk", step, s.values["case_id"].(string)}, map[string][]string{"resolve": {"solved"}}[step]...)...); err != nil {
			return err
		}
	}
	return nil
}

// picture uploads a small picture.
func (s *scene) picture() error {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		return err
	}
	var made struct {
		ID string `json:"accessory_id"`
	}
	err := s.must("POST", "accessorys/json-format-content", map[string]any{"accessory_name": "picture.png", "accessory_from": "incident", "upload_type": 1,
		"accessory_data": base64.StdEncoding.EncodeToString(file.Bytes())}, &made)
	s.values["accessory_id"] = made.ID
	return err
}

// label makes a label with a name of its own and puts it into the values.
func (s *scene) label(name string) error {
	id, err := s.make(objects.Label, name)
	if err == nil {
		s.values["label_id"], s.values["label_ids"] = json.Number(id), []any{json.Number(id)}
	}
	return err
}

// related makes a second ticket for the values.
func (s *scene) related() error {
	id, err := s.make(objects.Ticket, "related")
	s.values["related_id"], s.values["related_id_list"] = id, []any{id}
	return err
}

// scenes prepare those operations that a fresh ticket and the maker's objects
// are not enough for. Each gets a fresh ticket as case_id.
var scenes = map[string]func(s *scene) error{
	"CreateScores": func(s *scene) error {
		if err := s.engineer("accept", "resolve"); err != nil {
			return err
		}
		return s.must("POST", "cases/"+s.values["case_id"].(string)+"/action?action_id=close", map[string]any{}, nil)
	},
	"CheckVerifyCodes": func(s *scene) error {
		s.values["contact_value"] = "good-path@example.com"
		delete(s.values, "x_customer_id")
		delete(s.values, "customer_id")
		if err := s.must("POST", "verifycodes/send", map[string]any{"contact_value": "good-path@example.com", "contact_way": 1, "area_code": "86"}, nil); err != nil {
			return err
		}
		code, err := s.w.Local("outbox", "--to", "good-path@example.com", "--code")
		s.values["verify_code"] = code
		return err
	},
	"SendVerifyCodes":  func(s *scene) error { s.values["contact_value"] = "good-path-2@example.com"; return nil },
	"CreateLabels":     func(s *scene) error { s.values["name"] = "good label"; return nil },
	"UpdateLabels":     func(s *scene) error { s.values["name"] = "renamed label"; return s.label("to rename") },
	"DeleteLabels":     func(s *scene) error { return s.label("to delete") },
	"CreateCaseLabels": func(s *scene) error { return s.label("to attach") },
	"DeleteCaseLabels": func(s *scene) error {
		if err := s.label("to detach"); err != nil {
			return err
		}
		return s.must("POST", fmt.Sprintf("cases/%s/labels?label_ids=%v", s.values["case_id"], s.values["label_id"]), nil, nil)
	},
	"CreateRelations": func(s *scene) error { return s.related() },
	"DeleteRelation": func(s *scene) error {
		if err := s.related(); err != nil {
			return err
		}
		return s.must("POST", "cases/"+s.values["case_id"].(string)+"/relations", map[string]any{"related_id_list": s.values["related_id_list"]}, nil)
	},
	"DownloadImages": func(s *scene) error { return s.picture() },
	"DeleteAccessories": func(s *scene) (err error) {
		s.values["accessory_id"], err = s.make(objects.Attachment, "to delete")
		return err
	},
	"ListAccessoryAccessUrls": func(s *scene) error { s.values["accessory_ids"] = []any{s.values["accessory_id"]}; return nil },
	"RevokeMessage": func(s *scene) error {
		m := s.maker
		id, err := m.Make(objects.Message, map[objects.Kind]string{objects.Ticket: s.values["case_id"].(string)})
		s.values["message_id"] = id
		return err
	},
	"CreateCases": func(s *scene) error { // with severity, region and plan
		s.values["business_type_id"], s.values["product_category_id"] = objects.RemoteLogin, objects.ECS
		var list struct {
			Severities []struct {
				ID string `json:"severity_id"`
			} `json:"severity_list"`
		}
		if err := s.must("GET", "config/severities?product_category_id="+objects.ECS+"&business_type_id="+objects.RemoteLogin, nil, &list); err != nil {
			return err
		}
		if len(list.Severities) == 0 {
			return errors.New("no severities")
		}
		s.values["severity_id"] = list.Severities[0].ID
		return nil
	},
	"ListSeverities":    fault,
	"ListExtendsParams": fault,
	"SignPublishedAgreement": func(s *scene) error {
		var newest struct {
			Agreement struct {
				ID json.Number `json:"id"`
			} `json:"case_agreement"`
		}
		if err := s.must("GET", "agreements/published-agreement?agreement_type=0", nil, &newest); err != nil {
			return err
		}
		s.values["id"], s.values["relation_id"] = newest.Agreement.ID, s.values["case_id"]
		return nil
	},
	"ConfirmAuthorizations": authorize,
	"UpdateAuthorizations":  func(s *scene) error { s.values["action_id"] = "reject"; return authorize(s) },
}

// fault asks about a fault of the default catalogue.
func fault(s *scene) error {
	s.values["business_type_id"], s.values["product_category_id"] = objects.RemoteLogin, objects.ECS
	return nil
}

// authorize has a fresh authorization asked for, and its agreement signed.
func authorize(s *scene) error {
	m := s.maker
	made := map[objects.Kind]string{}
	id, err := m.Make(objects.Authorization, made) // in a fresh ticket
	if errors.Is(err, objects.ErrNotBuilt) {
		return errScene
	}
	if err != nil {
		return err
	}
	made[objects.Authorization] = id
	s.values["authorization_id"] = id
	delete(s.values, "agency_id")
	if detail, err := m.Make(objects.Detail, made); err == nil {
		s.values["auth_detail_id"] = json.Number(detail)
	}
	var newest struct {
		Agreement struct {
			ID json.Number `json:"id"`
		} `json:"case_agreement"`
	}
	if err := s.must("GET", "agreements/published-agreement?agreement_type=2", nil, &newest); err != nil {
		return err
	}
	return s.must("POST", "agreements/"+newest.Agreement.ID.String()+"/signed", map[string]any{"relation_id": id}, nil)
}

// mayRefuse are operations whose success needs what no customer can bring about
// in the demo world, with the codes they then answer.
var mayRefuse = map[string][]string{
	"CheckHosts":             {"OSM.01010002", "OSM.01010032"}, // off until the operator lists networks (D1)
	"ShowConfiguration":      {"OSM.01010001"},                 // no key is documented
	"ListHistoryOperateLogs": {"OSM.01010001", "OSM.01010002", "OSM.01010032"},
	"ListTransportHistories": {"OSM.01010001", "OSM.01010002", "OSM.01010032"}, // sessions come from the gateway
	"ListHistorySessions":    {"OSM.01010032"},
	"CreateFeedback":         {"OSM.01010016"}, // types are not documented
}

// TestGoodPath: every operation, called as its documents want it on objects of
// the caller, succeeds; the steps of a ticket each in their state. What is not
// built is counted.
func TestGoodPath(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		p := newParty(t, w, 0, 0, w.Consultation(t), "good path")
		var notBuilt, blocked, refused, bilingual []string
		done := 0
		for _, call := range contract.Calls(t) {
			for _, values := range steps(call, p.good()) {
				s := &scene{party: p, t: t, values: values}
				if strings.Contains(call.Path, "{case_id}") {
					id, err := p.maker.Make(objects.Ticket, nil)
					if err != nil {
						t.Fatal(err)
					}
					values["case_id"] = id
				}
				delete(values, "group_id") // his own
				delete(values, "groupId")
				delete(values, "accessory_ids")
				var err error
				switch action := values["action_id"]; {
				case call.ID == "UpdateCases" && action == "close":
					err = s.engineer("accept")
				case call.ID == "UpdateCases" && action == "delete":
					err = s.must("POST", "cases/"+values["case_id"].(string)+"/action?action_id=cancel", map[string]any{}, nil)
				case call.ID == "UpdateAuthorizations" && action == "cancel":
					if err = authorize(s); err == nil {
						err = s.must("PUT", "authorizations/"+values["authorization_id"].(string), map[string]any{"auth_detail_list": []any{map[string]any{"auth_detail_id": values["auth_detail_id"], "port": 22, "account": "root", "password": "x"}},
							"auth_effective_time": values["auth_effective_time"], "auth_expire_time": values["auth_expire_time"]}, nil)
					}
				case scenes[call.ID] != nil:
					err = scenes[call.ID](s)
				}
				if errors.Is(err, errScene) {
					blocked = append(blocked, call.ID)
					continue
				}
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
				case a.status == http.StatusNotImplemented:
					notBuilt = append(notBuilt, call.ID)
				case a.denied() && slices.Contains(mayRefuse[call.ID], a.code):
					refused = append(refused, call.ID)
				case a.denied() || a.status != http.StatusOK:
					t.Errorf("%s (%v): %d %.300s\nrequest: %s %s %.500s", call.ID, values["action_id"], a.status, a.text, call.Method, path, body)
				default:
					done++
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
		t.Logf("REPORT good path (%s): %d calls succeed, %d in two languages, %d refused as they may be (%s), %d not built, %d wait for others that are not built (%s)\n",
			t.Name(), done, len(bilingual), len(refused), strings.Join(refused, " "), len(notBuilt), len(blocked), strings.Join(blocked, " "))
	})
}
