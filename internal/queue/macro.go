package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

func normalize(s string) string { return norm.NFKC.String(s) }

// Limits of macros and snippets.
const (
	maxOfOwner = 500 // of each kind: shared ones together, private ones of a person
	maxAutoRaw = 64  // characters of a name
)

// Faults of macros.
var (
	ErrNoMacro    = fault.New(fault.NotFound, fault.CodeInvalid, "宏不存在", "there is no such macro").In("macro_id")
	ErrAutoStale  = fault.New(fault.Conflict, fault.CodeNoPermission, "内容已被他人修改，请刷新后重试", "it has changed meanwhile: read it again and repeat the change").In("version")
	ErrTooMany    = fault.New(fault.Conflict, fault.CodeInvalid, "数量已达上限（{max}），请先删除不用的", "there may be at most {max}: delete one first").With("max", maxOfOwner)
	errPrivate    = fault.New(fault.Invalid, fault.CodeInvalid, "本机操作员没有私有内容，请设为共享", "the operator on the machine has nothing private: make it shared").In("shared")
	errStaleShown = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已被他人更新，请重新预览", "the ticket has changed meanwhile: preview again").In("version")
)

// Macro is a list of actions under a name.
type Macro struct {
	ID               string
	Owner            string // user id, "" = shared
	Name             locale.Texts
	Actions          []Action
	Version          int64
	Created, Changed int64 // milliseconds UTC
	Actor            string
}

// NewMacro is what a macro is made of.
type NewMacro struct {
	Name    locale.Texts // 1..64 characters in at least one language
	Shared  bool         // everybody's; supervisors and administrators only
	Actions []Action     // 1..10
}

const macroColumns = "id, owner, name_zh, name_en, actions, version, created_at, changed_at, actor"

func scanMacro(r db.Row) (m Macro, err error) {
	var actions string
	if err = r.Scan(&m.ID, &m.Owner, &m.Name.ZH, &m.Name.EN, &actions, &m.Version, &m.Created, &m.Changed, &m.Actor); err == nil {
		err = json.Unmarshal([]byte(actions), &m.Actions)
	}
	return m, err
}

// macroFor reads a macro the caller may use: a shared one or his own.
func macroFor(tx *db.Tx, who principal.Principal, id string) (Macro, error) {
	m, err := scanMacro(tx.Get("SELECT "+macroColumns+" FROM macros WHERE id = ? AND (owner = '' OR owner = ?)", id, ownerOf(who, false)))
	if errors.Is(err, db.ErrNone) {
		err = ErrNoMacro
	}
	return m, err
}

// ownerOf is who owns what the caller makes. The operator and Casemate have
// nothing of their own.
func ownerOf(who principal.Principal, shared bool) string {
	if shared || who.Kind != principal.Engineer {
		return ""
	}
	return who.User
}

// mayOwn tells whether the caller may make or change what is shared or his own.
func mayOwn(who principal.Principal, shared bool) error {
	switch {
	case mayAutomate(who) != nil:
		return fault.NoPermission
	case !shared && who.Kind != principal.Engineer:
		return errPrivate
	case shared && !leadsDesk(who):
		return fault.NoPermission
	}
	return nil
}

// Macros are those the caller may use, shared ones first, by name.
func (s *Service) Macros(ctx context.Context, who principal.Principal) (all []Macro, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			m, err := scanMacro(r)
			all = append(all, m)
			return err
		}, "SELECT "+macroColumns+" FROM macros WHERE owner = '' OR owner = ? ORDER BY CASE WHEN owner = '' THEN 0 ELSE 1 END, name_zh, name_en, id LIMIT ?", ownerOf(who, false), 2*maxOfOwner)
	})
	return all, err
}

// Macro reads one the caller may use; ErrNoMacro otherwise.
func (s *Service) Macro(ctx context.Context, who principal.Principal, id string) (m Macro, err error) {
	if err := mayReadAutomation(who); err != nil {
		return m, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { m, err = macroFor(tx, who, id); return err })
	return m, err
}

func (s *Service) checkMacro(ctx context.Context, in *NewMacro) (err error) {
	if in.Name, err = checkNames("name", in.Name, maxAutoRaw); err != nil {
		return err
	}
	in.Actions, err = s.checkActions(ctx, "actions", in.Actions, false)
	return err
}

func autoJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a programmer's mistake
	}
	return string(text)
}

