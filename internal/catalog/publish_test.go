package catalog_test

import (
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// both is a text in both languages.
func both(zh, en string) locale.Texts { return locale.Texts{ZH: zh, EN: en} }

// TestPublish: a new version without anybody choosing ids; it un-signs, joins
// the files, and old texts stay as they are.
func TestPublish(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx, alice := t.Context(), customer("d1", "alice")
		sign := func(id int32) {
			t.Helper()
			if _, err := s.Sign(ctx, alice, id, ""); err != nil {
				t.Fatal(err)
			}
		}
		sign(1)
		sign(3)
		text := both("第一行\n\n  - 缩进：“引号” # 井号\n第三行\n", "first: line\n\n  - indented \"quoted\" # hash\nlast")
		out, err := s.Publish(ctx, admin, catalog.NewAgreement{Type: "0", Content: text})
		if err != nil {
			t.Fatal(err)
		}
		a := out.Agreement
		if a.ID != 4 || a.Version != 2 || a.Name.EN != "Service Ticket Agreement" || !a.Latest || out.File != "agreement-0-v2.yaml" {
			t.Errorf("%+v", out)
		}
		now, ok := s.Now().LatestAgreement("0")
		if !ok || now.ID != 4 || now.Content != both(strings.TrimRight(text.ZH, "\n"), text.EN) {
			t.Errorf("latest is %+v", now)
		}
		if signed(t, s, alice, "0") || !signed(t, s, alice, "2") {
			t.Error("the new version must un-sign its type, and only that")
		}
		// The files hold it: what is exported is what is in force.
		files, err := s.Export(ctx, admin)
		if err != nil || string(files[out.File]) != out.Text {
			t.Fatalf("%v: %q", err, files[out.File])
		}
		if plan, err := s.Plan(ctx, admin, files); err != nil || !plan.Empty() || plan.Layout {
			t.Errorf("%+v, %v", plan, err)
		}
		// A changed text under the same version is refused with file and line.
		edited := maps.Clone(files)
		edited[out.File] = []byte(strings.Replace(out.Text, "last", "least", 1))
		_, err = s.Apply(ctx, admin, edited, catalog.AnyVersion)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), out.File+":3: agreement 4 is published and cannot change") {
			t.Errorf("a changed text: %v", err)
		}

		// Withdrawn: neither its id nor its version is ever given again.
		apply(t, s, catalog.Default())
		if !signed(t, s, alice, "0") {
			t.Error("the older version's signature does not count although it is the newest")
		}
		out, err = s.Publish(ctx, admin, catalog.NewAgreement{Type: "0", Name: both("新协议", "New Agreement"), Content: both("三", "three")})
		if err != nil || out.Agreement.ID != 5 || out.Agreement.Version != 3 || out.Agreement.Name.ZH != "新协议" {
			t.Errorf("%+v, %v", out, err)
		}
		isv, err := s.Publish(ctx, admin, catalog.NewAgreement{Type: "1", Content: both("二", "two")})
		if err != nil || isv.Agreement.ID != 6 || isv.Agreement.Version != 2 || isv.File != "agreement-1-v2.yaml" {
			t.Errorf("%+v, %v", isv, err)
		}
		all, err := s.Agreements(ctx, admin)
		if err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, a := range all {
			mark := ""
			if a.Latest {
				mark = "*"
			}
			if a.Withdrawn {
				mark = "-"
			}
			seen = append(seen, a.Type+"."+string(rune('0'+a.Version))+mark)
		}
		if got := strings.Join(seen, " "); got != "0.3* 0.2- 0.1 1.2* 1.1 2.1*" {
			t.Errorf("agreements %s", got)
		}
	})
}

// TestPublishRefused: limits, strangers, a text that is there already.
func TestPublishRefused(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx := t.Context()
		before := s.Now().Version
		long := func(n int) string { return strings.Repeat("长", n) }
		for _, tt := range []struct {
			in    catalog.NewAgreement
			field string
		}{
			{catalog.NewAgreement{Type: "9", Content: both("一", "one")}, "type"},
			{catalog.NewAgreement{Type: "", Content: both("一", "one")}, "type"},
			{catalog.NewAgreement{Type: "0", Content: both(" \n", "one")}, "content.zh"},
			{catalog.NewAgreement{Type: "0", Content: both("一", "")}, "content.en"},
			{catalog.NewAgreement{Type: "0", Content: both(long(20001), "one")}, "content.zh"},
			{catalog.NewAgreement{Type: "0", Content: both("一", "o\bne")}, "content.en"},
			{catalog.NewAgreement{Type: "0", Name: both("名", ""), Content: both("一", "one")}, "name.en"},
			{catalog.NewAgreement{Type: "0", Name: both(long(129), "x"), Content: both("一", "one")}, "name.zh"},
		} {
			_, err := s.Publish(ctx, admin, tt.in)
			if f, ok := fault.As(err); !ok || f.Code != "OSM.01010001" || f.Field != tt.field {
				t.Errorf("%.40v: %v, want %s", tt.in, err, tt.field)
			}
		}
		now, _ := s.Now().LatestAgreement("0")
		if _, err := s.Publish(ctx, admin, catalog.NewAgreement{Type: "0", Content: now.Content}); fault.KindOf(err) != fault.Conflict {
			t.Errorf("the same text: %v", err)
		}
		for _, who := range []principal.Principal{{}, customer("d1", "alice"), {Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleEngineer}} {
			if _, err := s.Publish(ctx, who, catalog.NewAgreement{Type: "0", Content: both("一", "one")}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v publishes: %v", who.Kind, err)
			}
		}
		for _, who := range []principal.Principal{{}, customer("d1", "alice")} {
			if _, err := s.Agreements(ctx, who); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v lists: %v", who.Kind, err)
			}
			if _, _, err := s.Signatures(ctx, who, catalog.SignatureFilter{Agreement: 1}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v lists signatures: %v", who.Kind, err)
			}
		}
		if s.Now().Version != before {
			t.Error("something was applied")
		}
		out, err := s.Publish(ctx, admin, catalog.NewAgreement{Type: "0", Name: both(long(128), "x"), Content: both(long(20000), "one")})
		if err != nil || out.Agreement.ID != 4 {
			t.Errorf("at the limits: %+v, %v", out.Agreement.ID, err)
		}
	})
}

