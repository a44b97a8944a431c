package selftest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The desk's side of operations whose effect lies there: what the house writes
// for the customer to see, and what it sees of what the customer wrote.

// What deskRecordSession records.
const (
	sessionCommand = "uptime"
	sessionFile    = "selftest.log"
	sessionSize    = 2048 // bytes, 2K on the wire
)

func segment(s string) string { return url.PathEscape(s) }

// domain is a path of the desk API below the sandbox.
func (r *run) domain(more string) string {
	return "/desk/v1/domains/" + segment(r.box.ID) + more
}

// acting adds the engineer's name where another acts for him.
func (r *run) acting(body map[string]any) map[string]any {
	if r.o.As != "" {
		body["as"] = r.o.As
	}
	return body
}

// deskAuthorize lets the engineer ask the customer for access to the host, and a
// supervisor agree where that is asked for. It answers the authorization's id.
func (r *run) deskAuthorize(number string) (string, error) {
	var made struct {
		ID     string `json:"id"`
		Status int    `json:"status"`
	}
	err := r.deskCall(r.o.Engineer, "authorize", http.MethodPost, "/desk/v1/tickets/"+segment(number)+"/authorizations", nil, r.acting(map[string]any{
		"description": "Selftest: may we look at the host?",
		"details":     []map[string]any{{"type": "host", "address": r.host.address, "port": r.host.port, "instance_name": "selftest"}}}), &made)
	const inApproval = 6
	if err != nil || made.Status != inApproval {
		return made.ID, err
	}
	return made.ID, r.admin("approve", http.MethodPost, "/desk/v1/authorizations/"+segment(made.ID)+"/steps", nil, map[string]any{"action": "approve"}, nil)
}

// deskRecordSession opens a session of the engineer under the granted detail,
// records the command and the file, and ends it.
func (r *run) deskRecordSession() (id string, err error) {
	base := "/desk/v1/authorizations/" + segment(r.authorization)
	var made struct {
		ID json.Number `json:"id"`
	}
	if err := r.deskCall(r.o.Engineer, "OpenSession", http.MethodPost, base+"/details/"+segment(r.detail)+"/sessions", nil, r.acting(map[string]any{}), &made); err != nil {
		return "", err
	}
	id = made.ID.String()
	base += "/sessions/" + segment(id)
	at := r.now().UTC().Format(time.RFC3339)
	err = r.deskCall(r.o.Engineer, "RecordSession", http.MethodPost, base+"/records", nil, map[string]any{
		"commands": []map[string]any{{"at": at, "text": sessionCommand}},
		"transfers": []map[string]any{{"at": at, "type": "download", "file_name": sessionFile, "from_path": "/var/log/" + sessionFile, "to_path": "/tmp/" + sessionFile,
			"size": sessionSize, "result": "success"}}}, nil)
	if err != nil {
		return id, err
	}
	return id, r.deskCall(r.o.Engineer, "CloseSession", http.MethodPost, base+"/close", nil, nil, nil)
}

type hours struct {
	Zone  string `json:"zone"`
	Days  int    `json:"days"`
	Hours int    `json:"hours"`
}

// deskPartner adds a partner with an account of his own ("" = none) and hours of
// his own for the sub type ("" = none). removePartners ends it.
func (r *run) deskPartner(name, account string, h hours, subType string, there hours) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	body := map[string]any{"name": name, "hours": h, "whitelisted": account != ""}
	if account != "" {
		body["account_id"] = account
	}
	if subType != "" {
		body["services"] = []map[string]any{{"kind": "sub_type", "id": subType, "hours": there}}
	}
	err = r.admin("CreatePartner", http.MethodPost, "/desk/v1/partners", nil, body, &made)
	if err == nil {
		r.partnerIDs = append(r.partnerIDs, made.ID)
	}
	return made.ID, err
}

// deskServedBy says which partner serves the sandbox.
func (r *run) deskServedBy(id string) error {
	return r.admin("SetDomainPartner", http.MethodPut, r.domain("/partner"), nil, map[string]any{"partner_id": id}, nil)
}

