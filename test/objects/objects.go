// Package objects makes, through the customer API, one object of every kind the
// contract has an id for, and tells which field of the contract holds which
// kind. A kind whose operations answer 501 is reported as not built; its maker
// is written from the contract and works as soon as they are there.
package objects

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"casemate/test/world"
)

// Kind is a kind of object.
type Kind string

// The kinds of ids of the contract.
const (
	Ticket        Kind = "ticket"
	Message       Kind = "message"
	Attachment    Kind = "attachment"
	Label         Kind = "label"
	Authorization Kind = "authorization"
	Detail        Kind = "authorization detail"
	Session       Kind = "session"
	Job           Kind = "diagnosis job"
	Group         Kind = "group"
	User          Kind = "user"
	Proof         Kind = "proof"
	Agency        Kind = "agency"
	Domain        Kind = "domain"
)

// Kinds are all of them, in an order in which they can be made.
var Kinds = []Kind{Domain, User, Group, Ticket, Message, Attachment, Label, Authorization, Detail, Session, Job, Proof, Agency}

// Fields are the fields of the contract that hold an id, by their last name.
var Fields = map[string]Kind{
	"case_id": Ticket, "incident_id": Ticket, "incidentId": Ticket, "case_ids": Ticket, "related_id": Ticket, "related_id_list": Ticket, "relation_id": Ticket,
	"message_id": Message, "accessory_id": Attachment, "accessory_ids": Attachment, "files": Attachment,
	"label_id": Label, "label_ids": Label, "label_id_list": Label, "labelIdList": Label,
	"authorization_id": Authorization, "authorization_detail_id": Detail, "auth_detail_id": Detail, "session_id": Session,
	"job_id": Job, "group_id": Group, "groupId": Group, "agency_id": Agency,
	"x_customer_id": User, "xCustomerId": User, "sub_customer_id": User, "customer_id": Domain,
	"verified_id": Proof, "x-phone-verifiedid": Proof, "x-email-verifiedid": Proof,
}

// Never are well-formed ids of objects that never existed.
var Never = map[Kind]string{
	Ticket: "TS2601010000000000000", Message: "01900000000000000000000000", Attachment: "01900000000000000000000001", Label: "2147483000",
	Authorization: "01900000000000000000000002", Detail: "2147483001", Session: "2147483002", Job: "2147483003", Group: "01900000000000000000000004",
	User: "01900000000000000000000005", Proof: "01900000000000000000000006", Agency: "01900000000000000000000007", Domain: "01900000000000000000000008",
}

// ErrNotBuilt says that the operations that make the object answer 501, or that
// nothing makes such an object yet.
var ErrNotBuilt = errors.New("not built")

// Send sends a request with a customer's credentials; a nil body sends none.
type Send func(method, path string, body any) (status int, text string)

// Maker makes objects of one user.
type Maker struct {
	World   *world.World
	Send    Send
	Domain  string // the user's
	User    string
	Mail    string // an address to prove, of nobody else
	Problem string // a problem type
	Text    string // stands in every text and name, at most 40 characters
}

// Source is the fixed source of tickets that come by the API.
const Source = "83aeb0f2834c4df49826c781d32a963e"

func (m Maker) call(method, path string, body, into any) error {
	status, text := m.Send(method, path, body)
	var refusal struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal([]byte(text), &refusal) // not every answer is JSON
	switch {
	case status == http.StatusNotImplemented && refusal.Code == "OSM.0004":
		return ErrNotBuilt
	case status >= 400 || refusal.Code != "":
		return fmt.Errorf("%s %s: %d %.300s", method, path, status, text)
	case into == nil:
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%s %s: %w: %.300s", method, path, err, text)
	}
	return nil
}

const base = "/v2/servicerequest/"

// Make makes an object and answers its id. Objects inside others are made in
// those of made, or in new ones.
func (m Maker) Make(kind Kind, made map[Kind]string) (string, error) {
	ticket := func() (string, error) {
		if id := made[Ticket]; id != "" {
			return id, nil
		}
		return m.ticket()
	}
	switch kind {
	case Domain:
		return m.Domain, nil
	case User:
		return m.User, nil
	case Ticket:
		return m.ticket()
	case Attachment:
		return m.attachment()
	case Label:
		return m.label()
	case Group:
		return m.group()
	case Job:
		return m.job()
	case Proof:
		return m.proof()
	case Message, Authorization:
		id, err := ticket()
		if err != nil {
			return "", err
		}
		if kind == Message {
			return m.message(id)
		}
		return m.authorization(id)
	case Detail:
		if made[Authorization] == "" {
			return "", ErrNotBuilt
		}
		return m.detail(made[Authorization])
	}
	// Sessions come from the gateway, agencies from IAM: no operation of the
	// customer makes one.
	return "", ErrNotBuilt
}

func (m Maker) ticket() (string, error) {
	var made struct {
		ID string `json:"incident_id"`
	}
	err := m.call("POST", base+"cases", map[string]any{"business_type_id": m.Problem, "source_id": Source, "simple_description": m.Text + " description 描述"}, &made)
	return made.ID, err
}