// TestPublishAgain: a repeated request publishes once; two at once give two
// versions or one refusal, never two texts under one version.
func TestPublishAgain(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		for range 3 {
			ctx := db.WithRequestKey(t.Context(), db.RequestKey{ID: "one", Until: time.Now().Add(time.Hour).UnixMilli()})
			out, err := s.Publish(ctx, admin, catalog.NewAgreement{Type: "0", Content: both("一", "one")})
			if err != nil || out.Agreement.ID != 4 || out.Agreement.Content.EN != "one" {
				t.Fatalf("%+v, %v", out, err)
			}
		}
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				n := string(rune('a' + i))
				_, errs[i] = s.Publish(t.Context(), admin, catalog.NewAgreement{Type: "0", Content: both(n, n)})
			})
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			switch {
			case err == nil:
				good++
			case fault.KindOf(err) != fault.Conflict:
				t.Error(err)
			}
		}
		all, err := s.Agreements(t.Context(), admin)
		if err != nil || good == 0 || len(all) != 4+good {
			t.Errorf("%d published, %d agreements, %v", good, len(all), err)
		}
	})
}

// TestSignatures: the house lists who signed, page by page, of all domains or one.
func TestSignatures(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		ctx := t.Context()
		for _, who := range []principal.Principal{customer("d1", "alice"), customer("d2", "bob"), customer("d1", "carol")} {
			for _, relation := range []string{"", "TS1"} {
				if _, err := s.Sign(ctx, who, 1, relation); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := s.Sign(ctx, customer("d1", "alice"), 3, "AU1"); err != nil {
			t.Fatal(err)
		}
		walk := func(f catalog.SignatureFilter) (all []catalog.Signature) {
			t.Helper()
			for range 10 {
				page, cursor, err := s.Signatures(ctx, admin, f)
				if err != nil || len(page) > f.Limit {
					t.Fatalf("%d of %d, %v", len(page), f.Limit, err)
				}
				all = append(all, page...)
				if cursor == "" {
					return all
				}
				f.Cursor = cursor
			}
			t.Fatal("no end")
			return nil
		}
		for _, limit := range []int{1, 2, 6, 100} {
			all := walk(catalog.SignatureFilter{Agreement: 1, Limit: limit})
			seen := map[string]bool{}
			for i, g := range all {
				seen[g.Domain+g.User+g.Relation] = true
				if i > 0 && g.Signed > all[i-1].Signed {
					t.Errorf("not newest first: %+v", all)
				}
			}
			if len(all) != 6 || len(seen) != 6 || !seen["d2bobTS1"] {
				t.Errorf("limit %d: %+v", limit, all)
			}
		}
		one := walk(catalog.SignatureFilter{Agreement: 1, Domain: "d2", Limit: 100})
		if len(one) != 2 || one[0].User != "bob" || one[0].Signed == 0 {
			t.Errorf("%+v", one)
		}
		if got := walk(catalog.SignatureFilter{Agreement: 3, Limit: 9}); len(got) != 1 || got[0].Relation != "AU1" || got[0].Record != 5 {
			t.Errorf("%+v", got)
		}
		if got := walk(catalog.SignatureFilter{Agreement: 2, Limit: 9}); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		for field, f := range map[string]catalog.SignatureFilter{"id": {Agreement: 99}, "cursor": {Agreement: 1, Cursor: "x"}} {
			if _, _, err := s.Signatures(ctx, admin, f); err == nil {
				t.Errorf("%s: taken", field)
			} else if got, ok := fault.As(err); !ok || got.Code != "OSM.01010001" || got.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

// TestRequireAgreementSwitches: one for creating, one for authorizing, both off
// by default, and neither without something to sign.
func TestRequireAgreementSwitches(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		if s.Now().RequireAgreement() || s.Now().RequireAuthorizationAgreement() {
			t.Error("on by default")
		}
		const key = "authorize_requires_agreement: "
		c := one(t, apply(t, s, edited(t, "limits.yaml", key+"false", key+"true")))
		if c.Kind != catalog.KindLimits || s.Now().RequireAgreement() || !s.Now().RequireAuthorizationAgreement() {
			t.Errorf("%+v", c)
		}
		without := edited(t, "limits.yaml", key+"false", key+"true")
		text := string(without["agreements.yaml"])
		without["agreements.yaml"] = []byte(text[:strings.Index(text, "  - id: 3\n")])
		_, err := s.Plan(t.Context(), admin, without)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `no agreement of type "2" to sign`) || !strings.Contains(err.Error(), "limits.yaml:") {
			t.Errorf("nothing to sign: %v", err)
		}
		old := edited(t, "limits.yaml", "  "+key+"false\n", "") // files of an older release
		apply(t, s, old)
		if s.Now().RequireAuthorizationAgreement() {
			t.Error("still on")
		}
	})
}
