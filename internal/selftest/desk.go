package selftest

import (
	"encoding/json"
	"errors"
)

// The desk's side of operations whose desk calls are not there yet. Each
// function writes what the customer's operation is to show, or reads what it
// wrote. Until its call exists it says so, and the operation does not pass.

var errNoDeskCall = errors.New("the desk cannot do its part yet")

// What deskRecordSession records.
const (
	sessionCommand = "uptime"
	sessionFile    = "selftest.log"
)

// feedbackType is a type of CreateFeedback.
const feedbackType = "abuse"

// deskAuthorize lets the engineer ask the customer for an authorization.
func (r *run) deskAuthorize(number string) error {
	return r.step(number, "authorize", "Selftest: may we look at the host?")
}

// deskRecordSession records a session under the granted authorization's detail
// r.detail, with the command and the file.
func (r *run) deskRecordSession() error { return errNoDeskCall }

// host is a host whose port answers, for CheckHosts.
type host struct {
	port              int
	account, password string
}

// host is the host the authorization's detail stands for, and its password.
func (r *run) host() (host, error) { return host{}, errNoDeskCall }

// deskPartner makes the sandbox a partner that serves itself and answers the
// partner's name.
func (r *run) deskPartner() (name string, err error) { return "", errNoDeskCall }

// deskAgency gives the sandbox an agency and answers its name.
func (r *run) deskAgency() (name string, err error) { return "", errNoDeskCall }

// deskResource registers a resource that can be diagnosed and answers its id.
func (r *run) deskResource() (id string, err error) { return "none", errNoDeskCall }

// deskFeedbacks are the titles of what customers reported.
func (r *run) deskFeedbacks() (titles []string, err error) { return nil, errNoDeskCall }

// deskDiagnoseFeedbacks is what customers wrote about diagnoses.
func (r *run) deskDiagnoseFeedbacks() (text string, err error) { return "", errNoDeskCall }

func jsonNumber(s string) json.Number { return json.Number(s) }
