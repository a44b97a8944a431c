package authorization_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/authorization"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

func (w *world) list(who principal.Principal, f authorization.Filter) (ids []string, total int) {
	w.t.Helper()
	page, total, err := w.s.List(w.t.Context(), who, f)
	w.ok(err)
	for _, v := range page {
		ids = append(ids, v.ID)
	}
	return ids, total
}

// TestList: order, pages, filters, totals.
func TestList(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		disk, login := w.create(w.li, "the disk of web-1 is full 磁盘已满"), w.create(w.wang, "cannot log in 无法登录")
		var all []string // newest first
		for _, n := range []string{disk, login, disk, disk} {
			all = append([]string{w.ask(n)}, all...)
		}
		w.ok(w.confirm(w.li, all[0]))
		w.ok(w.do(w.wang, all[2], "reject"))
		status := func(s authorization.Status) *authorization.Status { return &s }
		for _, tt := range []struct {
			name string
			who  principal.Principal
			f    authorization.Filter
			want []string
		}{
			{"all", w.boss, authorization.Filter{}, all},
			{"own", w.li, authorization.Filter{}, []string{all[0], all[1], all[3]}},
			{"ticket", w.boss, authorization.Filter{Number: login}, []string{all[2]}},
			{"unknown ticket", w.boss, authorization.Filter{Number: "TS1"}, nil},
			{"asked", w.boss, authorization.Filter{Status: status(0)}, []string{all[1], all[3]}},
			{"granted", w.boss, authorization.Filter{Status: status(1)}, []string{all[0]}},
			{"drafts", w.boss, authorization.Filter{Status: status(-1)}, nil},
			{"submitter", w.boss, authorization.Filter{CreatorName: "WAN"}, []string{all[2]}},
			{"a colleague", w.li, authorization.Filter{CreatorName: "wang"}, nil},
			{"words", w.boss, authorization.Filter{Description: "disk 磁盘"}, []string{all[0], all[1], all[3]}},
			{"no such words", w.boss, authorization.Filter{Description: "printer"}, nil},
			{"only marks", w.boss, authorization.Filter{Description: "???"}, nil},
			{"together", w.boss, authorization.Filter{Description: "disk", Status: status(0), Number: disk}, []string{all[1], all[3]}},
			{"foreign", w.foreign, authorization.Filter{Number: disk, Description: "disk"}, nil},
		} {
			if got, total := w.list(tt.who, tt.f); !slices.Equal(got, tt.want) || total != len(tt.want) {
				w.t.Errorf("%s: %v of %d, want %v", tt.name, got, total, tt.want)
			}
		}
		if got, total := w.list(w.boss, authorization.Filter{Offset: 1, Limit: 2}); !slices.Equal(got, all[1:3]) || total != 4 {
			w.t.Errorf("page: %v of %d", got, total)
		}
		if got, total := w.list(w.boss, authorization.Filter{Offset: 4}); len(got) != 0 || total != 4 {
			w.t.Errorf("behind the end: %v of %d", got, total)
		}
		bad := authorization.Status(11)
		_, _, err := w.s.List(w.t.Context(), w.boss, authorization.Filter{Status: &bad})
		w.refused(err, "01010001", "status")
		if _, _, err = w.s.List(w.t.Context(), w.boss, authorization.Filter{Description: strings.Repeat("x ", 64)}); err != nil {
			w.t.Error(err)
		}
		_, _, err = w.s.List(w.t.Context(), w.boss, authorization.Filter{Description: strings.Repeat("x ", 65)})
		w.refused(err, "01010001", "simple_description")
		v, err := w.s.Show(w.t.Context(), w.li, all[0], "")
		if err != nil || v.Number != disk || v.Words != "the disk of web-1 is full 磁盘已满" || v.CreatorName != "li" || v.HandlerName != "li" || len(v.Details) != 1 ||
			v.Details[0].Account != "marker-account-77" || v.Details[0].Port != 2222 || v.Details[0].Label() != "web-1 (192.0.2.10)" {
			w.t.Errorf("%+v, %v", v, err)
		}

		// The desk's lists.
		got, cursor, err := w.s.Desk(w.t.Context(), w.zhao, []authorization.Status{0, 1}, "", 2)
		if err != nil || len(got) != 2 || got[0].ID != all[0] || got[1].ID != all[1] || cursor == "" || got[0].EngineerName != "zhao" {
			w.t.Errorf("desk: %+v, %q, %v", got, cursor, err)
		}
		got, cursor, err = w.s.Desk(w.t.Context(), w.zhao, []authorization.Status{0, 1}, cursor, 2)
		if err != nil || len(got) != 1 || got[0].ID != all[3] || cursor != "" {
			w.t.Errorf("desk's second page: %+v, %q, %v", got, cursor, err)
		}
		of, err := w.s.OfTicket(w.t.Context(), w.chen, disk)
		if err != nil || len(of) != 3 || of[0].ID != all[0] || len(of[0].Details) != 1 || of[0].Details[0].Account != "" {
			w.t.Errorf("of the ticket: %+v, %v", of, err)
		}
		_, _, err = w.s.Desk(w.t.Context(), w.li, nil, "", 0)
		w.refused(err, "01010002")
		of, err = w.s.OfTicket(w.t.Context(), w.auditor, disk)
		if err != nil || len(of) != 3 || of[0].Details[0].Account != "" {
			w.t.Errorf("an auditor sees of the ticket: %+v, %v", of, err)
		}
		_, err = w.s.OfTicket(w.t.Context(), w.li, disk)
		w.refused(err, "01010002")
	})
}

