package authorization

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Limits of what a gateway records, in characters and entries.
const (
	maxBatch   = 100
	maxCommand = 10000
	maxPath    = 4096
	maxFile    = 255
)

// A recorder sends what it still holds when a session ended under it.
const (
	lateRecords = 10 * 60_000 // milliseconds behind the end
	clockSlack  = 60_000      // a gateway's clock may be off so much
)

var (
	errSession = fault.New(fault.Conflict, fault.CodeNoPermission, "会话已结束", "the session has ended")
	errWhose   = fault.New(fault.Forbidden, fault.CodeNoPermission, "只能记录本人的会话", "only the engineer of a session or the operator records it")
	errWhen    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不在会话期间内", "{field} is not within the session")
)

// Session is an engineer's stay on a console or host.
type Session struct {
	ID, Detail     int64
	Authorization  string
	Engineer       string
	Opened, Closed int64 // milliseconds UTC; Closed 0 = still open

	domain string
}

// Duration is how long it lasted, or has lasted, in milliseconds.
func (x Session) Duration(now int64) int64 {
	if x.Closed > 0 {
		now = x.Closed
	}
	return max(now-x.Opened, 0)
}

// Command is what was typed.
type Command struct {
	Text string
	At   int64 // milliseconds UTC
}

// Transfer is a file that was copied.
type Transfer struct {
	At, Duration   int64  // milliseconds
	Kind           string // Upload or Download
	File, From, To string
	Size           int64  // bytes
	Result         string // Success or Failure
}

// Values of Transfer.
const (
	Upload   = "upload"
	Download = "download"
	Success  = "success"
	Failure  = "failure"
)

const sessionColumns = `domain_id, id, authorization_id, detail_id, engineer, opened_at, closed_at`

func scanSession(r db.Row) (x Session, err error) {
	err = r.Scan(&x.domain, &x.ID, &x.Authorization, &x.Detail, &x.Engineer, &x.Opened, &x.Closed)
	if errors.Is(err, db.ErrNone) {
		err = ErrNoSession
	}
	return x, err
}

func sessionIn(tx *db.Tx, a Authorization, id int64) (Session, error) {
	x, err := scanSession(tx.Get("SELECT "+sessionColumns+" FROM authorization_sessions WHERE domain_id = ? AND id = ?", a.Domain, id))
	if err == nil && x.Authorization != a.ID {
		return Session{}, ErrNoSession
	}
	return x, err
}

// OpenSession opens a session of an engineer under a grant that is in force,
// and answers it. Failures as Reveal.
func (s *Service) OpenSession(ctx context.Context, who principal.Principal, id string, detail int64) (Session, error) {
	ctx, err := s.onClock(ctx, id)
	if err != nil {
		return Session{}, err
	}
	number := s.newNumber()
	return db.Do(ctx, s.db, func(tx *db.Tx) (Session, error) {
		a, d, err := usable(tx, who, id, detail)
		if err != nil {
			return Session{}, err
		}
		x := Session{ID: number, Detail: d.ID, Authorization: a.ID, Engineer: who.User, Opened: tx.Now, domain: a.Domain}
		// First the grant's row: one that ends in this moment waits for the session
		// and closes it, or this one finds another revision and is tried again.
		tx.Write(1, "UPDATE authorizations SET changed_at = ? WHERE domain_id = ? AND id = ? AND revision = ?", tx.Now, a.Domain, a.ID, a.Revision)
		tx.Write(1, "INSERT INTO authorization_sessions (domain_id, id, authorization_id, detail_id, engineer, opened_at, closed_at) VALUES (?, ?, ?, ?, ?, ?, 0)",
			a.Domain, x.ID, a.ID, d.ID, x.Engineer, x.Opened)
		record(tx, who, a, "session.open", map[string]any{"session": x.ID, "detail": d.ID})
		return x, nil
	})
}

// recordable finds a session the caller may record: his own, or any for the
// operator's gateway and administrators.
func recordable(tx *db.Tx, who principal.Principal, id string, session int64) (a Authorization, x Session, err error) {
	if a, err = deskIn(tx, id); err != nil {
		return a, x, err
	}
	if x, err = sessionIn(tx, a, session); err != nil {
		return a, x, err
	}
	if x.Engineer != who.User && !who.Admin() {
		return a, x, errWhose
	}
	return a, x, nil
}

// CloseSession ends a session; ending it again is no error. Failures:
// OSM.01010001 (unknown ids), .02 (somebody else's).
func (s *Service) CloseSession(ctx context.Context, who principal.Principal, id string, session int64) (Session, error) {
	if err := mayAsk(who); err != nil {
		return Session{}, err
	}
	ctx, err := s.onClock(ctx, id)
	if err != nil {
		return Session{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Session, error) {
		a, x, err := recordable(tx, who, id, session)
		if err != nil || x.Closed > 0 {
			return x, err
		}
		x.Closed = tx.Now
		tx.Write(1, "UPDATE authorization_sessions SET closed_at = ? WHERE domain_id = ? AND id = ? AND closed_at = 0", x.Closed, a.Domain, x.ID)
		record(tx, who, a, "session.close", map[string]any{"session": x.ID, "detail": x.Detail})
		return x, nil
	})
}

