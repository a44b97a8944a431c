// Package diagnose lets customers check their own resources before they write a
// ticket: kinds of diagnosis come from the catalogue, each is a job whose checks
// (HTTP, TCP, DNS, TLS, a command of the operator's) run behind the guard of
// outgoing connections. It owns the tables of diagnoses, their checks and
// ratings, and the resources entered for customers.
//
// It decides nothing about what is checked (catalog) and sends nothing (notify).
package diagnose

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/guard"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// State of a diagnosis, with the numbers of the wire (ListDiagnoseJobResponse).
type State int

// The states.
const (
	Preparing State = 0 // waits for a worker
	Running   State = 2
	Finished  State = 3 // the only one with a usable result
	Failed    State = 4 // given up: no worker could finish it
	NotRun    State = 7 // there was nothing to check: every check was skipped
)

// Open tells whether the diagnosis still goes on.
func (s State) Open() bool { return s < Finished }

// Outcome is the state of a check.
type Outcome int

// The outcomes.
const (
	Waiting  Outcome = 0
	Checking Outcome = 1
	Passed   Outcome = 2
	Warning  Outcome = 3
	Bad      Outcome = 4 // failed, or its target may not be reached
	Skipped  Outcome = 5
)

// Abnormal tells whether the check found something.
func (o Outcome) Abnormal() bool { return o == Warning || o == Bad }

// Faults of this package.
var (
	errNoJob      = fault.New(fault.NotFound, fault.CodeInvalid, "诊断任务不存在", "there is no such diagnosis").In("job_id")
	errNoKind     = fault.New(fault.Invalid, fault.CodeInvalid, "没有类型为 {type} 的诊断", "there is no diagnosis of type {type}").In("type")
	errNoResource = fault.New(fault.NotFound, fault.CodeInvalid, "资源不存在", "there is no such resource")
	// The limits answer "no permission", as quotas do (semantics.md D10): no own code is known.
	errRunning       = fault.New(fault.TooMany, fault.CodeNoPermission, "同时进行的诊断最多 {max} 个，请等待已有诊断结束", "at most {max} diagnoses may run at once, wait for one to end")
	errHourly        = fault.New(fault.TooMany, fault.CodeNoPermission, "每小时最多 {max} 次诊断，请稍后再试", "at most {max} diagnoses an hour, please try again later")
	errDomainRunning = fault.New(fault.TooMany, fault.CodeNoPermission, "贵账号同时进行的诊断最多 {max} 个，请等待已有诊断结束", "at most {max} diagnoses of your account may run at once, wait for one to end")
	errDomainHourly  = fault.New(fault.TooMany, fault.CodeNoPermission, "贵账号每小时最多 {max} 次诊断，请稍后再试", "at most {max} diagnoses an hour for your account, please try again later")
)

// Options of the service.
type Options struct {
	Config config.Diagnose
	Log    *slog.Logger // nil = slog.Default()

	// For tests; zero values are the real things.
	Resolver *net.Resolver
	TLS      *tls.Config
	Timeout  time.Duration // of one check; at most guard.Timeout
}

// Service is the noun.
type Service struct {
	db      *db.DB
	ident   *identity.Service
	catalog *catalog.Service
	guard   guard.Guard
	slots   chan struct{} // diagnoses that run on this node
	o       Options
}

// New makes the service. It fails when the configuration means nothing.
func New(d *db.DB, ident *identity.Service, cat *catalog.Service, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	o.Config = o.Config.WithDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Timeout <= 0 || o.Timeout > guard.Timeout {
		o.Timeout = guard.Timeout
	}
	g, err := guard.New(o.Config.Allow)
	if err != nil {
		return nil, fmt.Errorf("diagnose.allow: %w", err)
	}
	g.Resolver = o.Resolver
	if g.Resolver == nil && o.Config.Resolver != "" {
		server := o.Config.Resolver
		g.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var n net.Dialer
			return n.DialContext(ctx, network, server)
		}}
	}
	g.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		g.TLS = o.TLS.Clone()
	}
	g.TLS.Time = d.Now
	return &Service{db: d, ident: ident, catalog: cat, guard: g, slots: make(chan struct{}, o.Config.NodeRunning), o: o}, nil
}

// Job is one diagnosis.
type Job struct {
	Domain, ID, Creator, Kind, Region string
	Number                            int32 // what the wire calls job_id, within the domain
	Type                              int32
	Params                            map[string]string // what was checked
	State                             State
	Abnormal                          []string // ids of the checks that found something, once it has ended
	Created, Started, Ended           int64    // milliseconds UTC, 0 = not yet
	Checks                            []Check  // where asked for, in the catalogue's order
}

