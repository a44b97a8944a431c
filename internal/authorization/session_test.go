package authorization_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casemate/internal/authorization"
	"casemate/internal/db"
	"casemate/internal/principal"
)

func (w *world) events(kind string) (n int) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
		return tx.Get("SELECT count(*) FROM events WHERE domain_id = ? AND kind = ?", w.li.Domain, kind).Scan(&n)
	}))
	return n
}

// TestSessions: opened only in force, recorded, read by the customer in both
// orders.
func TestSessions(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "sessions")
		id := w.into(number, authorization.Asked)
		detail := w.detail(id)
		open := func(who principal.Principal) (authorization.Session, error) {
			return w.s.OpenSession(w.t.Context(), who, id, detail)
		}
		_, err := open(w.chen)
		w.refused(err, "01010002") // asked only
		w.ok(w.confirm(w.li, id))
		for _, who := range []principal.Principal{w.emma, w.auditor, w.li, w.local} {
			_, err := open(who)
			w.refused(err, "01010002")
		}
		first, err := open(w.chen)
		w.ok(err)
		w.clock.Add(time.Minute)
		second, err := open(w.chen)
		w.ok(err)
		start := w.now()
		commands := []authorization.Command{{Text: "df -h", At: start}, {Text: "mysql -p" + secret, At: start}, {Text: "exit", At: start + 1000}}
		transfers := []authorization.Transfer{{At: start, Duration: 61_000, Kind: authorization.Upload, File: "fix.sh", From: "/home/chen", To: "/tmp", Size: 1536, Result: authorization.Success},
			{At: start + 500, Kind: authorization.Download, File: "日志.gz", From: "/var/log", To: "/home/chen", Size: 3 << 30, Result: authorization.Failure}}
		w.ok(w.s.Append(w.t.Context(), w.local, id, second.ID, commands, transfers[:1])) // the gateway
		w.ok(w.s.Append(w.t.Context(), w.chen, id, second.ID, nil, transfers[1:]))
		w.refused(w.s.Append(w.t.Context(), w.emma, id, second.ID, commands, nil), "01010002")
		w.refused(w.s.Append(w.t.Context(), w.chen, id, 3, commands, nil), "01010001", "session_id")
		w.clock.Add(90 * time.Second)
		for range 2 { // again is no error and changes nothing
			x, err := w.s.CloseSession(w.t.Context(), w.chen, id, second.ID)
			if err != nil || x.Closed != start+90_000 {
				w.t.Errorf("close: %+v, %v", x, err)
			}
			w.clock.Add(time.Second)
		}
		_, err = w.s.CloseSession(w.t.Context(), w.emma, id, second.ID)
		w.refused(err, "01010002")

		// The desk sees the same, with names and numbers; auditors no commands.
		all, err := w.s.DeskSessions(w.t.Context(), w.auditor, id)
		if err != nil || len(all) != 2 || all[0].ID != second.ID || all[0].EngineerName != "chen" || all[0].Commands != 3 || all[0].Transfers != 2 || all[1].Commands != 0 || all[1].Closed != 0 {
			w.t.Errorf("the desk's sessions: %+v, %v", all, err)
		}
		both := w.auditor // who works, too
		both.Roles = principal.JoinRoles(principal.RoleEngineer, principal.RoleAuditor)
		readers := []principal.Principal{w.chen, w.zhao, w.admin, both, w.local}
		for i, who := range readers {
			typed, copied, err := w.s.DeskRecords(w.t.Context(), who, id, second.ID)
			if err != nil || len(typed) != 3 || typed[1].Text != "mysql -p"+secret || len(copied) != 2 || copied[1].File != "日志.gz" {
				w.t.Errorf("the desk's records for %s: %+v %+v, %v", who.User, typed, copied, err)
			}
			if n := w.events("authorization.browse"); n != i+1 {
				w.t.Errorf("%d events of %d looks", n, i+1)
			}
		}
		// Nor does an engineer of another ticket see any; what is refused is no look.
		for _, who := range []principal.Principal{w.auditor, w.li, w.emma} {
			_, _, err = w.s.DeskRecords(w.t.Context(), who, id, second.ID)
			w.refused(err, "01010002")
		}
		_, _, err = w.s.DeskRecords(w.t.Context(), w.zhao, "Auth-none", second.ID)
		w.refused(err, "01010001")
		_, _, err = w.s.DeskRecords(w.t.Context(), w.zhao, id, 3)
		w.refused(err, "01010001", "session_id")
		if n := w.events("authorization.browse"); n != len(readers) {
			w.t.Errorf("%d events of %d looks", n, len(readers))
		}
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			var actor, data string
			err := tx.Get("SELECT actor, data FROM events WHERE domain_id = ? AND kind = 'authorization.browse' ORDER BY id LIMIT 1", w.li.Domain).Scan(&actor, &data)
			if actor != w.chen.User || !strings.Contains(data, fmt.Sprint(second.ID)) || strings.Contains(data, secret) {
				w.t.Errorf("the event of a look: %s %s", actor, data)
			}
			return err
		}))

		_, err = w.s.DeskSessions(w.t.Context(), w.li, id)
		w.refused(err, "01010002")
		_, err = w.s.DeskSessions(w.t.Context(), w.emma, "Auth-none")
		w.refused(err, "01010001")

		page, total, err := w.s.Sessions(w.t.Context(), w.li, id, detail, "", authorization.Page{})
		w.ok(err)
		if total != 2 || len(page) != 2 || page[0].ID != second.ID || page[1].ID != first.ID || authorization.Clock(page[0].Duration(w.now())) != "00:01:30" ||
			page[1].Closed != 0 || authorization.Clock(page[1].Duration(w.now())) != "00:02:32" {
			w.t.Errorf("sessions: %+v of %d", page, total)
		}
		page, total, err = w.s.Sessions(w.t.Context(), w.li, id, detail, "", authorization.Page{Offset: 1, Limit: 1})
		if err != nil || total != 2 || len(page) != 1 || page[0].ID != first.ID {
			w.t.Errorf("second page: %+v of %d, %v", page, total, err)
		}
		for ascending, want := range map[bool]string{false: "exit,mysql -p" + secret + ",df -h", true: "df -h,mysql -p" + secret + ",exit"} {
			got, total, err := w.s.Commands(w.t.Context(), w.li, id, detail, second.ID, "", authorization.Page{Ascending: ascending})
			w.ok(err)
			var texts []string
			for _, c := range got {
				texts = append(texts, c.Text)
			}
			if strings.Join(texts, ",") != want || total != 3 {
				w.t.Errorf("commands: %v of %d", texts, total)
			}
			files, total, err := w.s.Transfers(w.t.Context(), w.li, id, detail, second.ID, "", authorization.Page{Ascending: ascending})
			wanted := []authorization.Transfer{transfers[1], transfers[0]}
			if ascending {
				wanted = transfers
			}
			if err != nil || fmt.Sprint(files) != fmt.Sprint(wanted) || total != 2 {
				w.t.Errorf("transfers: %+v of %d, %v", files, total, err)
			}
		}
		// Typed passwords are sealed as well.
		var stored string
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			stored = ""
			return tx.List(func(r db.Row) error {
				var text string
				err := r.Scan(&text)
				stored += text
				return err
			}, "SELECT text FROM authorization_commands WHERE domain_id = ?", w.li.Domain)
		}))
		if stored == "" || strings.Contains(stored, secret) {
			w.t.Error("commands are stored in clear")
		}
		// Another item's session, an unknown one, another authorization's item.
		_, _, err = w.s.Commands(w.t.Context(), w.li, id, detail, 9, "", authorization.Page{})
		w.refused(err, "01010001", "session_id")
		_, _, err = w.s.Transfers(w.t.Context(), w.li, id, 9, second.ID, "", authorization.Page{})
		w.refused(err, "01010032")
		other := w.ask(number)
		_, _, err = w.s.Sessions(w.t.Context(), w.li, other, detail, "", authorization.Page{})
		w.refused(err, "01010032")

		// The end of the grant ends sessions; the recorder has ten more minutes.
		w.ok(w.do(w.li, id, "cancel"))
		page, _, err = w.s.Sessions(w.t.Context(), w.li, id, detail, "", authorization.Page{})
		if err != nil || page[1].Closed != w.now() {
			w.t.Errorf("after the end: %+v, %v", page, err)
		}
		_, err = open(w.chen)
		w.refused(err, "01010002")
		last := w.now()
		w.clock.Add(10 * time.Minute)
		w.ok(w.s.Append(w.t.Context(), w.chen, id, first.ID, []authorization.Command{{Text: "late", At: last}}, nil))
		w.refused(w.s.Append(w.t.Context(), w.chen, id, first.ID, []authorization.Command{{Text: "later", At: w.now()}}, nil), "01010001", "commands.at")
		w.clock.Add(time.Millisecond)
		w.refused(w.s.Append(w.t.Context(), w.chen, id, first.ID, []authorization.Command{{Text: "too late", At: last}}, nil), "01010002")
		if opened, closed := w.events("authorization.session.open"), w.events("authorization.session.close"); opened != 2 || closed != 1 {
			w.t.Errorf("recorded %d opened, %d closed", opened, closed)
		}
	})
}

