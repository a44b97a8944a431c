package ticket_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

func aReport() ticket.NewReport {
	return ticket.NewReport{Kind: "infringement", Title: "https://shop.example/stolen", Content: "our pictures\nall of them", Files: []string{"f1", "f2", "f3"},
		Reporter: ticket.Reporter{Name: "王小明", Mobile: "+86 13800138000", Mail: "wang@example.org", Company: "明记", Area: "CN", Address: "Road 1", OtherWay: "post", Identity: 23, Files: []string{"i1"}},
		Right:    &ticket.Right{Kind: "copyright", Number: "N-1", Area: "CN", Content: "pictures"}}
}

func TestAbuseReports(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{Config: config.Ticket{AbuseMail: "abuse@house.example"}}, func(w *world) {
		ctx, long := w.t.Context(), strings.Repeat
		x, err := w.ident.CreateUser(ctx, principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: "sup", Password: "a-Password-1", Role: principal.RoleSupervisor, Alias: "Sup"})
		w.ok(err)
		sup := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: x.ID, UserName: "sup", Role: principal.RoleSupervisor}
		for field, change := range map[string]func(*ticket.NewReport){
			"title":                    func(n *ticket.NewReport) { n.Title = " " },
			"title ":                   func(n *ticket.NewReport) { n.Title = long("字", 2049) },
			"content":                  func(n *ticket.NewReport) { n.Content = "" },
			"content ":                 func(n *ticket.NewReport) { n.Content = long("字", 5001) },
			"files":                    func(n *ticket.NewReport) { n.Files = nil },
			"files ":                   func(n *ticket.NewReport) { n.Files = []string{"1", "2", "3", "4"} },
			"files  ":                  func(n *ticket.NewReport) { n.Files = []string{long("a", 33)} },
			"files   ":                 func(n *ticket.NewReport) { n.Files = []string{"../x"} },
			"contacts.id_files":        func(n *ticket.NewReport) { n.Reporter.Files = nil },
			"contacts.id_files ":       func(n *ticket.NewReport) { n.Reporter.Files = []string{"1", "2", "3", "4"} },
			"contacts.id_type":         func(n *ticket.NewReport) { n.Reporter.Identity = 11 },
			"contacts.name":            func(n *ticket.NewReport) { n.Reporter.Name = "" },
			"contacts.name ":           func(n *ticket.NewReport) { n.Reporter.Name = long("字", 129) },
			"contacts.name  ":          func(n *ticket.NewReport) { n.Reporter.Name = "a\r\nb" },
			"contacts.mobile":          func(n *ticket.NewReport) { n.Reporter.Mobile = "call me" },
			"contacts.mobile ":         func(n *ticket.NewReport) { n.Reporter.Mobile = long("1", 33) },
			"contacts.mail":            func(n *ticket.NewReport) { n.Reporter.Mail = "nobody" },
			"contacts.company_name":    func(n *ticket.NewReport) { n.Reporter.Company = long("字", 129) },
			"contacts.area":            func(n *ticket.NewReport) { n.Reporter.Area = long("字", 129) },
			"contacts.address":         func(n *ticket.NewReport) { n.Reporter.Address = long("字", 257) },
			"contacts.other_way":       func(n *ticket.NewReport) { n.Reporter.OtherWay = long("字", 257) },
			"ip.ip_number":             func(n *ticket.NewReport) { n.Right.Number = long("字", 129) },
			"ip.ip_content":            func(n *ticket.NewReport) { n.Right.Content = long("字", 2001) },
			"OSM.01010016 type":        func(n *ticket.NewReport) { n.Kind = "gossip" },
			"OSM.01010016 type ":       func(n *ticket.NewReport) { n.Kind = "infringement,privacy" },
			"OSM.01010031 ip.ip_type ": func(n *ticket.NewReport) { n.Right.Kind = "moral" },
		} {
			in := aReport()
			change(&in)
			code := fault.CodeInvalid
			if c, f, ok := strings.Cut(field, " "); ok && strings.HasPrefix(c, "OSM") {
				code, field = c, f
			}
			err := w.s.FileReport(ctx, w.li, in)
			if f, ok := fault.As(err); !ok || f.Field != strings.TrimSpace(field) || f.Code != code {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		if got := w.count("SELECT count(*) FROM abuse_reports WHERE domain_id = ?", w.li.Domain); got != 0 {
			w.t.Fatalf("%d refused reports are stored", got)
		}
		most := aReport()
		most.Title, most.Content, most.Reporter.Name = long("字", 2048), long("字", 5000), long("字", 128)
		w.ok(w.s.FileReport(ctx, w.wang, most))
		w.clock.Add(time.Second)
		w.ok(w.s.FileReport(ctx, w.li, aReport()))
		w.clock.Add(time.Second)
		plain := aReport()
		plain.Kind, plain.Right, plain.Reporter = "spam", nil, ticket.Reporter{Name: "Ann", Mobile: "0301234567", Identity: 20, Files: []string{"i"}}
		w.ok(w.s.FileReport(ctx, w.foreign, plain))
		w.work()
		if len(w.post.Got) != 3 {
			w.t.Errorf("%d mails to the house", len(w.post.Got))
		}
		for _, m := range w.post.Got {
			if m.To != "abuse@house.example" || strings.Contains(m.Subject+m.Text, "shop.example") || strings.Contains(m.Text, "王小明") {
				w.t.Errorf("%+v", m)
			}
		}
		for _, who := range []principal.Principal{w.chen, w.auditor, w.li, w.boss, {}} {
			_, _, err := w.s.Reports(ctx, who, ticket.ReportFilter{})
			w.refused(err, "01010002")
			_, err = w.s.ShowReport(ctx, who, "x")
			w.refused(err, "01010002")
			_, err = w.s.HandleReport(ctx, who, "x", "")
			w.refused(err, "01010002")
		}
		w.refused(w.s.FileReport(ctx, w.chen, aReport()), "01010002")
		page, cursor, err := w.s.Reports(ctx, sup, ticket.ReportFilter{Limit: 2})
		w.ok(err)
		if len(page) != 2 || page[0].Kind != "spam" || page[0].DomainName != "Harbour" || page[0].ReporterName != "foreign" || cursor != page[1].ID {
			w.t.Fatalf("%+v, cursor %q", page, cursor)
		}
		if c := page[1].Contact; c.Name != "王***" || strings.Contains(c.Mobile, "13800138000") || c.Mail != "w***@example.org" || c.Address+c.OtherWay != "" {
			w.t.Errorf("the list shows %+v", c)
		}
		rest, cursor, err := w.s.Reports(ctx, sup, ticket.ReportFilter{Limit: 2, After: cursor})
		w.ok(err)
		if len(rest) != 1 || cursor != "" || rest[0].Title != most.Title {
			w.t.Errorf("%d, cursor %q", len(rest), cursor)
		}
		id := page[1].ID
		full, err := w.s.ShowReport(ctx, sup, id)
		w.ok(err)
		if fmt.Sprintf("%+v", full.Contact) != fmt.Sprintf("%+v", aReport().Reporter) || *full.Right != *aReport().Right || len(full.Files) != 3 || full.Content != aReport().Content {
			w.t.Errorf("%+v", full)
		}
		if got := w.count("SELECT count(*) FROM events WHERE domain_id = ? AND kind = 'abuse.read' AND actor = ?", w.li.Domain, sup.User); got != 1 {
			w.t.Errorf("%d reads recorded", got)
		}
		_, err = w.s.HandleReport(ctx, sup, id, long("字", 1001))
		w.refused(err, "01010001")
		done, err := w.s.HandleReport(ctx, sup, id, long("字", 1000))
		w.ok(err)
		if done.Handled == 0 || done.HandlerName != "sup" || done.Contact.Name != "王***" {
			w.t.Errorf("%+v", done)
		}
		_, err = w.s.HandleReport(ctx, sup, id, "again")
		w.refused(err, "01010002")
		for _, unknown := range []string{"nothing", ""} {
			_, err = w.s.HandleReport(ctx, sup, unknown, "")
			if fault.KindOf(err) != fault.NotFound {
				w.t.Error(err)
			}
		}
		for f, want := range map[ticket.ReportFilter]int{{Open: true}: 2, {Handled: true}: 1, {}: 3} {
			if got, _, err := w.s.Reports(ctx, sup, f); err != nil || len(got) != want {
				w.t.Errorf("%+v: %d %v", f, len(got), err)
			}
		}
		for _, secret := range []string{"%13800138000%", "%王小明%", "%example.org%", "%shop.example%"} {
			if got := w.count("SELECT count(*) FROM events WHERE data LIKE ? /* all domains: a test */", secret); got != 0 {
				w.t.Errorf("%s stands in an event", secret)
			}
			if got := w.count("SELECT count(*) FROM abuse_reports WHERE contact LIKE ? /* all domains: a test */", secret); got != 0 {
				w.t.Errorf("%s stands in clear", secret)
			}
		}
		// Erased: the report stays, its reporter does not.
		w.ok(w.keys.Destroy(ctx, w.li.User))
		full, err = w.s.ShowReport(ctx, sup, id)
		w.ok(err)
		if full.Contact.Name+full.Contact.Mobile != "" || full.Title == "" {
			w.t.Errorf("%+v", full)
		}
	})
}

// TestReportKinds: the operator's list decides.
func TestReportKinds(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		files := catalog.Default()
		files["configurations.yaml"] = []byte("configuration:\n  - {key: feedback_types, value: 'gossip, spam'}\n")
		_, err := w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
		w.ok(err)
		in := aReport()
		w.refused(w.s.FileReport(w.t.Context(), w.li, in), "01010016")
		in.Kind = "spam"
		w.ok(w.s.FileReport(w.t.Context(), w.li, in))
		delete(files, "configurations.yaml")
		_, err = w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
		w.ok(err)
		w.ok(w.s.FileReport(w.t.Context(), w.li, aReport()))
		if w.work(); len(w.post.Got) != 0 {
			w.t.Error("mails without an address configured")
		}
	})
}

// TestAbuseMail: the address is one plain address, or the server does not start.
func TestAbuseMail(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{"": true, "a@house.example": true, "A <a@house.example>": false, "a@house.example, b@house.example": false, "a": false, "a@b.c\r\nBcc: x@y.z": false} {
		if err := (config.Ticket{AbuseMail: address}).Check(); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}