// Check is one item of a diagnosis, as the catalogue had it when it began.
type Check struct {
	ID             string
	Outcome        Outcome
	Name           locale.Texts
	Group          catalog.CheckGroup
	Message        locale.Texts // what was found, or why nothing was
	Suggestion     locale.Texts
	Help           string
	Started, Ended int64
	def            definition
}

// definition is what is stored of a check: the catalogue's with its
// placeholders filled in.
type definition struct {
	catalog.Check
	GroupName locale.Texts `json:"group_name"`
	HostArgs  []int        `json:"host_args,omitempty"` // arguments of the command that are hosts
}

const columns = "domain_id, id, number, creator, type, kind, region, params, state, abnormal, created_at, started_at, ended_at"

func scan(r db.Row) (j Job, err error) {
	var params, abnormal string
	var number, kind, state int64
	err = r.Scan(&j.Domain, &j.ID, &number, &j.Creator, &kind, &j.Kind, &j.Region, &params, &state, &abnormal, &j.Created, &j.Started, &j.Ended)
	if errors.Is(err, db.ErrNone) {
		return j, errNoJob
	}
	if err != nil {
		return j, err
	}
	j.Number, j.Type, j.State = int32(number), int32(kind), State(state)
	if err := json.Unmarshal([]byte(params), &j.Params); err != nil {
		return j, err
	}
	return j, json.Unmarshal([]byte(abnormal), &j.Abnormal)
}

func checksOf(tx *db.Tx, domain, id string) (all []Check, err error) {
	err = tx.List(func(r db.Row) error {
		var c Check
		var outcome int64
		var text string
		if err := r.Scan(&c.ID, &outcome, &text, &c.Message.ZH, &c.Message.EN, &c.Started, &c.Ended); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(text), &c.def); err != nil {
			return err
		}
		c.Outcome, c.Name, c.Suggestion, c.Help = Outcome(outcome), c.def.Name, c.def.Suggestion, c.def.Help
		c.Group = catalog.CheckGroup{ID: c.def.Group, Name: c.def.GroupName}
		all = append(all, c)
		return nil
	}, "SELECT id, state, definition, message_zh, message_en, started_at, ended_at FROM diagnosis_checks WHERE domain_id = ? AND diagnosis_id = ? ORDER BY place", domain, id)
	return all, err
}

// number reads a job id of the wire; 0 for what none can be.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != s {
		return 0
	}
	return n
}

// Show reads a diagnosis with its checks: the creator and the main account of
// the domain may. It fails with OSM.01010001 naming job_id for a missing id and,
// all alike, for those that are unknown, deleted or others'.
func (s *Service) Show(ctx context.Context, who principal.Principal, id string) (j Job, err error) {
	if id == "" {
		return j, fault.Missing.In("job_id")
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		scope, err := privilege.ScopeOf(tx, who, "")
		if err != nil {
			return err
		}
		cond, args := scope.Where("creator")
		j, err = scan(tx.Get("SELECT "+columns+" FROM diagnoses WHERE domain_id = ? AND number = ? AND "+cond, append([]any{who.Domain, number(id)}, args...)...))
		if err != nil {
			return err
		}
		j.Checks, err = checksOf(tx, j.Domain, j.ID)
		return err
	})
	return j, err
}

// Filter of the list of past diagnoses.
type Filter struct {
	Type       int32 // 0 = all
	Page, Size int   // from 1; 0 = the first, 10
}

// List is a page of the caller's diagnoses, newest first, and how many there
// are; the main account sees those of its whole domain.
func (s *Service) List(ctx context.Context, who principal.Principal, f Filter) (page []Job, total int, err error) {
	if f.Page == 0 {
		f.Page = 1
	}
	if f.Size == 0 {
		f.Size = 10
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, total = nil, 0
		scope, err := privilege.ScopeOf(tx, who, "")
		if err != nil {
			return err
		}
		cond, args := scope.Where("creator")
		args = append([]any{who.Domain}, args...)
		if f.Type != 0 {
			cond, args = cond+" AND type = ?", append(args, f.Type)
		}
		if err := tx.Get("SELECT count(*) FROM diagnoses WHERE domain_id = ? AND "+cond, args...).Scan(&total); err != nil {
			return err
		}
		offset := (int64(f.Page) - 1) * int64(f.Size)
		if offset >= int64(total) {
			return nil
		}
		page, err = jobs(tx, "SELECT "+columns+" FROM diagnoses WHERE domain_id = ? AND "+cond+" ORDER BY id DESC LIMIT ? OFFSET ?", append(args, f.Size, offset)...)
		return err
	})
	return page, total, err
}

func jobs(tx *db.Tx, sql string, args ...any) (all []Job, err error) {
	err = tx.List(func(r db.Row) error {
		j, err := scan(r)
		all = append(all, j)
		return err
	}, sql, args...)
	return all, err
}