// CreateMacro makes a macro: engineers their own, supervisors and administrators
// shared ones as well. Failures: OSM.01010001 naming the field by its path, .02
// (right), and 500 macros of an owner are the most.
func (s *Service) CreateMacro(ctx context.Context, who principal.Principal, in NewMacro) (Macro, error) {
	if err := mayOwn(who, in.Shared); err != nil {
		return Macro{}, err
	}
	if err := s.checkMacro(ctx, &in); err != nil {
		return Macro{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Macro, error) {
		m := Macro{ID: tx.NewID(), Owner: ownerOf(who, in.Shared), Name: in.Name, Actions: in.Actions, Version: 1, Created: tx.Now, Changed: tx.Now, Actor: who.User}
		if err := roomFor(tx, "SELECT count(*) FROM macros WHERE owner = ?", "macros", m.Owner); err != nil {
			return m, err
		}
		tx.Write(1, "INSERT INTO macros ("+macroColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			m.ID, m.Owner, m.Name.ZH, m.Name.EN, autoJSON(m.Actions), m.Version, m.Created, m.Changed, m.Actor)
		recordMacro(tx, who, "macro.create", m)
		return m, nil
	})
}

// roomFor refuses one more than an owner may have.
func roomFor(tx *db.Tx, count, of, owner string) error {
	tx.Lock(principal.House, "automation."+of+"."+owner)
	var n int
	if err := tx.Get(count, owner).Scan(&n); err != nil {
		return err
	}
	if n >= maxOfOwner {
		return ErrTooMany
	}
	return nil
}

func recordMacro(tx *db.Tx, who principal.Principal, kind string, m Macro) {
	var does []string
	for _, a := range m.Actions {
		does = append(does, a.Do)
	}
	data := map[string]any{"owner": m.Owner, "actions": does}
	if m.Owner == "" { // what is somebody's own is nobody else's to read
		data = called(data, m.Name)
	}
	event.Record(tx, who, event.Event{Kind: kind, Subject: "macro", SubjectID: m.ID, Revision: m.Version, LogCode: event.NoLog, Data: data})
}

// ChangeMacro replaces a macro's name and actions; whose it is stays. seen is the
// version the caller has read, 0 = whatever is there. Failures: those of
// CreateMacro, ErrNoMacro and ErrAutoStale.
func (s *Service) ChangeMacro(ctx context.Context, who principal.Principal, id string, in NewMacro, seen int64) (Macro, error) {
	if err := mayAutomate(who); err != nil {
		return Macro{}, err
	}
	if err := s.checkMacro(ctx, &in); err != nil {
		return Macro{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Macro, error) {
		m, err := macroFor(tx, who, id)
		if err != nil {
			return m, err
		}
		if err := mayOwn(who, m.Owner == ""); err != nil {
			return m, err
		}
		if seen != 0 && seen != m.Version {
			return m, ErrAutoStale
		}
		before := m.Version
		m.Name, m.Actions, m.Version, m.Changed, m.Actor = in.Name, in.Actions, before+1, tx.Now, who.User
		tx.Write(1, "UPDATE macros SET name_zh = ?, name_en = ?, actions = ?, version = ?, changed_at = ?, actor = ? WHERE id = ? AND version = ?",
			m.Name.ZH, m.Name.EN, autoJSON(m.Actions), m.Version, m.Changed, m.Actor, id, before)
		recordMacro(tx, who, "macro.change", m)
		return m, nil
	})
}

// DeleteMacro removes a macro; seen as of ChangeMacro.
func (s *Service) DeleteMacro(ctx context.Context, who principal.Principal, id string, seen int64) error {
	if err := mayAutomate(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		m, err := macroFor(tx, who, id)
		if err != nil {
			return err
		}
		if err := mayOwn(who, m.Owner == ""); err != nil {
			return err
		}
		if seen != 0 && seen != m.Version {
			return ErrAutoStale
		}
		tx.Write(1, "DELETE FROM macros WHERE id = ? AND version = ?", id, m.Version)
		m.Version++
		recordMacro(tx, who, "macro.delete", m)
		return nil
	})
}

// Use is a macro, or actions without a name, on a ticket.
type Use struct {
	Macro   string   // id, "" = Actions
	Actions []Action // with Macro ""
	Number  string
	Version int64  // the ticket's as the caller saw it; 0 = as it is now
	Text    string // typed by the caller: stands for the text of the first reply, ask or resolve, as it is; "" = the macro's own

	name locale.Texts // of the macro, once it was read
}