func (m Maker) message(ticket string) (string, error) {
	text := m.Text + " message 消息"
	if err := m.call("POST", base+"cases/"+ticket+"/message", map[string]any{"message": map[string]any{"content": text}}, nil); err != nil {
		return "", err
	}
	var shown struct {
		Info struct {
			Messages []struct {
				ID      string `json:"message_id"`
				Content string `json:"content"`
			} `json:"message_list"`
		} `json:"incident_detail_info"`
	}
	if err := m.call("GET", base+"cases/"+ticket, nil, &shown); err != nil {
		return "", err
	}
	for _, said := range slices.Backward(shown.Info.Messages) {
		if said.Content == text && said.ID != "" {
			return said.ID, nil
		}
	}
	return "", fmt.Errorf("the message is not in the ticket's detail")
}

// attachment uploads a text file; its content holds the maker's text.
func (m Maker) attachment() (string, error) {
	var made struct {
		ID string `json:"accessory_id"`
	}
	err := m.call("POST", base+"accessorys/json-format-content", map[string]any{"accessory_name": m.Text + ".txt", "accessory_from": "incident", "upload_type": 0,
		"accessory_data": base64.StdEncoding.EncodeToString([]byte(m.Text + " file content 文件内容\n"))}, &made)
	return made.ID, err
}

// label makes a label; the answer has no id, the list has.
func (m Maker) label() (string, error) {
	if err := m.call("POST", base+"labels", map[string]any{"name": m.Text + " label", "color": "#ff0000"}, nil); err != nil {
		return "", err
	}
	var list map[string]json.RawMessage
	if err := m.call("GET", base+"labels?limit=100", nil, &list); err != nil {
		return "", err
	}
	for _, raw := range list {
		var labels []struct {
			ID   json.Number `json:"label_id"`
			ID2  json.Number `json:"id"`
			Name string      `json:"name"`
		}
		if json.Unmarshal(raw, &labels) != nil {
			continue
		}
		for _, l := range labels {
			if l.Name == m.Text+" label" {
				return max(l.ID.String(), l.ID2.String()), nil
			}
		}
	}
	return "", fmt.Errorf("the label is not in the list")
}

// group is a group of the domain: the first that the operator's desk lists.
func (m Maker) group() (string, error) {
	status, text, err := m.World.Operator("GET", "/desk/v1/domains/"+m.Domain+"/groups", nil)
	if err != nil {
		return "", err
	}
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list.Items) == 0 {
		return "", fmt.Errorf("groups: %d %.300s", status, text)
	}
	return list.Items[0].ID, nil
}

func (m Maker) job() (string, error) {
	var made struct {
		ID string `json:"job_id"`
	}
	err := m.call("POST", "/v2.0/servicerequest/diagnose/job/start", map[string]any{"type": 1, "region_id": "cn-north-1", "params": map[string]any{"text": m.Text}}, &made)
	return made.ID, err
}

// proof proves the maker's address by a code out of the catcher.
func (m Maker) proof() (string, error) {
	contact := map[string]any{"contact_value": m.Mail, "contact_way": 1, "area_code": "86"}
	if err := m.call("POST", base+"verifycodes/send", contact, nil); err != nil {
		return "", err
	}
	code, err := m.World.Local("outbox", "--to", m.Mail, "--code")
	if err != nil {
		return "", err
	}
	contact["verify_code"] = code
	if err := m.call("POST", base+"verifycodes", contact, nil); err != nil {
		return "", err
	}
	var list struct {
		Contacts []struct {
			ID string `json:"verified_id"`
		} `json:"contact_list"`
	}
	if err := m.call("GET", base+"verifycodes/has-verified?contact_way=1&contact_value="+url.QueryEscape(m.Mail), nil, &list); err != nil {
		return "", err
	}
	if len(list.Contacts) != 1 {
		return "", fmt.Errorf("%d proofs of %s", len(list.Contacts), m.Mail)
	}
	return list.Contacts[0].ID, nil
}

// authorization is asked for by an engineer; the ticket is taken for it.
func (m Maker) authorization(ticket string) (string, error) {
	if _, err := m.World.Local("desk", "accept", ticket); err != nil && !strings.Contains(err.Error(), "OSM.01010051") && !strings.Contains(err.Error(), "OSM.01010002") { // taken before
		return "", err
	}
	out, err := m.World.Local("desk", "authorize", ticket)
	switch {
	case err != nil && (strings.Contains(err.Error(), "OSM.0004") || strings.Contains(err.Error(), "not available")):
		return "", ErrNotBuilt
	case err != nil:
		return "", err
	}
	fields := strings.Fields(out)
	if len(fields) == 0 {
		return "", fmt.Errorf("casemate desk authorize printed nothing")
	}
	return fields[0], nil
}

func (m Maker) detail(authorization string) (string, error) {
	var shown struct {
		Details []struct {
			ID json.Number `json:"id"`
		} `json:"incident_auth_detail_list"`
	}
	if err := m.call("GET", base+"authorizations/"+authorization, nil, &shown); err != nil {
		return "", err
	}
	if len(shown.Details) == 0 {
		return "", fmt.Errorf("the authorization has no details")
	}
	return shown.Details[0].ID.String(), nil
}

// MakeAll makes one object of every kind, and tells which kinds are not built.
func (m Maker) MakeAll() (made map[Kind]string, missing []string, err error) {
	made = map[Kind]string{}
	for _, kind := range Kinds {
		id, err := m.Make(kind, made)
		switch {
		case errors.Is(err, ErrNotBuilt):
			missing = append(missing, string(kind))
			continue
		case err != nil:
			return nil, nil, fmt.Errorf("making the %s: %w", kind, err)
		}
		made[kind] = id
	}
	return made, missing, nil
}
