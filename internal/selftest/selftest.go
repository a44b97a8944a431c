// Package selftest drives every operation of a running installation in a
// sandbox of its own and tells which of them do what they say. It is a client:
// it knows the customer API by its contract, the desk API by its paths, and
// nothing of the server.
//
// An operation counts only when its effect is read back by another operation. A
// refusal, or an empty list where something was written, does not count.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Desk makes one call of the desk API; into may be nil. An error answer is an
// error with a method Status() int.
type Desk func(ctx context.Context, method, path string, query url.Values, body, into any) error

// Options of a run.
type Options struct {
	URL      string // of the installation
	Admin    Desk   // as an administrator or the operator on the machine
	Engineer Desk   // as an engineer
	As       string // log-in name of the engineer when Engineer acts for him
	Keep     bool   // leave the sandbox as it is; else it is reset and disabled
	Progress io.Writer
	Chinese  bool // of the progress, and of what is off here

	// Probe is an address of this machine where the installation can reach it: a
	// host of the self-test's own listens there. "" = 127.0.0.1.
	Probe string
}

// run is one run.
type run struct {
	context.Context
	o        Options
	http     *http.Client
	ops      []operation
	rows     map[string]*Row
	answered map[string]int // operations of both APIs: good answers
	ahead    time.Duration  // of the sandbox's clock

	box           Sandbox
	main, an, bo  User // an and bo are in one group
	story         story
	label         string
	authorization string
	detail        string
	session       string
	files         files
	host          *host
	partnerIDs    []string // of partners to be removed
}

// story is what later parts build upon.
type story struct {
	product, subType          string
	fault, question           problem
	region, regionName        string
	severity, severityName    string
	template                  string
	params                    []answer // the fault's
	mobile, proof             string   // proved by code
	ticket, second, colleague string   // numbers: of an, of an, of bo
}

type problem struct{ id, name, kind string }

// Run drives all operations. It fails only when the sandbox cannot be made;
// what operations do is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	ops, err := operations()
	if err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	began := time.Now()
	r := &run{Context: ctx, o: o, ops: ops, rows: map[string]*Row{}, answered: map[string]int{},
		http:  &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		label: "1", authorization: "none", detail: "1", session: "1", files: files{picture: "none", text: "none"}}
	for _, p := range ops {
		r.rows[p.ID] = &Row{Group: p.Group, Operation: p.ID, Method: p.Method, Path: p.Path, Result: NotDriven}
	}
	if r.box, err = NewSandbox(ctx, o.Admin, "selftest-"+random(8), "Enterprise", "main", "an", "bo"); err != nil {
		return nil, fmt.Errorf("making a sandbox: %w", err)
	}
	if o.Probe == "" {
		o.Probe = "127.0.0.1"
	}
	if r.host, err = newHost(o.Probe); err != nil {
		return nil, fmt.Errorf("listening at %s, where the server is to reach this machine: %w", o.Probe, err)
	}
	defer r.host.close()
	r.main, r.an, r.bo = r.box.Users[0], r.box.Users[1], r.box.Users[2]
	for _, p := range r.parts() {
		name := p.name
		if o.Chinese {
			name = partsZH[name]
		}
		fmt.Fprintf(o.Progress, "%s ...\n", name)
		p.run()
		if ctx.Err() != nil {
			break
		}
	}
	r.cleanUp()
	return r.report(time.Since(began)), ctx.Err()
}

// part is a part of a run.
type part struct {
	name string
	run  func()
}

// parts are all parts in their order: later ones build upon earlier ones.
func (r *run) parts() []part {
	return []part{
		{"configuration", r.configuration}, {"agreements", r.agreements}, {"contacts", r.contacts}, {"tickets", r.tickets}, {"messages", r.messages},
		{"attachments", r.attachments}, {"labels", r.labels}, {"relations", r.relations}, {"details", r.details}, {"privileges", r.privileges},
		{"authorizations", r.authorizations}, {"partners", r.partners}, {"diagnosis", r.diagnosis}, {"life", r.life}, {"lists", r.lists},
	}
}

// cleanUp takes out what was added to the house, empties the sandbox and lets
// nobody into it any more; also when the run was interrupted. A sandbox to be
// kept stays.
func (r *run) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context), 30*time.Second)
	defer cancel()
	r.Context = ctx
	if err := r.deskRemovePartners(); err != nil {
		fmt.Fprintf(r.o.Progress, "%d partners were left behind: %v\n", len(r.partnerIDs), err)
	}
	if r.o.Keep {
		return
	}
	for _, verb := range []string{"reset", "disable"} {
		if err := r.o.Admin(ctx, http.MethodPost, "/desk/v1/domains/"+url.PathEscape(r.box.ID)+"/"+verb, nil, nil, nil); err != nil {
			fmt.Fprintf(r.o.Progress, "the sandbox %s was left behind (%s): %v\n", r.box.Name, verb, err)
		}
	}
}

// offHere: the installation's configuration keeps the operation, or what would
// prove it, switched off; how says how it is switched on.
type offHere struct{ how string }

func (o offHere) Error() string { return o.how }

// errNotBuilt: the operation answers 501.
var errNotBuilt = errors.New("501 not built")

// prove runs f, which must call the operation, and another one that shows its
// effect; by names that one and what it shows.
func (r *run) prove(operation, by string, f func() error) {
	row := r.rows[operation]
	if row == nil {
		panic("selftest: the contract has no operation " + operation)
	}
	err := f()
	var switched offHere
	witness, _, _ := strings.Cut(by, ":")
	switch {
	case row.Result == NotBuilt:
	case errors.As(err, &switched):
		row.Result, row.Detail = Off, switched.how
	case err != nil:
		row.Result, row.Detail = Failed, err.Error()
	case r.answered[operation] == 0:
		row.Result, row.Detail = Failed, "it gave no good answer"
	case witness == operation || r.answered[witness] == 0:
		row.Result, row.Detail = Failed, "nothing else showed its effect"
	default:
		row.Result, row.Proof, row.Detail = Passed, by, ""
	}
	if row.Result == Failed || row.Result == Off {
		fmt.Fprintf(r.o.Progress, "  %s: %s\n", operation, row.Detail)
	}
}

// want is an error unless the two are equal.
func want(what string, got, want any) error {
	if fmt.Sprint(got) == fmt.Sprint(want) {
		return nil
	}
	return fmt.Errorf("%s is %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
}

// must is an error unless it is so.
func must(so bool, what string, args ...any) error {
	if so {
		return nil
	}
	return fmt.Errorf(what, args...)
}

// refuses is an error unless err is a refusal with the code ("" = any): a lost
// connection is none.
func refuses(err error, code, what string, args ...any) error {
	var r refused
	switch {
	case err == nil:
		return fmt.Errorf(what, args...)
	case !errors.As(err, &r) || code != "" && r.code != code:
		return fmt.Errorf("instead of a refusal %s: %w", code, err)
	}
	return nil
}

// until asks again until f is content, for ten seconds at most: what happens in
// the background takes a moment.
func (r *run) until(f func() error) error {
	for began := time.Now(); ; {
		err := f()
		if err == nil || errors.Is(err, errNotBuilt) || time.Since(began) > 10*time.Second {
			return err
		}
		select {
		case <-r.Done():
			return r.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// say is the text in the operator's language.
func (r *run) say(zh, en string) string {
	if r.o.Chinese {
		return zh
	}
	return en
}

// now is the time in the sandbox.
func (r *run) now() time.Time { return time.Now().Add(r.ahead) }