func checkRecords(commands []Command, transfers []Transfer) error {
	if len(commands) > maxBatch {
		return fault.TooManyItems.In("commands").With("max", maxBatch)
	}
	if len(transfers) > maxBatch {
		return fault.TooManyItems.In("transfers").With("max", maxBatch)
	}
	for _, c := range commands {
		if c.Text == "" {
			return fault.Missing.In("commands.text")
		}
		if utf8.RuneCountInString(c.Text) > maxCommand {
			return fault.TooLong.In("commands.text").With("max", maxCommand)
		}
	}
	for _, t := range transfers {
		switch {
		case t.Kind != Upload && t.Kind != Download:
			return fault.Unknown.In("transfers.type")
		case t.Result != Success && t.Result != Failure:
			return fault.Unknown.In("transfers.result")
		case t.File == "":
			return fault.Missing.In("transfers.file_name")
		case utf8.RuneCountInString(t.File) > maxFile:
			return fault.TooLong.In("transfers.file_name").With("max", maxFile)
		case utf8.RuneCountInString(t.From) > maxPath:
			return fault.TooLong.In("transfers.from_path").With("max", maxPath)
		case utf8.RuneCountInString(t.To) > maxPath:
			return fault.TooLong.In("transfers.to_path").With("max", maxPath)
		case t.Size < 0:
			return fault.Unknown.In("transfers.size")
		case t.Duration < 0 || t.Duration > ms(maxAhead):
			return fault.Unknown.In("transfers.duration_ms")
		}
	}
	return nil
}

func commandPlace(domain, id string) seal.Place {
	return seal.Place{Table: "authorization_commands", Column: "text", Row: domain + "/" + id}
}

