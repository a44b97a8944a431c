package diagnose

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Limits of what a caller may send; ours, the contract has none.
const (
	maxParams = 20
	maxValue  = 256 // characters
)

var forms = map[string]string{
	catalog.FormHost: "name.example | 192.0.2.1 | 2001:db8::1", catalog.FormPort: "1-65535", catalog.FormPath: "/path",
	catalog.FormWord: "[A-Za-z0-9._-]", catalog.FormResource: "[A-Za-z0-9._-]{1,64}",
}

// New is what a diagnosis is started with.
type NewJob struct {
	Type   int32
	Params map[string]string // by the keys of the catalogue's kind; others are ignored
	Region string            // "" = not said
}

// Start begins a diagnosis and answers its number within the domain. It fails
// with OSM.01010001 naming type, region_id or the parameter, and OSM.01010002
// when too many run or ran within the hour (config.Diagnose). A target that may
// not be reached is no error here: its check fails and says why. The job is
// queued in the same transaction.
func (s *Service) Start(ctx context.Context, who principal.Principal, in NewJob) (int32, error) {
	if who.Kind != principal.Customer {
		return 0, fault.NoPermission
	}
	cat := s.catalog.Now()
	kind, ok := cat.Diagnosis(in.Type)
	if !ok {
		return 0, errNoKind.With("type", in.Type)
	}
	if _, known := cat.Region(in.Region); in.Region != "" && !known {
		return 0, fault.Unknown.In("region_id")
	}
	given, err := read(kind, in.Params)
	if err != nil {
		return 0, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (int32, error) {
		// The number's row makes others of the domain wait, so that the limits are exact.
		var n int64
		err := tx.Get(`INSERT INTO diagnosis_numbers (domain_id, last) VALUES (?, 1)
			ON CONFLICT (domain_id) DO UPDATE SET last = diagnosis_numbers.last + 1 RETURNING last`, who.Domain).Scan(&n)
		if err != nil {
			return 0, err
		}
		if err := s.admit(tx, who); err != nil {
			return 0, err
		}
		params, err := complete(tx, who.Domain, kind, given)
		if err != nil {
			return 0, err
		}
		text, err := json.Marshal(params)
		if err != nil {
			return 0, err
		}
		j := Job{Domain: who.Domain, ID: tx.NewID(), Number: int32(n), Creator: who.User, Type: kind.Type, Kind: kind.ID}
		tx.Write(1, `INSERT INTO diagnoses (domain_id, id, number, creator, type, kind, region, params, state, abnormal, red, created_at, started_at, ended_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', 0, ?, 0, 0)`,
			j.Domain, j.ID, n, j.Creator, j.Type, j.Kind, in.Region, string(text), int(Preparing), tx.Now)
		for i, c := range kind.Checks {
			def, skip := fill(kind, c, params)
			outcome, ended := Waiting, int64(0)
			if skip != (locale.Texts{}) {
				outcome, ended = Skipped, tx.Now
			}
			text, err := json.Marshal(def)
			if err != nil {
				return 0, err
			}
			tx.Write(1, `INSERT INTO diagnosis_checks (domain_id, diagnosis_id, id, place, state, definition, message_zh, message_en, started_at, ended_at)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`, j.Domain, j.ID, c.ID, i, int(outcome), string(text), skip.ZH, skip.EN, ended)
		}
		event.Record(tx, who, event.Event{Domain: j.Domain, Kind: "diagnosis.start", Subject: "diagnosis", SubjectID: j.ID, LogCode: event.NoLog,
			Data: map[string]any{"number": n, "kind": j.Kind}})
		enqueue(tx, task{Domain: j.Domain, ID: j.ID}, 0)
		return j.Number, nil
	})
}

// admit holds the limits of the user and of the domain, so that diagnoses are
// no scanner.
func (s *Service) admit(tx *db.Tx, who principal.Principal) error {
	const window = time.Hour
	var running, hourly, domainRunning, domainHourly int
	var oldest, domainOldest int64
	err := tx.Get(`SELECT count(*) FILTER (WHERE creator = ? AND state < 3), count(*) FILTER (WHERE creator = ?), count(*) FILTER (WHERE state < 3), count(*),
		coalesce(min(created_at) FILTER (WHERE creator = ?), 0), coalesce(min(created_at), 0) FROM diagnoses WHERE domain_id = ? AND created_at > ?`,
		who.User, who.User, who.User, who.Domain, tx.Now-window.Milliseconds()).Scan(&running, &hourly, &domainRunning, &domainHourly, &oldest, &domainOldest)
	if err != nil {
		return err
	}
	wait := func(since int64) time.Duration { return window - time.Duration(tx.Now-since)*time.Millisecond }
	c := s.o.Config
	switch {
	case running >= c.Running:
		return errRunning.With("max", c.Running).After(5 * time.Second)
	case domainRunning >= c.DomainRunning:
		return errDomainRunning.With("max", c.DomainRunning).After(5 * time.Second)
	case hourly >= c.Hourly:
		return errHourly.With("max", c.Hourly).After(wait(oldest))
	case domainHourly >= c.DomainHourly:
		return errDomainHourly.With("max", c.DomainHourly).After(wait(domainOldest))
	}
	return nil
}