// Preview is all that a macro would do to a ticket.
type Preview struct {
	Number  string
	Version int64 // of the ticket it is about: to run it with
	Effects []Effect
}

// PreviewMacro tells what a macro would do to a ticket, action by action, and
// does nothing: texts as they would be written, the state and handler behind each
// action, who would be notified, and what would be refused and why. To run it
// with the version told, nothing having changed, has just these effects.
func (s *Service) PreviewMacro(ctx context.Context, who principal.Principal, u Use) (Preview, error) {
	t, _, effects, err := s.prepareUse(ctx, who, &u)
	return Preview{Number: t.Number, Version: t.Revision, Effects: effects}, err
}

func (s *Service) prepareUse(ctx context.Context, who principal.Principal, u *Use) (t ticket.DeskTicket, steps []planned, effects []Effect, err error) {
	if err := mayAutomate(who); err != nil {
		return t, nil, nil, err
	}
	if utf8.RuneCountInString(u.Text) > maxAutoText {
		return t, nil, nil, fault.TooLong.In("text").With("max", maxAutoText)
	}
	acts := u.Actions
	if u.Macro != "" {
		m, err := s.Macro(ctx, who, u.Macro)
		if err != nil {
			return t, nil, nil, err
		}
		acts, u.name = m.Actions, m.Name
	} else if acts, err = s.checkActions(ctx, "actions", acts, false); err != nil {
		return t, nil, nil, err
	}
	if u.Text = strings.TrimSpace(u.Text); u.Text != "" && !hasPublic(acts) {
		return t, nil, nil, errTyped
	}
	if t, err = s.tickets.DeskShow(ctx, who, u.Number); err != nil {
		return t, nil, nil, err
	}
	steps, effects, err = s.planActions(ctx, who, t, acts, u.Text, true)
	return t, steps, effects, err
}

func hasPublic(acts []Action) bool {
	for _, a := range acts {
		for _, do := range publicActions {
			if a.Do == do {
				return true
			}
		}
	}
	return false
}

// Used is what a run did.
type Used struct {
	ID       string
	Number   string
	Version  int64 // of the ticket behind it
	Outcomes []Outcome
	Done     bool // every action was done; else the last outcome tells why not
}

// macroBegun is what a run's first transaction leaves for a repeated request.
type macroBegun struct {
	ID      string
	Version int64
	Steps   []planned
}

// RunMacro does a macro's actions in order. What would be refused is refused
// before anything is done: with the action's own code, its place named in the
// field. Then a colleague's step in between can stop it, which the outcomes tell;
// what was done until then stays. A repeated request answers what the first did.
func (s *Service) RunMacro(ctx context.Context, who principal.Principal, u Use) (Used, error) {
	if err := mayAutomate(who); err != nil {
		return Used{}, err
	}
	t, steps, effects, refusal := s.prepareUse(ctx, who, &u)
	switch {
	case refusal != nil:
	case u.Version != 0 && u.Version != t.Revision:
		refusal = errStaleShown
	default:
		refusal = firstRefusal("actions", effects)
	}
	run, err := db.Do(ctx, s.db, func(tx *db.Tx) (macroBegun, error) {
		if refusal != nil {
			return macroBegun{}, refusal // behind the look at an earlier request's result
		}
		b := macroBegun{ID: tx.NewID(), Version: t.Revision, Steps: steps}
		var does []string
		for _, p := range steps {
			does = append(does, p.Do)
		}
		event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "macro.run", Subject: "macro", SubjectID: u.Macro, LogCode: event.NoLog,
			Data: map[string]any{"run": b.ID, "ticket": t.ID, "version": t.Revision, "actions": does, "name_zh": u.name.ZH, "name_en": u.name.EN}})
		return b, nil
	})
	if err != nil {
		return Used{}, s.Explain(ctx, who, u.Number, u.Version, err)
	}
	who.Via = via("macro", u.Macro, run.ID, u.name)
	out, err := s.carryOut(ctx, who, run.Version, run.ID, onceForRequest, run.Steps)
	used := Used{ID: run.ID, Number: u.Number, Version: run.Version, Outcomes: out, Done: len(out) == len(run.Steps) && !anyRefused(out)}
	for _, o := range out {
		used.Version = max(used.Version, o.Version)
	}
	if err != nil {
		return used, fmt.Errorf("run %s: %w", run.ID, err)
	}
	return used, nil
}
