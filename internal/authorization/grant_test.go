package authorization_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/authorization"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestWindow: the times of a grant, each limit at its edge.
func TestWindow(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "window")
		const hour, day = int64(3600_000), int64(24 * 3600_000)
		id := w.ask(number)
		for _, tt := range []struct {
			from, to int64 // from now; from 0 as absent
			field    string
		}{
			{0, 0, "auth_expire_time"}, {0, -1, "auth_expire_time"}, {hour, hour, "auth_expire_time"}, {2 * hour, hour, "auth_expire_time"},
			{0, 30*day + 1, "auth_expire_time"}, {-day, 29*day + 1, "auth_expire_time"}, {340 * day, 365*day + 1, "auth_expire_time"},
			{1<<62 - 1, 1 << 62, "auth_expire_time"},
		} {
			g := w.grant(id)
			g.Expire = w.now() + tt.to
			if g.Effective = w.now() + tt.from; tt.from == 0 {
				g.Effective = 0
			}
			w.refused(w.s.Confirm(w.t.Context(), w.li, g), "01010001", tt.field)
		}
		g := w.grant(id)
		g.Expire = 0
		w.refused(w.s.Confirm(w.t.Context(), w.li, g), "01010001", "auth_expire_time")
		if g.Effective = -1; true {
			w.refused(w.s.Confirm(w.t.Context(), w.li, g), "01010001", "auth_effective_time")
		}
		for _, tt := range [][2]int64{{0, 1}, {0, 30 * day}, {-day, 29 * day}, {335 * day, 365 * day}} {
			id := w.ask(number)
			g := w.grant(id)
			g.Expire = w.now() + tt[1]
			want := w.now()
			if tt[0] != 0 {
				g.Effective = w.now() + tt[0]
				want = g.Effective
			}
			w.ok(w.s.Confirm(w.t.Context(), w.li, g))
			v, err := w.s.Show(w.t.Context(), w.li, id, "")
			w.ok(err)
			if v.Effective != want || v.Expires != g.Expire || v.Status != authorization.Granted || v.HandlerName != "li" {
				w.t.Errorf("granted %d to %d, state %d by %q", v.Effective, v.Expires, v.Status, v.HandlerName)
			}
			w.ok(w.do(w.li, id, "cancel"))
		}
		if got := w.status(id); got != authorization.Asked {
			w.t.Errorf("refused grants led to state %d", got)
		}
	})
}

// TestAccess: which items may be answered and with what.
func TestAccess(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "access")
		id, other := w.ask(number), w.ask(number)
		with := func(change func(g *authorization.Grant)) error {
			g := w.grant(id)
			change(&g)
			return w.s.Confirm(w.t.Context(), w.li, g)
		}
		foreign := w.detail(other)
		w.refused(with(func(g *authorization.Grant) { g.Access[0].Detail = foreign }), "01010032")
		w.refused(with(func(g *authorization.Grant) { g.Access[0].Detail = 7 }), "01010032")
		w.refused(with(func(g *authorization.Grant) { g.Access = append(g.Access, g.Access[0]) }), "01010001", "auth_detail_list.auth_detail_id")
		w.refused(with(func(g *authorization.Grant) { g.Access = make([]authorization.Access, 7) }), "01010001", "auth_detail_list")
		w.refused(with(func(g *authorization.Grant) { g.Access[0].Port = 65536 }), "01010001", "auth_detail_list.port")
		w.refused(with(func(g *authorization.Grant) { g.Access[0].Account = strings.Repeat("帐", 65) }), "01010001", "auth_detail_list.account")
		w.refused(with(func(g *authorization.Grant) { g.Access[0].Account = "root\n" }), "01010001", "auth_detail_list.account")
		w.refused(with(func(g *authorization.Grant) { g.Access[0].Password = strings.Repeat("密", 10241) }), "01010001", "auth_detail_list.password")
		w.refused(with(func(g *authorization.Grant) { g.Agency = "agency-1" }), "01010001", "agency_id") // a host
		w.refused(with(func(g *authorization.Grant) { g.Agency = strings.Repeat("a", 65) }), "01010001", "agency_id")
		w.refused(with(func(g *authorization.Grant) { g.ID = "Auth-none" }), "01010001", "authorization_id")
		w.ok(with(func(g *authorization.Grant) {
			g.Access[0].Port, g.Access[0].Account, g.Access[0].Password = 65535, strings.Repeat("帐", 64), strings.Repeat("密", 10240)
		}))
		got, err := w.s.Reveal(w.t.Context(), w.chen, id, w.detail(id), "")
		if err != nil || got.Port != 65535 || got.Account != strings.Repeat("帐", 64) || got.Password != strings.Repeat("密", 10240) || got.Address != "192.0.2.10" {
			w.t.Errorf("reveal: port %d, %d and %d bytes, %v", got.Port, len(got.Account), len(got.Password), err)
		}
		// A console by agency, without any item.
		console, err := w.s.Request(w.t.Context(), w.zhao, authorization.NewRequest{Number: number, Description: "console"})
		w.ok(err)
		delegation, err := w.ident.CreateAgency(w.t.Context(), principal.AsSystem(principal.House), identity.NewAgency{Domain: w.li.Domain, Name: "on call", TrustName: "Casemate"})
		w.ok(err)
		theirs, err := w.ident.CreateAgency(w.t.Context(), principal.AsSystem(principal.House), identity.NewAgency{Domain: w.foreign.Domain, Name: "on call", TrustName: "Casemate"})
		w.ok(err)
		for _, id := range []string{"nobody", theirs.ID} {
			w.refused(w.s.Confirm(w.t.Context(), w.li, authorization.Grant{ID: console, Expire: w.now() + 1000, Agency: id}), "01010001", "agency_id")
		}
		w.ok(w.s.Confirm(w.t.Context(), w.li, authorization.Grant{ID: console, Expire: w.now() + 1000, Agency: delegation.ID}))
		if v, err := w.s.Show(w.t.Context(), w.li, console, ""); err != nil || v.AgencyName != "on call" {
			w.t.Errorf("%q, %v", v.AgencyName, err)
		}
		got, err = w.s.Reveal(w.t.Context(), w.chen, console, w.detail(console), "")
		if err != nil || got != (authorization.Secret{Agency: delegation.ID}) {
			w.t.Errorf("agency: %+v, %v", got, err)
		}
	})
}