// read takes the parameters that the kind knows, in the form they are used in.
func read(kind catalog.Diagnosis, in map[string]string) (map[string]string, error) {
	if len(in) > maxParams {
		return nil, fault.TooManyItems.In("params").With("max", maxParams)
	}
	out := map[string]string{}
	for _, p := range kind.Params {
		v := strings.TrimSpace(in[p.Key])
		switch {
		case utf8.RuneCountInString(v) > maxValue:
			return nil, fault.TooLong.In("params."+p.Key).With("max", maxValue)
		case v == "":
			continue
		case p.Form == catalog.FormHost:
			host, ok := catalog.Host(v)
			if !ok {
				return nil, fault.BadFormat.In("params."+p.Key).With("form", forms[p.Form])
			}
			v = host
		case !catalog.FitsForm(p.Form, v):
			return nil, fault.BadFormat.In("params."+p.Key).With("form", forms[p.Form])
		}
		out[p.Key] = v
	}
	return out, nil
}

// complete adds the resource's address and the defaults, and refuses what is
// required and still not there.
func complete(tx *db.Tx, domain string, kind catalog.Diagnosis, given map[string]string) (map[string]string, error) {
	out := map[string]string{}
	address := ""
	for _, p := range kind.Params {
		if id := given[p.Key]; p.Form == catalog.FormResource && id != "" {
			r, err := resourceIn(tx, domain, id)
			if fault.KindOf(err) == fault.NotFound {
				return nil, errNoResource.In("params." + p.Key)
			}
			if err != nil {
				return nil, err
			}
			if address = r.IPv4; address == "" {
				address = r.IPv6
			}
		}
	}
	for _, p := range kind.Params {
		v := given[p.Key]
		if v == "" && p.Form == catalog.FormHost {
			v = address
		}
		if v == "" {
			v = p.Default
		}
		if v == "" && p.Required {
			return nil, fault.Missing.In("params." + p.Key)
		}
		if v != "" {
			out[p.Key] = v
		}
	}
	return out, nil
}

var (
	noValue  = locale.Texts{ZH: "未填写 {names}，跳过此项", EN: "skipped: {names} was not given"}
	noLookup = locale.Texts{ZH: "目标是 IP 地址，无需解析", EN: "skipped: the target is an IP address, there is nothing to look up"}
)

// fill puts the values into a check. A text comes back when it cannot or need
// not be made.
func fill(kind catalog.Diagnosis, c catalog.Check, values map[string]string) (def definition, skip locale.Texts) {
	def = definition{Check: c, GroupName: kind.Group(c.Group).Name}
	var missing []string
	for _, t := range c.Templates() {
		for _, key := range catalog.Placeholders(t) {
			if values[key] == "" && !slices.Contains(missing, key) {
				missing = append(missing, key)
			}
		}
	}
	if len(missing) > 0 {
		return def, say(noValue, "names", strings.Join(missing, ", "))
	}
	put := func(t string) string { return catalog.FillTemplate(t, values) }
	switch {
	case c.HTTP != nil:
		in := map[string]string{}
		for k, v := range values {
			if a, err := netip.ParseAddr(v); err == nil && a.Is6() {
				v = "[" + v + "]"
			}
			in[k] = v
		}
		h := *c.HTTP
		h.URL = catalog.FillTemplate(h.URL, in)
		def.HTTP = &h
	case c.TCP != nil:
		def.TCP = &catalog.TCPCheck{Host: put(c.TCP.Host), Port: put(c.TCP.Port)}
	case c.DNS != nil:
		d := *c.DNS
		d.Name, d.Expected = put(d.Name), nil
		for _, x := range c.DNS.Expected {
			d.Expected = append(d.Expected, put(x))
		}
		def.DNS = &d
		if _, err := netip.ParseAddr(d.Name); err == nil {
			return def, noLookup
		}
	case c.TLS != nil:
		t := *c.TLS
		t.Host, t.Port = put(t.Host), put(t.Port)
		def.TLS = &t
	case c.Command != nil:
		cmd := *c.Command
		cmd.Argv = nil
		for i, a := range c.Command.Argv {
			key, whole := catalog.Placeholder(a)
			if whole && slices.ContainsFunc(kind.Params, func(p catalog.DiagnosisParam) bool { return p.Key == key && p.Form == catalog.FormHost }) {
				def.HostArgs = append(def.HostArgs, i)
			}
			cmd.Argv = append(cmd.Argv, put(a))
		}
		def.Command = &cmd
	}
	return def, locale.Texts{}
}

// say fills a text in both languages; pairs of name and value.
func say(t locale.Texts, pairs ...any) locale.Texts {
	var args []fault.Arg
	for i := 0; i+1 < len(pairs); i += 2 {
		args = append(args, fault.Arg{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return locale.Texts{ZH: fault.Fill(t.ZH, args), EN: fault.Fill(t.EN, args)}
}

// task is the argument of a run.
type task struct {
	Domain string `json:"domain"`
	ID     string `json:"id"`
	Round  int    `json:"round,omitempty"` // how often it was put off
}

const kindRun = "diagnose.run"

func enqueue(tx *db.Tx, t task, at int64) {
	job.Enqueue(tx, job.Job{Kind: kindRun, Domain: t.Domain, Args: t, At: at, Unique: t.unique()})
}
