package diagnose_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/diagnose"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// TestResources: entered by administrators, seen by the domain's users, used by
// a diagnosis as its target.
func TestResources(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		ctx := w.t.Context()
		put := func(r diagnose.Resource) diagnose.Resource {
			w.t.Helper()
			if r.Domain == "" {
				r.Domain = w.boss.Domain
			}
			out, err := w.s.PutResource(ctx, w.admin, r)
			w.ok(err)
			return out
		}
		ids := func(who principal.Principal, project, region string) string {
			w.t.Helper()
			all, err := w.s.Resources(ctx, who, project, region)
			w.ok(err)
			var out []string
			for _, r := range all {
				out = append(out, r.ID)
			}
			return strings.Join(out, " ")
		}
		ecs := put(diagnose.Resource{ID: "ecs-1", Name: "web", Project: "p1", Region: "cn-north-1", IPv4: "10.0.0.7", IPv6: "2001:DB8:0::1", Owner: w.person(w.boss.Domain), Metadata: json.RawMessage(` { "os" : "linux" } `)})
		if ecs.Status != "ACTIVE" || ecs.IPv6 != "2001:db8::1" || string(ecs.Metadata) != `{"os":"linux"}` || ecs.Created == 0 {
			w.t.Errorf("%+v", ecs)
		}
		put(diagnose.Resource{ID: "ecs-2", Name: "db", Project: "p2", Region: "cn-north-1", Status: "SHUTOFF"})
		put(diagnose.Resource{ID: "ecs-1", Domain: w.foreign.Domain, Name: "theirs", IPv4: "10.9.9.9"})
		for query, want := range map[[2]string]string{{"", ""}: "ecs-1 ecs-2", {"p1", ""}: "ecs-1", {"", "cn-north-1"}: "ecs-1 ecs-2", {"p2", "cn-north-1"}: "ecs-2", {"p3", ""}: "", {"", "x"}: ""} {
			if got := ids(w.wang, query[0], query[1]); got != want {
				w.t.Errorf("%v: %q, want %q", query, got, want)
			}
		}
		if got := ids(w.foreign, "", ""); got != "ecs-1" {
			w.t.Errorf("another domain sees %q", got)
		}

		// Its address is the target, unless one is given; it is guarded like any other.
		j := w.done(1, "instance_id", "ecs-1", "port", "22")
		if j.Params["host"] != "10.0.0.7" {
			w.t.Errorf("target %v", j.Params)
		}
		wants(w.t, j, "tcp", diagnose.Bad, "不允许访问", "may not be reached")
		wants(w.t, j, "dns", diagnose.Skipped, "IP 地址", "an IP address")
		if j := w.done(1, "instance_id", "ecs-1", "host", "10.0.0.8"); j.Params["host"] != "10.0.0.8" {
			w.t.Errorf("target %v", j.Params)
		}
		_, err := w.s.Start(ctx, w.li, diagnose.NewJob{Type: 1, Params: params("instance_id", "ecs-2")})
		w.refused(err, "01010001", "params.host") // it has no address
		for _, id := range []string{"ecs-3", "x/y", strings.Repeat("a", 65)} {
			_, err := w.s.Start(ctx, w.li, diagnose.NewJob{Type: 1, Params: params("instance_id", id)})
			w.refused(err, "01010001", "params.instance_id")
		}

		// Replacing and removing; past diagnoses stay.
		changed := put(diagnose.Resource{ID: "ecs-1", Name: "web two"})
		if changed.Created != ecs.Created || changed.IPv4 != "" || string(changed.Metadata) != "{}" {
			w.t.Errorf("%+v", changed)
		}
		w.ok(w.s.DeleteResource(ctx, w.admin, w.boss.Domain, "ecs-1"))
		w.refused(w.s.DeleteResource(ctx, w.admin, w.boss.Domain, "ecs-1"), "01010001", "resource_id")
		if ids(w.li, "", "") != "ecs-2" || ids(w.foreign, "", "") != "ecs-1" || w.show(w.li, "1").Params["instance_id"] != "ecs-1" {
			w.t.Error("removing one touched others")
		}
		if n := w.events("resource.create") + 10*w.events("resource.change") + 100*w.events("resource.delete"); n != 112 {
			w.t.Errorf("events %d", n)
		}
		all, err := w.s.DeskResources(ctx, w.chen, w.boss.Domain)
		if err != nil || len(all) != 1 {
			w.t.Errorf("%v, %v", all, err)
		}
	})
}