// TestRequestLimits: what an engineer may write, at the maximum and beyond.
func TestRequestLimits(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "limits")
		ask := func(change func(r *authorization.NewRequest)) error {
			r := host(number)
			change(&r)
			id, err := w.s.Request(w.t.Context(), w.zhao, r)
			if err == nil {
				w.ok(w.house(w.zhao, id, "recall")) // ten may wait
			}
			return err
		}
		detail := func(change func(d *authorization.NewDetail)) error {
			return ask(func(r *authorization.NewRequest) { change(&r.Details[0]) })
		}
		long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + "." + strings.Repeat("d", 60) + "." + strings.Repeat("e", 9)
		for _, tt := range []struct {
			name  string
			field string // "" = accepted
			err   error
		}{
			{"description", "", ask(func(r *authorization.NewRequest) { r.Description = strings.Repeat("云", 2000) })},
			{"description + 1", "description", ask(func(r *authorization.NewRequest) { r.Description = strings.Repeat("云", 2001) })},
			{"blank", "description", ask(func(r *authorization.NewRequest) { r.Description = " \n" })},
			{"details", "", ask(func(r *authorization.NewRequest) { r.Details = make([]authorization.NewDetail, 5) })},
			{"details + 1", "details", ask(func(r *authorization.NewRequest) { r.Details = make([]authorization.NewDetail, 6) })},
			{"port", "", detail(func(d *authorization.NewDetail) { d.Port = 65535 })},
			{"port + 1", "details.port", detail(func(d *authorization.NewDetail) { d.Port = 65536 })},
			{"kind", "details.type", detail(func(d *authorization.NewDetail) { d.Kind = 2 })},
			{"console with address", "details.address", detail(func(d *authorization.NewDetail) { d.Kind = authorization.Console })},
			{"IPv6", "", detail(func(d *authorization.NewDetail) { d.Address = "2001:db8::1" })},
			{"host name", "", detail(func(d *authorization.NewDetail) { d.Address = long })},
			{"host name + 1", "details.address", detail(func(d *authorization.NewDetail) { d.Address = long + "e" + "." })},
			{"URL", "details.address", detail(func(d *authorization.NewDetail) { d.Address = "http://a/b" })},
			{"with port", "details.address", detail(func(d *authorization.NewDetail) { d.Address = "host:22" })},
			{"instance id + 1", "details.instance_id", detail(func(d *authorization.NewDetail) { d.InstanceID = strings.Repeat("i", 65) })},
			{"instance name", "", detail(func(d *authorization.NewDetail) { d.InstanceName = strings.Repeat("名", 128) })},
			{"instance name + 1", "details.instance_name", detail(func(d *authorization.NewDetail) { d.InstanceName = strings.Repeat("名", 129) })},
			{"control", "details.instance_name", detail(func(d *authorization.NewDetail) { d.InstanceName = "a\x1bb" })},
			{"region + 1", "details.region_id", detail(func(d *authorization.NewDetail) { d.Region = strings.Repeat("r", 65) })},
			{"kinds", "", ask(func(r *authorization.NewRequest) { r.Resource, r.Visit, r.Content = "3", "6", "5" })},
			{"unknown kind", "visit_type_id", ask(func(r *authorization.NewRequest) { r.Resource, r.Visit, r.Content = "3", "99", "5" })},
			{"half the kinds", "visit_type_id", ask(func(r *authorization.NewRequest) { r.Resource = "3" })},
		} {
			if tt.field == "" {
				if tt.err != nil {
					w.t.Errorf("%s: %v", tt.name, tt.err)
				}
				continue
			}
			w.refused(tt.err, "01010001", tt.field)
		}
		w.refused(ask(func(r *authorization.NewRequest) { r.Number = "TS0000000000000000000" }), "01010015")
		for range 10 {
			w.ask(number)
		}
		_, err := w.s.Request(w.t.Context(), w.zhao, host(number))
		w.refused(err, "01010002")
	})
}