// Append records what was done in a session, at most 100 commands and 100
// transfers a call, all or none. A session that has ended takes records for ten
// more minutes. Failures: OSM.01010001 (unknown ids, fields, times outside the
// session), .02 (somebody else's session, ended).
func (s *Service) Append(ctx context.Context, who principal.Principal, id string, session int64, commands []Command, transfers []Transfer) error {
	if err := mayAsk(who); err != nil {
		return err
	}
	if err := checkRecords(commands, transfers); err != nil {
		return err
	}
	ctx, err := s.onClock(ctx, id)
	if err != nil {
		return err
	}
	var a Authorization
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { a, _, err = recordable(tx, who, id, session); return err })
	if err != nil {
		return err
	}
	keys, sealed := make([]string, len(commands)), make([]string, len(commands))
	for i, c := range commands {
		keys[i] = s.db.NewID() // rising: equal times keep their order
		if sealed[i], err = s.seal(commandPlace(a.Domain, keys[i]), c.Text); err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		_, x, err := recordable(tx, who, id, session)
		if err != nil {
			return err
		}
		last := tx.Now
		if x.Closed > 0 {
			if tx.Now > x.Closed+lateRecords {
				return errSession
			}
			last = x.Closed
		}
		within := func(field string, at int64) error {
			if at < x.Opened-clockSlack || at > last+clockSlack {
				return errWhen.In(field)
			}
			return nil
		}
		for i, c := range commands {
			if err := within("commands.at", c.At); err != nil {
				return err
			}
			tx.Write(1, "INSERT INTO authorization_commands (domain_id, id, session_id, at, text) VALUES (?, ?, ?, ?, ?)", a.Domain, keys[i], x.ID, c.At, sealed[i])
		}
		for _, t := range transfers {
			if err := within("transfers.at", t.At); err != nil {
				return err
			}
			tx.Write(1, `INSERT INTO authorization_transfers (domain_id, id, session_id, at, duration, kind, file_name, from_path, to_path, size, result)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.Domain, tx.NewID(), x.ID, t.At, t.Duration, t.Kind, t.File, t.From, t.To, t.Size, t.Result)
		}
		record(tx, who, a, "session.record", map[string]any{"session": x.ID, "commands": len(commands), "transfers": len(transfers)})
		return nil
	})
}

// Page is a part of a list. Limit 0 = 10.
type Page struct {
	Offset, Limit int
	Ascending     bool // oldest first
}

func (p Page) limit() int {
	if p.Limit == 0 {
		return defaultLimit
	}
	return p.Limit
}

func (p Page) order(columns ...string) string {
	way := " DESC"
	if p.Ascending {
		way = ""
	}
	return " ORDER BY " + strings.Join(columns, way+", ") + way + " LIMIT ? OFFSET ?"
}

// Sessions lists the sessions under a detail, newest first, and how many there
// are. Failures: OSM.01010001 (unknown authorization), .32 (unknown detail),
// .02 (group).
func (s *Service) Sessions(ctx context.Context, who principal.Principal, id string, detail int64, group string, p Page) (page []Session, total int, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page = nil
		a, _, err := visible(tx, who, id, group)
		if err != nil {
			return err
		}
		if _, err := detailOf(tx, a, detail); err != nil {
			return err
		}
		if err := tx.Get("SELECT count(*) FROM authorization_sessions WHERE domain_id = ? AND detail_id = ?", a.Domain, detail).Scan(&total); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			x, err := scanSession(r)
			page = append(page, x)
			return err
		}, "SELECT "+sessionColumns+" FROM authorization_sessions WHERE domain_id = ? AND detail_id = ?"+p.order("opened_at", "id"), a.Domain, detail, p.limit(), p.Offset)
	})
	return page, total, err
}

// seen finds a session of the caller's authorization and detail.
func seen(tx *db.Tx, who principal.Principal, id string, detail, session int64, group string) (Session, error) {
	a, _, err := visible(tx, who, id, group)
	if err != nil {
		return Session{}, err
	}
	if _, err := detailOf(tx, a, detail); err != nil {
		return Session{}, err
	}
	x, err := sessionIn(tx, a, session)
	if err == nil && x.Detail != detail {
		return Session{}, ErrNoSession
	}
	return x, err
}

// Commands lists what was typed in a session, and how many lines there are.
// Failures as Sessions, and OSM.01010001 for an unknown session.
func (s *Service) Commands(ctx context.Context, who principal.Principal, id string, detail, session int64, group string, p Page) (page []Command, total int, err error) {
	var (
		x    Session
		keys []string
	)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, keys = nil, nil
		if x, err = seen(tx, who, id, detail, session, group); err != nil {
			return err
		}
		if err := tx.Get("SELECT count(*) FROM authorization_commands WHERE domain_id = ? AND session_id = ?", x.domain, x.ID).Scan(&total); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var key string
			var c Command
			err := r.Scan(&key, &c.At, &c.Text)
			page, keys = append(page, c), append(keys, key)
			return err
		}, "SELECT id, at, text FROM authorization_commands WHERE domain_id = ? AND session_id = ?"+p.order("at", "id"), x.domain, x.ID, p.limit(), p.Offset)
	})
	if err != nil {
		return nil, 0, err
	}
	for i := range page {
		if page[i].Text, err = s.open(commandPlace(x.domain, keys[i]), page[i].Text); err != nil {
			return nil, 0, err
		}
	}
	return page, total, nil
}

// Transfers lists the files copied in a session, and how many there are.
// Failures as Commands.
func (s *Service) Transfers(ctx context.Context, who principal.Principal, id string, detail, session int64, group string, p Page) (page []Transfer, total int, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page = nil
		x, err := seen(tx, who, id, detail, session, group)
		if err != nil {
			return err
		}
		if err := tx.Get("SELECT count(*) FROM authorization_transfers WHERE domain_id = ? AND session_id = ?", x.domain, x.ID).Scan(&total); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var t Transfer
			err := r.Scan(&t.At, &t.Duration, &t.Kind, &t.File, &t.From, &t.To, &t.Size, &t.Result)
			page = append(page, t)
			return err
		}, "SELECT at, duration, kind, file_name, from_path, to_path, size, result FROM authorization_transfers WHERE domain_id = ? AND session_id = ?"+p.order("at", "id"),
			x.domain, x.ID, p.limit(), p.Offset)
	})
	return page, total, err
}

// Clock is a length of time as hh:mm:ss; hours go beyond 99.
func Clock(ms int64) string {
	secs := ms / 1000
	return fmt.Sprintf("%02d:%02d:%02d", secs/3600, secs/60%60, secs%60)
}

// Size is a number of bytes with its unit: K, M or G, and B below 1 K.
func Size(n int64) string {
	unit, div := "B", int64(1)
	for _, u := range []string{"K", "M", "G"} {
		if n/div < 1024 {
			break
		}
		unit, div = u, div*1024
	}
	if div == 1 || n%div == 0 {
		return fmt.Sprint(n/div, unit)
	}
	return fmt.Sprintf("%.1f%s", float64(n)/float64(div), unit)
}

var (
	transferNames = map[string]locale.Texts{Upload: {ZH: "上传", EN: "Upload"}, Download: {ZH: "下载", EN: "Download"}}
	resultNames   = map[string]locale.Texts{Success: {ZH: "成功", EN: "Success"}, Failure: {ZH: "失败", EN: "Failure"}}
)

// KindName is what a transfer's kind is called.
func (t Transfer) KindName(lang locale.Language) string { return transferNames[t.Kind].In(lang) }

// ResultName is how a transfer went.
func (t Transfer) ResultName(lang locale.Language) string { return resultNames[t.Result].In(lang) }

// Now is the caller's clock, milliseconds UTC: for lengths of open sessions.
func (s *Service) Now(ctx context.Context) int64 { return s.db.NowIn(ctx).UnixMilli() }
