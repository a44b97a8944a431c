package objects

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"testing"

	"casemate/test/world"
)

// Scenes is part of the configuration without which no scene of CheckHosts can
// succeed: no host may be checked by default.
const Scenes = "authorization: {check_hosts: {enabled: true, allow: [127.0.0.1]}}\n"

// scene is what an operation needs before it can succeed.
type scene struct {
	Maker
	t      testing.TB
	made   map[Kind]string
	values map[string]any // that the operation is then called with
	ticket string         // a fresh one, the case_id of the values
}

// Prepare brings about what an operation needs to succeed with the values, and
// changes those to fit: each ticket is a fresh one, each code has just been
// sent. The values' action_id is the step that will be taken.
func (m Maker) Prepare(t testing.TB, operation string, made map[Kind]string, values map[string]any) error {
	id, err := m.Make(Ticket, nil)
	if err != nil {
		return err
	}
	values["case_id"] = id
	s := &scene{Maker: m, t: t, made: made, values: values, ticket: id}
	if step := scenes[fmt.Sprint(operation, " ", values["action_id"])]; step != nil {
		return step(s)
	}
	if prepare := scenes[operation]; prepare != nil {
		return prepare(s)
	}
	return nil
}

// scenes by operation, or operation and step, where a fresh ticket and the
// maker's objects are not enough.
var scenes = map[string]func(s *scene) error{
	"UpdateCases close":  func(s *scene) error { return s.engineers("accept") },
	"UpdateCases delete": func(s *scene) error { return s.act("cancel") },
	"CreateScores": func(s *scene) error {
		if err := s.engineers("accept", "resolve"); err != nil {
			return err
		}
		return s.act("close")
	},
	"CheckVerifyCodes": func(s *scene) error {
		to := s.address()
		s.values["contact_value"] = to
		if err := s.call("POST", base+"verifycodes/send", map[string]any{"contact_value": to, "contact_way": 1, "area_code": "86"}, nil); err != nil {
			return err
		}
		code, err := s.World.Local("outbox", "--to", to, "--code")
		s.values["verify_code"] = code
		return err
	},
	"SendVerifyCodes":  func(s *scene) error { s.values["contact_value"] = s.address(); return nil },
	"CreateLabels":     func(s *scene) error { s.values["name"] = fmt.Sprint("good label ", serial.Add(1)); return nil },
	"UpdateLabels":     func(s *scene) error { s.values["name"] = fmt.Sprint("renamed ", serial.Add(1)); return s.labelled() },
	"DeleteLabels":     (*scene).labelled,
	"CreateCaseLabels": (*scene).labelled,
	"DeleteCaseLabels": func(s *scene) error {
		if err := s.labelled(); err != nil {
			return err
		}
		return s.call("POST", fmt.Sprintf("%scases/%s/labels?label_ids=%v", base, s.ticket, s.values["label_id"]), nil, nil)
	},
	"CreateRelations": (*scene).related,
	"DeleteRelation": func(s *scene) error {
		if err := s.related(); err != nil {
			return err
		}
		return s.call("POST", base+"cases/"+s.ticket+"/relations", map[string]any{"related_id_list": s.values["related_id_list"]}, nil)
	},
	"DownloadImages":          (*scene).picture,
	"DeleteAccessories":       (*scene).file,
	"ListAccessoryAccessUrls": func(s *scene) error { s.values["accessory_ids"] = []any{s.values["accessory_id"]}; return nil },
	"CreateMessages":          (*scene).file,
	"RevokeMessage":           (*scene).said,
	"CreateCaseExtendsParam": func(s *scene) error {
		s.values["extends_map"] = map[string]any{"error_message": "no route to host"}
		return s.said()
	},
	"CreateCases": func(s *scene) error { // with severity, region, plan and a file
		var list struct {
			Severities []struct {
				ID string `json:"severity_id"`
			} `json:"severity_list"`
		}
		if err := s.call("GET", base+"config/severities?product_category_id="+ECS+"&business_type_id="+RemoteLogin, nil, &list); err != nil {
			return err
		}
		if len(list.Severities) == 0 {
			return errors.New("no severities for a fault of the demo's plan")
		}
		s.values["severity_id"] = list.Severities[0].ID
		return errors.Join(s.fault(), s.file())
	},
	"ListSeverities":    (*scene).fault,
	"ListExtendsParams": (*scene).fault,
	"SignPublishedAgreement": func(s *scene) (err error) {
		s.values["id"], err = s.agreement("0")
		s.values["relation_id"] = s.ticket
		return err
	},
	"CreateFeedback": func(s *scene) error { // a report of an abuse, not a word on the service
		s.values["name"], s.values["id_files"] = "Li", []any{s.made[Attachment]}
		return nil
	},
	"CreateDiagnoseFeedback":      func(s *scene) error { _, err := s.Make(Job, nil); return err }, // each is rated once
	"ConfirmAuthorizations":       (*scene).authorize,
	"UpdateAuthorizations reject": (*scene).authorize,
	"UpdateAuthorizations cancel": func(s *scene) (err error) {
		s.values["authorization_id"], err = s.Make(Authorization, nil)
		return err
	},
	"CheckHosts": func(s *scene) error {
		const account, password = "root-of-the-good-path", "password-of-the-good-path"
		s.values["port"], s.values["account"], s.values["password"] = world.SSH(s.t, account, password), account, password
		err := s.authorize()
		s.values["authorization_detail_id"] = s.values["auth_detail_id"]
		return err
	},
}

