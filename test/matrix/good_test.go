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

// must sends a request of the scene's preparation.
func (s *scene) must(method, path string, body any, into any) error {
	var raw []byte
	if body != nil {
		raw, _ = json.Marshal(body)
	}
	a := s.send(s.t, method, "/v2/servicerequest/"+path, nil, raw)
	switch {
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
	return m.Make(kind, maps.Clone(s.made))
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
	"CreateCaseExtendsParam": func(s *scene) (err error) {
		s.values["extends_map"] = map[string]any{"error_message": "no route to host"}
		s.values["message_id"], err = s.maker.Make(objects.Message, map[objects.Kind]string{objects.Ticket: s.values["case_id"].(string)})
		return err
	},
	"CreateMessages": func(s *scene) error { // with a file
		id, err := s.make(objects.Attachment, "to send")
		s.values["accessory_ids"] = []any{id}
		return err
	},
	"CreateFeedback": func(s *scene) error { // a report of an abuse, not a word on the service
		s.values["name"], s.values["id_files"] = "Li", []any{s.made[objects.Attachment]}
		return nil
	},
	"CreateDiagnoseFeedback": func(s *scene) error { _, err := s.make(objects.Job, ""); return err }, // each is rated once
	"ConfirmAuthorizations":  authorize,
	"CheckHosts": func(s *scene) error {
		const account, password = "root-of-the-good-path", "password-of-the-good-path"
		s.values["port"], s.values["account"], s.values["password"] = world.SSH(s.t, account, password), account, password
		err := authorize(s)
		s.values["authorization_detail_id"] = s.values["auth_detail_id"]
		return err
	},
	"UpdateAuthorizations": func(s *scene) error { s.values["action_id"] = "reject"; return authorize(s) },
}

// fault asks about a fault of the default catalogue.
func fault(s *scene) error {
	s.values["business_type_id"], s.values["product_category_id"] = objects.RemoteLogin, objects.ECS
	return nil
}

// authorize has a fresh authorization asked for, and its agreement signed.
func authorize(s *scene) error {
	made := map[objects.Kind]string{} // in a fresh ticket
	id, err := s.maker.Make(objects.Asked, made)
	if err != nil {
		return err
	}
	detail, err := s.maker.Make(objects.Detail, map[objects.Kind]string{objects.Authorization: id})
	if err != nil {
		return err
	}
	s.values["authorization_id"], s.values["auth_detail_id"] = id, json.Number(detail)
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

// TestGoodPath: every operation, called as its documents want it on objects of
// the caller, succeeds; the steps of a ticket each in their state.
func TestGoodPath(t *testing.T) {
	configured(t, "authorization: {check_hosts: {enabled: true, allow: [127.0.0.1]}}\n", func(t *testing.T, w *world.World) {
		p := newParty(t, w, 0, 0, w.Consultation(t), "good path")
		var bilingual []string
		done, operations := 0, map[string]bool{}
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
					values["authorization_id"], err = s.maker.Make(objects.Authorization, nil)
				case scenes[call.ID] != nil:
					err = scenes[call.ID](s)
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