// TestAgreement: with the operator's switch on, a grant needs the signature of
// the newest agreement for this authorization, or for none in particular.
func TestAgreement(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		files := catalog.Default()
		files["limits.yaml"] = bytes.Replace(files["limits.yaml"], []byte("authorize_requires_agreement: false"), []byte("authorize_requires_agreement: true"), 1)
		_, err := w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
		w.ok(err)
		agreement, ok := w.catalog.Now().LatestAgreement(catalog.AgreementAuthorize)
		if !ok {
			w.t.Fatal("no agreement of type 2")
		}
		number := w.create(w.li, "agreement")
		first, second, third := w.ask(number), w.ask(number), w.ask(number)
		sign := func(who principal.Principal, relation string) {
			_, err := w.catalog.Sign(w.t.Context(), who, agreement.ID, relation)
			w.ok(err)
		}
		w.refused(w.confirm(w.li, first), "01010002")
		sign(w.li, first)
		w.ok(w.confirm(w.li, first))
		w.refused(w.confirm(w.li, second), "01010002") // signed for another
		sign(w.boss, second)                           // somebody else's signature
		w.refused(w.confirm(w.li, second), "01010002")
		sign(w.li, "")
		w.ok(w.confirm(w.li, second))
		w.ok(w.do(w.li, third, "reject")) // a no needs none
	})
}

// TestLog: the customer's steps stand in the ticket's operation log, with their
// codes, in both languages, and in the authorization's own history.
func TestLog(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		number := w.create(w.li, "log")
		one, two := w.ask(number), w.ask(number)
		w.ok(w.confirm(w.li, one))
		w.ok(w.s.Do(w.t.Context(), w.li, two, "", "reject", "不需要"))
		w.ok(w.do(w.li, one, "cancel"))
		for _, tt := range []struct {
			lang locale.Language
			want []string
		}{{locale.ZH, []string{"83 取消授权 li", "74 不需要 li", "73 同意授权 li"}}, {locale.EN, []string{"83 Authorization withdrawn li", "74 不需要 li", "73 Authorization granted li"}}} {
			page, total, err := w.tickets.Log(w.t.Context(), w.li, number, "", tt.lang, 0, 3)
			w.ok(err)
			var got []string
			for _, e := range page {
				got = append(got, fmt.Sprint(e.Code, " ", e.Remark, " ", e.Name))
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) || total != 4 { // and "created"
				w.t.Errorf("log of %d: %q", total, got)
			}
		}
		var kinds []string
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			kinds = nil
			return tx.List(func(r db.Row) error {
				var kind, data string
				err := r.Scan(&kind, &data)
				kinds = append(kinds, kind)
				if strings.Contains(data, secret) || strings.Contains(data, "marker-account") {
					w.t.Errorf("%s holds what was granted: %s", kind, data)
				}
				return err
			}, "SELECT kind, data FROM events WHERE domain_id = ? AND subject = 'authorization' AND subject_id = ? ORDER BY revision, id", w.li.Domain, one)
		}))
		if fmt.Sprint(kinds) != "[authorization.request authorization.confirm authorization.cancel]" {
			w.t.Errorf("history %v", kinds)
		}
	})
}

// TestErase: when an authorization ends nothing of what was granted is left, not
// even sealed.
func TestErase(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		for name, finish := range map[string]func(number, id string){
			"expiry":     func(_, _ string) { w.clock.Add(time.Hour); w.work() },
			"withdrawal": func(_, id string) { w.ok(w.do(w.li, id, "cancel")) },
			"ticket": func(number, _ string) {
				w.ok(w.tickets.Do(w.t.Context(), w.li, ticket.Act{Number: number, Action: ticket.Close}))
				w.follow()
			},
		} {
			number := w.create(w.li, "erase")
			id := w.ask(number)
			detail := w.detail(id)
			w.ok(w.confirm(w.li, id))
			sealed := func() (account, password string) {
				w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
					return tx.Get("SELECT account, password FROM authorization_details WHERE domain_id = ? AND id = ?", w.li.Domain, detail).Scan(&account, &password)
				}))
				return account, password
			}
			account, password := sealed()
			if account == "" || password == "" || strings.Contains(account+password, "marker") {
				w.t.Fatalf("not sealed: %q %q", account, password)
			}
			finish(number, id)
			if a, p := sealed(); a != "" || p != "" {
				w.t.Errorf("%s left %q %q", name, a, p)
			}
			v, err := w.s.Show(w.t.Context(), w.li, id, "")
			w.ok(err)
			if v.Details[0].Account != "" {
				w.t.Errorf("%s: the account is still shown: %q", name, v.Details[0].Account)
			}
			_, err = w.s.Reveal(w.t.Context(), w.chen, id, detail, "")
			w.refused(err, "01010002")
		}
	})
}