// TestStrangers: every customer's operation on an authorization that is not the
// caller's answers exactly as on one that never was; in a group it is his.
func TestStrangers(t *testing.T) {
	each(t, authorization.Options{Config: checksOn("192.0.2.0/24")}, func(w *world) {
		house := principal.AsSystem(principal.House)
		group, err := w.ident.CreateGroup(w.t.Context(), house, identity.NewGroup{Domain: w.li.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		w.ok(err)
		w.ok(w.ident.AddMember(w.t.Context(), house, w.li.Domain, group.ID, w.li.User))
		plain, err := w.ident.CreateGroup(w.t.Context(), house, identity.NewGroup{Domain: w.li.Domain, Name: "plain"})
		w.ok(err)
		w.ok(w.ident.AddMember(w.t.Context(), house, w.li.Domain, plain.ID, w.wang.User))
		id := w.ask(w.create(w.li, "strangers"))
		detail := w.detail(id)
		operations := map[string]func(who principal.Principal, id string, detail int64, group string) error{
			"show": func(who principal.Principal, id string, _ int64, g string) error {
				_, err := w.s.Show(w.t.Context(), who, id, g)
				return err
			},
			"confirm": func(who principal.Principal, id string, d int64, g string) error {
				return w.s.Confirm(w.t.Context(), who, authorization.Grant{ID: id, Group: g, Expire: w.now() + 1000, Access: []authorization.Access{{Detail: d, Account: "x", Password: "y"}}})
			},
			"reject": func(who principal.Principal, id string, _ int64, g string) error {
				return w.s.Do(w.t.Context(), who, id, g, "reject", "")
			},
			"cancel": func(who principal.Principal, id string, _ int64, g string) error {
				return w.s.Do(w.t.Context(), who, id, g, "cancel", "")
			},
			"check": func(who principal.Principal, _ string, d int64, g string) error {
				return w.s.CheckHost(w.t.Context(), who, authorization.Try{Detail: d, Group: g, Port: 22, Account: "x", Password: "y"})
			},
			"sessions": func(who principal.Principal, id string, d int64, g string) error {
				_, _, err := w.s.Sessions(w.t.Context(), who, id, d, g, authorization.Page{})
				return err
			},
			"commands": func(who principal.Principal, id string, d int64, g string) error {
				_, _, err := w.s.Commands(w.t.Context(), who, id, d, 1, g, authorization.Page{})
				return err
			},
			"transfers": func(who principal.Principal, id string, d int64, g string) error {
				_, _, err := w.s.Transfers(w.t.Context(), who, id, d, 1, g, authorization.Page{})
				return err
			},
		}
		for name, call := range operations {
			for _, who := range []principal.Principal{w.wang, w.foreign} {
				got, never := call(who, id, detail, ""), call(who, "Auth-00000000000000000000000000", 12345, "")
				if got == nil || fmt.Sprint(got) != fmt.Sprint(never) || fault.KindOf(got) != fault.NotFound {
					w.t.Errorf("%s by %s: %v, on one that never was: %v", name, who.UserName, got, never)
				}
			}
			w.refused(call(w.wang, id, detail, group.ID), "01010002", "group_id")    // not a member
			w.refused(call(w.wang, id, detail, plain.ID), "01010002", "group_id")    // a group without the role
			w.refused(call(w.foreign, id, detail, group.ID), "01010002", "group_id") // another domain's
			for _, who := range []principal.Principal{w.chen, {}} {
				if err := call(who, id, detail, ""); fault.KindOf(err) != fault.Forbidden {
					w.t.Errorf("%s by no customer: %v", name, err)
				}
			}
		}
		if got := w.status(id); got != authorization.Asked {
			w.t.Fatalf("strangers led to state %d", got)
		}
		w.ok(w.ident.AddMember(w.t.Context(), house, w.li.Domain, group.ID, w.wang.User))
		if got, total := w.list(w.wang, authorization.Filter{Group: group.ID}); total != 1 || got[0] != id {
			w.t.Errorf("group's list: %v", got)
		}
		if _, total := w.list(w.wang, authorization.Filter{}); total != 0 {
			w.t.Error("without the group the colleague's is listed")
		}
		w.ok(operations["confirm"](w.wang, id, detail, group.ID))
		v, err := w.s.Show(w.t.Context(), w.boss, id, "")
		if err != nil || v.HandlerName != "wang" {
			w.t.Errorf("answered by %q, %v", v.HandlerName, err)
		}
	})
}

// TestReveal: only the handler or who asked, only in force, each look recorded.
func TestReveal(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "reveal")
		id := w.into(number, authorization.Asked)
		detail := w.detail(id)
		look := func(who principal.Principal) error {
			_, err := w.s.Reveal(w.t.Context(), who, id, detail, "")
			return err
		}
		w.refused(look(w.chen), "01010002") // not granted
		g := w.grant(id)
		g.Effective = w.now() + 1000
		w.ok(w.s.Confirm(w.t.Context(), w.li, g))
		w.refused(look(w.chen), "01010002") // not yet
		w.clock.Add(time.Second)
		_, err := w.s.Reveal(w.t.Context(), w.chen, id, detail, strings.Repeat("因", 201))
		w.refused(err, "01010001", "reason")
		got, err := w.s.Reveal(w.t.Context(), w.chen, id, detail, " "+strings.Repeat("因", 198)+" ")
		if err != nil || got != (authorization.Secret{Address: "192.0.2.10", Port: 2222, Account: "marker-account-77", Password: secret}) {
			w.t.Errorf("%+v, %v", got, err)
		}
		var kept string
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT r.text FROM ticket_remarks AS r JOIN events AS e ON e.domain_id = r.domain_id AND e.id = r.event_id WHERE r.domain_id = ? AND e.kind = 'authorization.reveal'", w.li.Domain).Scan(&kept)
		}))
		if kept != strings.Repeat("因", 198) {
			w.t.Errorf("the reason: %q", kept)
		}
		for _, who := range []principal.Principal{w.emma, w.zhao, w.admin, w.auditor, w.local, w.li, {}} {
			w.refused(look(who), "01010002")
		}
		_, err = w.s.Reveal(w.t.Context(), w.chen, id, 5, "")
		w.refused(err, "01010032")
		_, err = w.s.Reveal(w.t.Context(), w.chen, "Auth-none", detail, "")
		w.refused(err, "01010001")
		w.clock.Add(time.Hour)
		w.refused(look(w.chen), "01010002") // over, though the job has not run
		if n := w.events("authorization.reveal"); n != 1 {
			w.t.Errorf("%d looks recorded, want 1", n)
		}
	})
}

// TestLoginType: how the caller proved who he is.
func TestLoginType(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		signed := w.li
		signed.AccessKey = "AK"
		for want, who := range map[string]principal.Principal{"PASSWORD": w.li, "AKSK": signed} {
			if got, err := w.s.LoginType(w.t.Context(), who); got != want || err != nil {
				w.t.Errorf("%q, %v, want %s", got, err, want)
			}
		}
		_, err := w.s.LoginType(w.t.Context(), w.chen)
		w.refused(err, "01010002")
	})
}

// checksOn switches the checks on, with ranges that may be reached.
func checksOn(allow ...string) config.Authorization {
	return config.Authorization{CheckHosts: config.CheckHosts{Enabled: true, Allow: allow}}
}
