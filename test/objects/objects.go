// Package objects makes one object of every kind the contract has an id for, as
// customers, engineers and the operator make them, and tells which field of the
// contract holds which kind.
package objects

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

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

// Further objects of some kinds, in a state of their own.
const (
	Sent  Kind = "sent attachment"       // of a message; an Attachment is not sent yet
	Asked Kind = "pending authorization" // waits for its answer; an Authorization is granted

	Cursor Kind = "cursor of polls" // no object, but only a poll tells one
)

// Kinds are all of them, in an order in which they can be made.
var Kinds = []Kind{Domain, User, Group, Ticket, Message, Attachment, Sent, Label, Asked, Authorization, Detail, Session, Job, Proof, Agency, Cursor}

// Also are the other objects whose ids fit where those of a kind do.
var Also = map[Kind]Kind{Attachment: Sent, Authorization: Asked}

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
	Authorization: "Auth-01900000000000000000000002", Detail: "2147483001", Session: "2147483002", Job: "2147483003", Group: "01900000000000000000000004",
	User: "01900000000000000000000005", Proof: "01900000000000000000000006", Agency: "01900000000000000000000007", Domain: "01900000000000000000000008",
}

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
// those of made, or in new ones, which are put into made.
func (m Maker) Make(kind Kind, made map[Kind]string) (string, error) {
	if made == nil {
		made = map[Kind]string{}
	}
	within := func(outer Kind) (string, error) {
		if made[outer] == "" {
			id, err := m.Make(outer, made)
			if err != nil {
				return "", err
			}
			made[outer] = id
		}
		return made[outer], nil
	}
	inside := map[Kind]Kind{Message: Ticket, Sent: Ticket, Asked: Ticket, Authorization: Ticket, Cursor: Ticket, Detail: Authorization, Session: Authorization}
	outer := ""
	if kind := inside[kind]; kind != "" {
		var err error
		if outer, err = within(kind); err != nil {
			return "", err
		}
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
	case Agency:
		return m.agency()
	case Message:
		return m.message(outer, m.Text+" message 消息")
	case Sent:
		return m.sent(outer)
	case Asked:
		return m.asked(outer)
	case Cursor:
		var polled struct {
			Cursor string `json:"last_message_time_id"`
		}
		err := m.call("GET", base+"cases/instant-messages?case_ids="+outer, nil, &polled)
		return polled.Cursor, err
	case Authorization:
		return m.authorization(outer)
	case Detail:
		return m.detail(outer)
	case Session:
		detail, err := within(Detail)
		if err != nil {
			return "", err
		}
		return m.session(outer, detail)
	}
	return "", fmt.Errorf("nothing makes a %s", kind)
}

// serial tells things apart whose names must be unique.
var serial atomic.Int64

func (m Maker) ticket() (string, error) {
	var made struct {
		ID string `json:"incident_id"`
	}
	err := m.call("POST", base+"cases", map[string]any{"business_type_id": m.Problem, "source_id": Source, "simple_description": m.Text + " description 描述"}, &made)
	return made.ID, err
}