// TestResourceRefused: limits at their edge and one over, and who may.
func TestResourceRefused(t *testing.T) {
	t.Parallel()
	each(t, diagnose.Options{}, "", func(w *world) {
		ctx := w.t.Context()
		good := func(change func(r *diagnose.Resource)) diagnose.Resource {
			r := diagnose.Resource{Domain: w.boss.Domain, ID: "ecs-1", Name: "web"}
			change(&r)
			return r
		}
		ours, theirs := w.person(w.boss.Domain), w.person(w.foreign.Domain)
		text := func(n int) string { return strings.Repeat("长", n) }
		object := func(n int) json.RawMessage { return json.RawMessage(`{"k":"` + strings.Repeat("x", n-8) + `"}`) }
		for _, tt := range []struct {
			field string
			ok    func(r *diagnose.Resource)
			bad   func(r *diagnose.Resource)
		}{
			{"resource_id", func(r *diagnose.Resource) { r.ID = strings.Repeat("a", 64) }, func(r *diagnose.Resource) { r.ID = strings.Repeat("a", 65) }},
			{"resource_id", func(r *diagnose.Resource) { r.ID = "a.b_c-1" }, func(r *diagnose.Resource) { r.ID = "a/b" }},
			{"name", func(r *diagnose.Resource) { r.Name = text(128) }, func(r *diagnose.Resource) { r.Name = text(129) }},
			{"name", func(r *diagnose.Resource) { r.Name = "x" }, func(r *diagnose.Resource) { r.Name = " " }},
			{"name", func(r *diagnose.Resource) { r.Name = "x" }, func(r *diagnose.Resource) { r.Name = "a\nb" }},
			{"project_id", func(r *diagnose.Resource) { r.Project = text(64) }, func(r *diagnose.Resource) { r.Project = text(65) }},
			{"status", func(r *diagnose.Resource) { r.Status = text(64) }, func(r *diagnose.Resource) { r.Status = text(65) }},
			{"host_id", func(r *diagnose.Resource) { r.Host = text(64) }, func(r *diagnose.Resource) { r.Host = text(65) }},
			{"owner_id", func(r *diagnose.Resource) { r.Owner = ours }, func(r *diagnose.Resource) { r.Owner = theirs }},
			{"region", func(r *diagnose.Resource) { r.Region = "cn-north-1" }, func(r *diagnose.Resource) { r.Region = "atlantis" }},
			{"ipv4", func(r *diagnose.Resource) { r.IPv4 = "192.0.2.1" }, func(r *diagnose.Resource) { r.IPv4 = "2001:db8::1" }},
			{"ipv6", func(r *diagnose.Resource) { r.IPv6 = "2001:db8::1" }, func(r *diagnose.Resource) { r.IPv6 = "fe80::1%eth0" }},
			{"metadata", func(r *diagnose.Resource) { r.Metadata = object(4096) }, func(r *diagnose.Resource) { r.Metadata = object(4097) }},
			{"metadata", func(r *diagnose.Resource) { r.Metadata = json.RawMessage(`{}`) }, func(r *diagnose.Resource) { r.Metadata = json.RawMessage(`[1]`) }},
			{"metadata", func(r *diagnose.Resource) { r.Metadata = json.RawMessage(`{"a":null}`) }, func(r *diagnose.Resource) { r.Metadata = json.RawMessage(`null`) }},
		} {
			if _, err := w.s.PutResource(ctx, w.admin, good(tt.ok)); err != nil {
				w.t.Errorf("%s at its limit: %v", tt.field, err)
			}
			_, err := w.s.PutResource(ctx, w.admin, good(tt.bad))
			w.refused(err, "01010001", tt.field)
		}
		for _, domain := range []string{"none", principal.House} {
			if _, err := w.s.PutResource(ctx, w.admin, good(func(r *diagnose.Resource) { r.Domain = domain })); !errors.Is(err, identity.ErrNoDomain) {
				w.t.Errorf("domain %s: %v", domain, err)
			}
		}
		for _, who := range []principal.Principal{{}, w.chen, w.auditor, w.boss} {
			if _, err := w.s.PutResource(ctx, who, good(func(*diagnose.Resource) {})); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s %s enters: %v", who.Kind, who.Role, err)
			}
			if err := w.s.DeleteResource(ctx, who, w.boss.Domain, "ecs-1"); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s %s removes: %v", who.Kind, who.Role, err)
			}
		}
		for field, err := range map[string]error{"project_id": second(w.s.Resources(ctx, w.li, text(65), "")), "region": second(w.s.Resources(ctx, w.li, "", text(65)))} {
			w.refused(err, "01010001", field)
		}
		// The five-hundredth is the last.
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			var n int
			if err := tx.Get("SELECT count(*) FROM diagnosis_resources WHERE domain_id = ?", w.boss.Domain).Scan(&n); err != nil {
				return err
			}
			for i := n; i < 499; i++ {
				tx.Write(1, `INSERT INTO diagnosis_resources (domain_id, id, name, project, region, ipv4, ipv6, status, host, owner, metadata, created_at, changed_at)
					VALUES (?, ?, 'x', '', '', '', '', '', '', '', '{}', 0, 0)`, w.boss.Domain, fmt.Sprint("fill-", i))
			}
			return nil
		}))
		if _, err := w.s.PutResource(ctx, w.admin, good(func(r *diagnose.Resource) { r.ID = "last" })); err != nil {
			w.t.Errorf("the 500th: %v", err)
		}
		_, err := w.s.PutResource(ctx, w.admin, good(func(r *diagnose.Resource) { r.ID = "over" }))
		w.refused(err, "01010002", "")
		if _, err := w.s.PutResource(ctx, w.admin, good(func(r *diagnose.Resource) { r.ID = "last" })); err != nil {
			w.t.Errorf("changing one of 500: %v", err)
		}
	})
}

// person makes a real user of a domain.
func (w *world) person(domain string) string {
	w.t.Helper()
	u, err := w.ident.CreateUser(w.t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: domain, Name: "real", Password: "a-Password-1", Main: true})
	w.ok(err)
	return u.ID
}

func second[T any](_ T, err error) error { return err }