// deskRemovePartners takes out the partners that deskPartner added.
func (r *run) deskRemovePartners() error {
	for len(r.partnerIDs) > 0 {
		if err := r.admin("RemovePartner", http.MethodDelete, "/desk/v1/partners/"+segment(r.partnerIDs[0]), nil, nil, nil); err != nil {
			return err
		}
		r.partnerIDs = r.partnerIDs[1:]
	}
	return nil
}

// deskAgency delegates the sandbox for a day and answers the agency's id.
func (r *run) deskAgency(name, trust string) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = r.admin("CreateAgency", http.MethodPost, r.domain("/agencies"), nil, map[string]any{"name": name, "trust_domain_name": trust, "hours": 24}, &made)
	return made.ID, err
}

func (r *run) deskDeleteAgency(id string) error {
	return r.admin("DeleteAgency", http.MethodDelete, r.domain("/agencies/"+segment(id)), nil, nil, nil)
}

// deskResource enters a resource at the host's address.
func (r *run) deskResource(id, name string) error {
	return r.admin("PutResource", http.MethodPut, r.domain("/resources/"+segment(id)), nil, map[string]any{"name": name, "region": r.story.region, "project_id": "selftest", "ipv4": r.host.address}, nil)
}

// abuseReport is what the desk shows of a report.
type abuseReport struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Title    string   `json:"title"`
	Content  string   `json:"content"`
	Files    []string `json:"files"`
	Reporter string   `json:"reporter_id"`
	Contact  struct {
		Name   string   `json:"name"`
		Mobile string   `json:"mobile"`
		Files  []string `json:"id_files"`
	} `json:"contact"`
}

// deskAbuseReport finds an open report by its title, shows it whole and notes
// that it has been dealt with.
func (r *run) deskAbuseReport(title string) (got abuseReport, err error) {
	var page struct {
		Items []abuseReport `json:"items"`
	}
	err = r.admin("ListAbuseReports", http.MethodGet, "/desk/v1/abuse-reports", url.Values{"state": {"open"}, "limit": {"100"}}, nil, &page)
	if err != nil {
		return got, err
	}
	for _, a := range page.Items {
		if a.Title != title {
			continue
		}
		path := "/desk/v1/abuse-reports/" + segment(a.ID)
		if err := r.admin("ShowAbuseReport", http.MethodGet, path, nil, nil, &got); err != nil {
			return got, err
		}
		return got, r.admin("HandleAbuseReport", http.MethodPut, path, nil, map[string]any{"state": "handled", "note": "selftest"}, nil)
	}
	return got, fmt.Errorf("the desk does not see the report")
}

// rating is what a customer said of a diagnosis.
type rating struct {
	User    string `json:"user_id"`
	Helpful bool   `json:"helpful"`
	Content string `json:"content"`
}

// deskDiagnosis is what the house sees of a diagnosis: its state, how many of
// its checks found something, and what was said of it.
func (r *run) deskDiagnosis(job string) (state string, abnormal []string, ratings []rating, err error) {
	var got struct {
		State    string   `json:"state"`
		Abnormal []string `json:"abnormal"`
		Ratings  []rating `json:"ratings"`
	}
	err = r.admin("ShowDiagnosis", http.MethodGet, r.domain("/diagnoses/"+segment(job)), nil, nil, &got)
	return got.State, got.Abnormal, got.Ratings, err
}

// token logs a user in with his password, as the vendor's identity service does.
func (r *run) token(who User) (string, error) {
	body, err := json.Marshal(map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"password"},
		"password": map[string]any{"user": map[string]any{"name": who.Name, "password": who.Password, "domain": map[string]any{"name": r.box.Name}}}}}})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(r.Context, http.MethodPost, strings.TrimRight(r.o.URL, "/")+"/v3/auth/tokens", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	got, err := r.http.Do(req)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	token := got.Header.Get("X-Subject-Token")
	if got.StatusCode != http.StatusCreated || token == "" {
		return "", fmt.Errorf("logging in with the password answers %s", got.Status)
	}
	r.answered["POST /v3/auth/tokens"]++
	return token, nil
}

func jsonNumber(s string) json.Number { return json.Number(s) }