// act takes a step of the customer.
func (s *scene) act(action string) error {
	return s.call("POST", base+"cases/"+s.ticket+"/action?action_id="+action, map[string]any{}, nil)
}

// engineers take steps.
func (s *scene) engineers(steps ...string) error {
	for _, step := range steps {
		body := map[string]any{"action": step, "as": s.engineer()}
		if step == "resolve" {
			body["text"] = "solved"
		}
		if err := s.operator("POST", "tickets/"+s.ticket+"/steps", body, nil); err != nil {
			return err
		}
	}
	return nil
}

// address is a mail address that was never used.
func (s *scene) address() string { return fmt.Sprintf("scene-%d@example.com", serial.Add(1)) }

// file uploads one that is not sent yet.
func (s *scene) file() error {
	id, err := s.Make(Attachment, nil)
	s.values["accessory_id"], s.values["accessory_ids"] = id, []any{id}
	return err
}

// picture uploads a small one.
func (s *scene) picture() error {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, 4, 4))); err != nil {
		return err
	}
	var made struct {
		ID string `json:"accessory_id"`
	}
	err := s.call("POST", base+"accessorys/json-format-content", map[string]any{"accessory_name": "picture.png", "accessory_from": "incident", "upload_type": 1,
		"accessory_data": base64.StdEncoding.EncodeToString(file.Bytes())}, &made)
	s.values["accessory_id"] = made.ID
	return err
}

// said makes a message in the ticket.
func (s *scene) said() (err error) {
	s.values["message_id"], err = s.Make(Message, map[Kind]string{Ticket: s.ticket})
	return err
}

// labelled makes a label.
func (s *scene) labelled() error {
	id, err := s.Make(Label, nil)
	s.values["label_id"], s.values["label_ids"] = json.Number(id), []any{json.Number(id)}
	return err
}

// related makes a second ticket.
func (s *scene) related() error {
	id, err := s.Make(Ticket, nil)
	s.values["related_id"], s.values["related_id_list"] = id, []any{id}
	return err
}

// fault asks about a fault of the default catalogue.
func (s *scene) fault() error {
	s.values["business_type_id"], s.values["product_category_id"] = RemoteLogin, ECS
	return nil
}

// agreement is the newest of a type.
func (s *scene) agreement(kind string) (json.Number, error) {
	var newest struct {
		Agreement struct {
			ID json.Number `json:"id"`
		} `json:"case_agreement"`
	}
	err := s.call("GET", base+"agreements/published-agreement?agreement_type="+kind, nil, &newest)
	return newest.Agreement.ID, err
}

// authorize has a fresh authorization asked for, and its agreement signed.
func (s *scene) authorize() error {
	id, err := s.Make(Asked, map[Kind]string{Ticket: s.ticket})
	if err != nil {
		return err
	}
	detail, err := s.Make(Detail, map[Kind]string{Authorization: id})
	if err != nil {
		return err
	}
	s.values["authorization_id"], s.values["auth_detail_id"] = id, json.Number(detail)
	agreement, err := s.agreement("2")
	if err != nil {
		return err
	}
	return s.call("POST", base+"agreements/"+agreement.String()+"/signed", map[string]any{"relation_id": id}, nil)
}