// TestSessionAtTheEnd: sessions opened while the customer cancels are refused or
// closed: none stays open behind the end.
func TestSessionAtTheEnd(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "at the end")
		opened, refused := 0, 0
		for range 6 {
			id := w.into(number, authorization.Granted)
			detail := w.detail(id)
			results := make(chan error, 5)
			for i := range cap(results) {
				go func() {
					if i == 2 {
						results <- w.do(w.li, id, "cancel")
						return
					}
					_, err := w.s.OpenSession(w.t.Context(), w.chen, id, detail)
					results <- err
				}()
			}
			for range cap(results) {
				if err := <-results; err != nil {
					w.refused(err, "01010002")
					refused++
				}
			}
			page, total, err := w.s.Sessions(w.t.Context(), w.li, id, detail, "", authorization.Page{})
			w.ok(err)
			opened += total
			for _, x := range page {
				if x.Closed == 0 {
					w.t.Errorf("session %d is open behind the end", x.ID)
				}
			}
			if got := w.status(id); got != authorization.Withdrawn {
				w.t.Errorf("state %d", got)
			}
		}
		if opened+refused != 24 {
			w.t.Errorf("%d opened, %d refused, want 24 together", opened, refused)
		}
	})
}

// TestRecordLimits: what a gateway may send, at the maximum and beyond; all or
// none is stored.
func TestRecordLimits(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		id := w.into(w.create(w.li, "records"), authorization.Granted)
		detail := w.detail(id)
		x, err := w.s.OpenSession(w.t.Context(), w.chen, id, detail)
		w.ok(err)
		now := w.now()
		line := func(c authorization.Command) error {
			return w.s.Append(w.t.Context(), w.chen, id, x.ID, []authorization.Command{{Text: "first", At: now}, c}, nil)
		}
		file := func(change func(f *authorization.Transfer)) error {
			f := authorization.Transfer{At: now, Kind: authorization.Upload, File: "f", Result: authorization.Success}
			change(&f)
			return w.s.Append(w.t.Context(), w.chen, id, x.ID, nil, []authorization.Transfer{f})
		}
		w.refused(line(authorization.Command{Text: strings.Repeat("令", 10001), At: now}), "01010001", "commands.text")
		w.refused(line(authorization.Command{At: now}), "01010001", "commands.text")
		w.refused(line(authorization.Command{Text: "x", At: now + 60_001}), "01010001", "commands.at")
		w.refused(line(authorization.Command{Text: "x", At: now - 60_001}), "01010001", "commands.at")
		w.refused(w.s.Append(w.t.Context(), w.chen, id, x.ID, make([]authorization.Command, 101), nil), "01010001", "commands")
		w.refused(w.s.Append(w.t.Context(), w.chen, id, x.ID, nil, make([]authorization.Transfer, 101)), "01010001", "transfers")
		w.refused(file(func(f *authorization.Transfer) { f.Kind = "copy" }), "01010001", "transfers.type")
		w.refused(file(func(f *authorization.Transfer) { f.Result = "" }), "01010001", "transfers.result")
		w.refused(file(func(f *authorization.Transfer) { f.File = "" }), "01010001", "transfers.file_name")
		w.refused(file(func(f *authorization.Transfer) { f.File = strings.Repeat("文", 256) }), "01010001", "transfers.file_name")
		w.refused(file(func(f *authorization.Transfer) { f.From = strings.Repeat("文", 4097) }), "01010001", "transfers.from_path")
		w.refused(file(func(f *authorization.Transfer) { f.To = strings.Repeat("文", 4097) }), "01010001", "transfers.to_path")
		w.refused(file(func(f *authorization.Transfer) { f.Size = -1 }), "01010001", "transfers.size")
		w.refused(file(func(f *authorization.Transfer) { f.Duration = -1 }), "01010001", "transfers.duration_ms")
		w.refused(file(func(f *authorization.Transfer) { f.At = now + 60_001 }), "01010001", "transfers.at")
		_, total, err := w.s.Commands(w.t.Context(), w.li, id, detail, x.ID, "", authorization.Page{})
		if err != nil || total != 0 {
			w.t.Errorf("refused records left %d commands, %v", total, err)
		}
		w.ok(line(authorization.Command{Text: strings.Repeat("令", 10000), At: now + 60_000}))
		w.ok(file(func(f *authorization.Transfer) {
			f.File, f.From, f.To = strings.Repeat("文", 255), strings.Repeat("文", 4096), strings.Repeat("文", 4096)
		}))
		many := make([]authorization.Command, 100)
		for i := range many {
			many[i] = authorization.Command{Text: fmt.Sprint(i), At: now}
		}
		w.ok(w.s.Append(w.t.Context(), w.chen, id, x.ID, many, nil))
	})
}

// TestForms: lengths of time and sizes as the wire writes them.
func TestForms(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]string{0: "00:00:00", 999: "00:00:00", 61_000: "00:01:01", 3_600_000: "01:00:00", 360_000_000: "100:00:00"} {
		if got := authorization.Clock(ms); got != want {
			t.Errorf("%d: %s, want %s", ms, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0B", 1023: "1023B", 1024: "1K", 1536: "1.5K", 1 << 20: "1M", 3 << 30: "3G", 5 << 40: "5120G"} {
		if got := authorization.Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