// TestErasedFile: the SQLite file itself, after a checkpoint and vacuum, holds
// neither the marker nor the sealed value any more; before the end it holds
// only the sealed one.
func TestErasedFile(t *testing.T) {
	t.Parallel()
	url := dbtest.SQLiteURL(t)
	clock := dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))
	d := dbtest.Open(t, db.Options{URL: url, Now: clock.Now})
	w := open(t, d, clock, authorization.Options{})
	id := w.ask(w.create(w.li, "erase"))
	w.ok(w.confirm(w.li, id))
	var sealed string
	w.ok(d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get("SELECT password FROM authorization_details WHERE domain_id = ? AND id = ?", w.li.Domain, w.detail(id)).Scan(&sealed)
	}))
	path := strings.TrimPrefix(url, "sqlite:")
	holds := func(marker string) (found bool) {
		for _, suffix := range []string{"", "-wal"} {
			text, err := os.ReadFile(path + suffix)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			found = found || bytes.Contains(text, []byte(marker))
		}
		return found
	}
	if !holds(sealed) || holds(secret) || holds("marker-account-77") {
		t.Fatalf("before the end: sealed %v, in clear %v %v", holds(sealed), holds(secret), holds("marker-account-77"))
	}
	w.ok(w.do(w.li, id, "cancel"))
	w.ok(d.Close())
	vacuum(t, path)
	if holds(sealed) || holds(secret) {
		t.Errorf("after the end: sealed %v, in clear %v", holds(sealed), holds(secret))
	}
}

func vacuum(t *testing.T, path string) {
	t.Helper()
	c, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, q := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := c.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGrantFitsKind: an agency is taken for consoles, demanded where one was asked for,
// and refused for everything else, whatever stands in the details.
func TestGrantFitsKind(t *testing.T) {
	each(t, authorization.Options{}, func(w *world) {
		ctx := w.t.Context()
		agency, err := w.ident.CreateAgency(ctx, principal.AsSystem(principal.House), identity.NewAgency{Domain: w.li.Domain, Name: "on call", TrustName: "Casemate"})
		w.ok(err)
		consoles, hosts := []authorization.NewDetail{{Kind: authorization.Console}}, []authorization.NewDetail{{Kind: authorization.Host, Address: "192.0.2.9"}}
		const login = "login"
		number := w.create(w.li, "kinds")
		for _, c := range []struct {
			kinds   string // resource, visit, content
			details []authorization.NewDetail
			agency  bool
			login   bool
			field   string // "" = granted
		}{
			{"365", nil, true, false, "agency_id"}, {"365", nil, false, true, ""}, {"265", nil, true, false, "agency_id"}, {"343", nil, true, false, "agency_id"},
			{"243", nil, false, false, "agency_id"}, {"243", nil, true, false, ""}, {"243", consoles, true, true, "auth_detail_list"},
			{"244", nil, true, false, ""}, {"244", nil, false, false, ""}, {"241", nil, true, false, "agency_id"}, {"241", nil, false, true, ""},
			{"111", hosts, true, false, "agency_id"}, {"111", hosts, false, true, ""}, {"111", append(slices.Clone(hosts), consoles...), true, true, ""},
		} {
			w.clock.Add(time.Millisecond)
			id, err := w.s.Request(ctx, w.zhao, authorization.NewRequest{Number: number, Description: "x", Resource: c.kinds[:1], Visit: c.kinds[1:2], Content: c.kinds[2:], Details: c.details})
			w.ok(err)
			g := authorization.Grant{ID: id, Expire: w.now() + 1000}
			if c.agency {
				g.Agency = agency.ID
			}
			if c.login {
				g.Access = []authorization.Access{{Detail: w.detail(id), Account: login, Password: "x"}}
			}
			err = w.s.Confirm(ctx, w.li, g)
			if c.field == "" {
				if err != nil {
					w.t.Errorf("%+v: %v", c, err)
				}
				continue
			}
			w.refused(err, "01010001", c.field)
			w.ok(w.s.Do(ctx, w.li, id, "", authorization.Reject, "not so"))
		}
	})
}