func (m Maker) message(ticket, text string, files ...string) (string, error) {
	content := map[string]any{"content": text}
	if len(files) > 0 {
		content["accessory_ids"] = files
	}
	if err := m.call("POST", base+"cases/"+ticket+"/message", map[string]any{"message": content}, nil); err != nil {
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

// sent uploads a file and sends it with a message.
func (m Maker) sent(ticket string) (string, error) {
	id, err := m.attachment()
	if err == nil {
		_, err = m.message(ticket, m.Text+" message with a file", id)
	}
	return id, err
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
	name := fmt.Sprint(m.Text, " label ", serial.Add(1))
	if err := m.call("POST", base+"labels", map[string]any{"name": name, "color": "#ff0000"}, nil); err != nil {
		return "", err
	}
	var list struct {
		Labels []struct {
			ID   json.Number `json:"label_id"`
			Name string      `json:"name"`
		} `json:"label_list"`
	}
	if err := m.call("GET", base+"labels?limit=100", nil, &list); err != nil {
		return "", err
	}
	for _, l := range list.Labels {
		if l.Name == name {
			return l.ID.String(), nil
		}
	}
	return "", fmt.Errorf("the label is not in the list: %+v", list)
}

// operator calls the desk API as the operator of the machine.
func (m Maker) operator(method, path string, body, into any) error {
	status, text, err := m.World.Operator(method, "/desk/v1/"+path, body)
	switch {
	case err != nil:
		return err
	case status >= 400:
		return fmt.Errorf("%s /desk/v1/%s: %d %.300s", method, path, status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// group is a group of the domain: the first that the operator's desk lists.
func (m Maker) group() (string, error) {
	var list struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	if err := m.operator("GET", "domains/"+m.Domain+"/groups", nil, &list); err != nil || len(list.Items) == 0 {
		return "", fmt.Errorf("groups: %+v, %w", list, err)
	}
	return list.Items[0].ID, nil
}

// job diagnoses an address that may not be reached by default, so that nothing
// leaves the machine, and waits for the end.
func (m Maker) job() (string, error) {
	const at = "/v2.0/servicerequest/diagnose/job"
	var made struct {
		ID string `json:"job_id"`
	}
	if err := m.call("POST", at+"/start", map[string]any{"type": 1, "region_id": "cn-north-1", "params": map[string]any{"eip": "127.0.0.1"}}, &made); err != nil {
		return "", err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var job struct {
			Status int `json:"status"`
		}
		if err := m.call("GET", at+"?job_id="+made.ID, nil, &job); err != nil {
			return "", err
		}
		if job.Status >= 3 {
			return made.ID, nil
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("the diagnosis does not end: status %d", job.Status)
		}
	}
}

// agency delegates the user's domain.
func (m Maker) agency() (string, error) {
	var made struct {
		ID string `json:"id"`
	}
	err := m.operator("POST", "domains/"+m.Domain+"/agencies", map[string]any{"name": fmt.Sprint(m.Text, " agency ", serial.Add(1)), "trust_domain_name": m.Text + " trusted"}, &made)
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

// engineer is the log-in name in which engineers' steps are taken.
func (m Maker) engineer() string { return m.World.Engineers[0].Name }

// asked is an authorization an engineer asks for: a host, which answers no one,
// and a console.
func (m Maker) asked(ticket string) (string, error) {
	var made struct {
		ID     string `json:"id"`
		Status int    `json:"status"`
	}
	err := m.operator("POST", "tickets/"+ticket+"/authorizations", map[string]any{"description": m.Text + " reason 原因", "as": m.engineer(), "details": []any{
		map[string]any{"type": "host", "address": "127.0.0.1", "port": 1, "instance_name": m.Text + " instance"}, map[string]any{"type": "console"}}}, &made)
	if err == nil && made.Status != 0 {
		err = fmt.Errorf("the authorization has state %d, want 0", made.Status)
	}
	return made.ID, err
}

// authorization is granted, with an account and a password.
func (m Maker) authorization(ticket string) (string, error) {
	id, err := m.asked(ticket)
	if err != nil {
		return "", err
	}
	detail, err := m.detail(id)
	if err != nil {
		return "", err
	}
	now := time.Now()
	return id, m.call("PUT", base+"authorizations/"+id, map[string]any{"auth_effective_time": now.UnixMilli(), "auth_expire_time": now.Add(24 * time.Hour).UnixMilli(),
		"auth_detail_list": []any{map[string]any{"auth_detail_id": json.Number(detail), "port": 1, "account": m.Text + " account", "password": m.Text + " password"}}}, nil)
}

// detail is the host of an authorization.
func (m Maker) detail(authorization string) (string, error) {
	var shown struct {
		Details []struct {
			ID   json.Number `json:"id"`
			Type int         `json:"type"`
		} `json:"incident_auth_detail_list"`
	}
	if err := m.call("GET", base+"authorizations/"+authorization, nil, &shown); err != nil {
		return "", err
	}
	for _, d := range shown.Details {
		if d.Type == 1 {
			return d.ID.String(), nil
		}
	}
	return "", fmt.Errorf("the authorization has no host: %+v", shown)
}

// session is what a gateway records under a grant.
func (m Maker) session(authorization, detail string) (string, error) {
	var made struct {
		ID int64 `json:"id"`
	}
	at := "authorizations/" + authorization
	if err := m.operator("POST", at+"/details/"+detail+"/sessions", map[string]any{"as": m.engineer()}, &made); err != nil {
		return "", err
	}
	id, now := strconv.FormatInt(made.ID, 10), time.Now().UTC().Format(time.RFC3339Nano)
	records := map[string]any{"commands": []any{map[string]any{"at": now, "text": m.Text + " command"}},
		"transfers": []any{map[string]any{"at": now, "type": "upload", "file_name": m.Text + " transfer", "result": "success"}}}
	if err := m.operator("POST", at+"/sessions/"+id+"/records", records, nil); err != nil {
		return "", err
	}
	return id, m.operator("POST", at+"/sessions/"+id+"/close", nil, nil)
}

// MakeAll makes one object of every kind; the ticket gets parameters, a label
// and a related ticket.
func (m Maker) MakeAll() (made map[Kind]string, err error) {
	made = map[Kind]string{}
	for _, kind := range Kinds {
		if made[kind], err = m.Make(kind, made); err != nil {
			return nil, fmt.Errorf("making the %s: %w", kind, err)
		}
	}
	related, err := m.ticket()
	if err != nil {
		return nil, err
	}
	at := base + "cases/" + made[Ticket]
	for path, body := range map[string]any{"/extends-param": map[string]any{"extends_map": map[string]any{"error_message": m.Text + " parameter 参数"}},
		"/labels?label_ids=" + made[Label]: nil, "/relations": map[string]any{"related_id_list": []any{related}}} {
		if err := m.call("POST", at+path, body, nil); err != nil {
			return nil, err
		}
	}
	return made, nil
}
