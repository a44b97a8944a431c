package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// partners is a world in which a customer without a plan is served by a partner
// with two engineers, and another partner is the ISV of a product.
type partners struct {
	*world
	blue, maker            identity.Partner
	nora, nils, mia, lisa  principal.Principal // nora and nils of blue, mia of maker; lisa a sub-user of the customer
	client                 identity.Domain
	clientBoss             principal.Principal
	isvProblem, isvProduct string
}

var office = identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}

func withPartners(w *world) *partners {
	p := &partners{world: w}
	w.unlimited()
	system, ctx := principal.AsSystem(principal.House), w.t.Context()
	var err error
	for _, t := range w.catalog.Now().ProblemTypes() {
		if t.CaseType == catalog.Consultation && t.Product != "" && t.ID != w.problem && len(w.catalog.Now().Params(t)) == 0 {
			if first, _ := w.catalog.Now().ProblemType(w.problem); first.Product != t.Product {
				p.isvProblem, p.isvProduct = t.ID, t.Product
				break
			}
		}
	}
	p.blue, err = w.ident.CreatePartner(ctx, system, identity.Partner{Name: "Blue", Whitelisted: true, Hours: office})
	w.ok(err)
	p.maker, err = w.ident.CreatePartner(ctx, system, identity.Partner{Name: "Maker", Whitelisted: true, Hours: office, Services: []identity.ServiceOf{{Kind: identity.ServiceProduct, ID: p.isvProduct}}})
	w.ok(err)
	p.client, err = w.ident.CreateDomain(ctx, system, identity.NewDomain{Name: "Client"})
	w.ok(err)
	w.ok(w.ident.ServedBy(ctx, system, p.client.ID, p.blue.ID))
	user := func(name string, main bool) principal.Principal {
		u, err := w.ident.CreateUser(ctx, system, identity.NewUser{Domain: p.client.ID, Name: name, Password: "a-Password-1", Main: main, Mail: name + "@example.com"})
		w.ok(err)
		return principal.Principal{Kind: principal.Customer, Domain: p.client.ID, User: u.ID, Main: main}
	}
	p.clientBoss, p.lisa = user("cboss", true), user("lisa", false)
	engineer := func(name string, of identity.Partner) principal.Principal {
		u, err := w.ident.CreateUser(ctx, system, identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1", Role: principal.RoleEngineer, Partner: of.ID, Alias: name + " of " + of.Name})
		w.ok(err)
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: name, Role: principal.RoleEngineer, Partner: of.ID}
	}
	p.nora, p.nils, p.mia = engineer("nora", p.blue), engineer("nils", p.blue), engineer("mia", p.maker)
	return p
}

// change puts a changed partner in force.
func (p *partners) change(of *identity.Partner, change func(*identity.Partner)) {
	p.t.Helper()
	change(of)
	_, err := p.ident.ChangePartner(p.t.Context(), principal.AsSystem(principal.House), of.ID, *of)
	p.ok(err)
}

func (p *partners) isvTicket(who principal.Principal) string {
	p.t.Helper()
	in := p.draft("about the ISV's product")
	in.ProblemType = p.isvProblem
	n, err := p.s.Create(p.t.Context(), who, in)
	p.ok(err)
	return n
}

// move transfers one ticket.
func (p *partners) move(who principal.Principal, number string, to ticket.Ownership, handler string) error {
	_, err := p.s.Take(p.t.Context(), who, ticket.Step{Number: number, Action: ticket.StepTransfer, To: to, Assignee: handler})
	return err
}

func (p *partners) shown(who principal.Principal, number string) (ticket.DeskTicket, bool) {
	p.t.Helper()
	t, err := p.s.DeskShow(p.t.Context(), who, number)
	if fault.KindOf(err) == fault.NotFound {
		return t, false
	}
	p.ok(err)
	return t, true
}

// TestTransferRules: each code of the vendor's table (48 to 62) by the step and
// by the batch, and the rule just kept.
func TestTransferRules(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		system, ctx := principal.AsSystem(principal.House), t.Context()
		mine := func() string { return p.create(p.lisa, "transfer me") }
		for _, c := range []struct {
			name    string
			code    string // "" = goes
			numbers func() []string
			to      ticket.Ownership
			handler string
			before  func()
			after   func()
		}{
			{name: "one", numbers: func() []string { return []string{mine()} }, to: 1},
			{name: "to a named engineer", numbers: func() []string { return []string{mine()} }, to: 1, handler: "nora"},
			{name: "several of one person", numbers: func() []string { return []string{mine(), mine(), mine()} }, to: 1},
			{name: "to a colleague in the house", numbers: func() []string { return []string{mine()} }, to: 0, handler: "emma"},
			{name: "an ISV's to its ISV's engineer", numbers: func() []string { return []string{p.isvTicket(p.lisa)} }, to: 2, handler: "mia"},
			{name: "an ISV's to the house", numbers: func() []string { return []string{p.isvTicket(p.lisa)} }, to: 0},
			{name: "15: unknown", code: "15", numbers: func() []string { return []string{"TS2601150000000000000"} }, to: 1},
			{name: "15: deleted", code: "15", numbers: func() []string {
				n := mine()
				p.ok(p.act(p.lisa, n, "cancel"))
				p.ok(p.act(p.lisa, n, "delete"))
				return []string{n}
			}, to: 1},
			{name: "48: two submitters", code: "48", numbers: func() []string { return []string{mine(), p.create(p.clientBoss, "the main account's")} }, to: 1},
			{name: "48: two customers", code: "48", numbers: func() []string { return []string{mine(), p.create(p.foreign, "another customer's")} }, to: 0},
			{name: "49: two owners", code: "49", numbers: func() []string {
				n := mine()
				p.ok(p.move(p.chen, n, 1, ""))
				return []string{mine(), n}
			}, to: 0},
			{name: "50: two ISV tickets", code: "50", numbers: func() []string { return []string{p.isvTicket(p.lisa), p.isvTicket(p.lisa)} }, to: 0},
			{name: "50: two to an ISV", code: "50", numbers: func() []string { return []string{mine(), mine()} }, to: 2},
			{name: "51: has it already", code: "51", numbers: func() []string {
				n := mine()
				p.ok(p.move(p.chen, n, 1, "nora"))
				return []string{n}
			}, to: 1, handler: "nora"},
			{name: "02: is there already", code: "02", numbers: func() []string { return []string{mine()} }, to: 0},
			{name: "55: no partner", code: "55", numbers: func() []string { return []string{p.create(p.foreign, "served by nobody")} }, to: 1},
			{name: "56: not whitelisted", code: "56", numbers: func() []string { return []string{mine()} }, to: 1,
				before: func() { p.change(&p.blue, func(b *identity.Partner) { b.Whitelisted = false }) },
				after:  func() { p.change(&p.blue, func(b *identity.Partner) { b.Whitelisted = true }) }},
			{name: "57: no ISV of this product", code: "57", numbers: func() []string { return []string{mine()} }, to: 2},
			{name: "58: the house's engineer", code: "58", numbers: func() []string { return []string{mine()} }, to: 1, handler: "chen"},
			{name: "58: another partner's engineer", code: "58", numbers: func() []string { return []string{mine()} }, to: 1, handler: "mia"},
			{name: "58: a partner's engineer in the house", code: "58", numbers: func() []string { return []string{mine()} }, to: 0, handler: "nora"},
			{name: "59: a support plan", code: "59", numbers: func() []string { return []string{p.create(p.li, "with a plan")} }, to: 1,
				before: func() { p.ok(p.ident.ServedBy(ctx, system, p.li.Domain, p.blue.ID)) },
				after:  func() { p.ok(p.ident.ServedBy(ctx, system, p.li.Domain, "")) }},
			{name: "60: the account is shut", code: "60", numbers: func() []string {
				n := mine()
				p.ok(p.ident.DisableDomain(ctx, system, p.client.ID, true))
				return []string{n}
			}, to: 1, after: func() { p.ok(p.ident.DisableDomain(ctx, system, p.client.ID, false)) }},
			{name: "61: not a sub type he serves", code: "61", numbers: func() []string { return []string{mine()} }, to: 1,
				before: func() {
					p.change(&p.blue, func(b *identity.Partner) {
						b.Services = []identity.ServiceOf{{Kind: identity.ServiceSubType, ID: "none-of-these"}}
					})
				},
				after: func() { p.change(&p.blue, func(b *identity.Partner) { b.Services = nil }) }},
			{name: "62: over", code: "62", numbers: func() []string {
				n := mine()
				p.ok(p.act(p.lisa, n, "cancel"))
				return []string{n}
			}, to: 1},
			{name: "01: no such engineer", code: "01", numbers: func() []string { return []string{mine()} }, to: 1, handler: "nobody"},
			{name: "01: an auditor", code: "01", numbers: func() []string { return []string{mine()} }, to: 0, handler: "audit"},
			{name: "01: twice the same", code: "01", numbers: func() []string { n := mine(); return []string{n, n} }, to: 1},
			{name: "01: nowhere", code: "01", numbers: func() []string { return []string{mine()} }, to: 3},
		} {
			if c.before != nil {
				c.before()
			}
			// By the batch, which tells of each ticket, or refuses as a whole.
			numbers := c.numbers()
			before := p.states(numbers)
			out, err := p.s.Transfer(ctx, p.chen, ticket.Transfer{Numbers: numbers, To: c.to, Handler: c.handler, Text: "a note"})
			whole := err != nil
			for i, r := range out {
				if r.Number != numbers[i] {
					t.Errorf("%s: result %d is of %s", c.name, i, r.Number)
				}
				if r.Refusal != nil {
					err = r.Refusal
				}
			}
			p.judge(c.name, err, c.code)
			switch {
			case c.code != "" && !slices.Equal(p.states(numbers), before):
				t.Errorf("%s: refused, and the tickets have changed", c.name)
			case c.code == "" && c.handler == "" && p.states(numbers)[0] == before[0]:
				t.Errorf("%s: nothing has changed", c.name)
			case whole != slices.Contains([]string{"48", "49", "50", "01"}, c.code):
				t.Errorf("%s: refused as a whole: %v", c.name, whole)
			}
			// By the step of one ticket.
			if one := c.numbers(); len(one) == 1 {
				p.judge(c.name+" (step)", p.move(p.chen, one[0], c.to, c.handler), c.code)
			}
			if c.after != nil {
				c.after()
			}
		}
		// 57: the customer's link stays when the partner is removed.
		n := mine()
		p.ok(p.ident.RemovePartner(ctx, system, p.blue.ID))
		p.judge("57: the partner is gone", p.move(p.chen, n, 1, ""), "57")
	})
}

func (p *partners) judge(name string, err error, code string) {
	p.t.Helper()
	f, ok := fault.As(err)
	if code == "" && err != nil || code != "" && (!ok || f.Code != "OSM.010100"+code) {
		p.t.Errorf("%s: %v, want %q", name, err, code)
	}
	if ok && (f.ZH == "" || f.EN == "") {
		p.t.Errorf("%s: a text is missing", name)
	}
}

// states is what a transfer changes, of each ticket.
func (p *partners) states(numbers []string) (out []string) {
	for _, n := range numbers {
		t, ok := p.shown(p.chen, n)
		out = append(out, fmt.Sprint(ok, t.Ownership, t.Status, t.Assignee, t.Revision))
	}
	return out
}

// TestTransferBatch: up to 100, each with its own result, the rest go.
func TestTransferBatch(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		ctx := t.Context()
		good, over := p.create(p.lisa, "a"), p.create(p.lisa, "b")
		p.ok(p.act(p.lisa, over, "cancel"))
		const never = "TS2601150000000000000"
		out, err := p.s.Transfer(ctx, p.chen, ticket.Transfer{Numbers: []string{over, good, never}, To: ticket.PartnerBusiness, Handler: "nora", Text: "please"})
		p.ok(err)
		if len(out) != 3 || out[0].Refusal == nil || out[0].Refusal.Code != "OSM.01010062" || out[1].Refusal != nil || out[2].Refusal == nil || out[2].Refusal.Code != "OSM.01010015" {
			t.Errorf("%+v", out)
		}
		if got, _ := p.shown(p.nora, good); got.Ownership != ticket.PartnerBusiness || got.Assignee != p.nora.User || got.Status != ticket.Processing || got.Ticket.Ownership != out[1].Ticket.Ownership {
			t.Errorf("%+v", got)
		}
		var numbers []string
		for range ticket.MaxTransfer {
			numbers = append(numbers, p.create(p.lisa, "many"))
		}
		out, err = p.s.Transfer(ctx, p.chen, ticket.Transfer{Numbers: numbers, To: ticket.PartnerBusiness})
		p.ok(err)
		for _, r := range out {
			if r.Refusal != nil {
				t.Errorf("%s: %v", r.Number, r.Refusal)
			}
		}
		if _, total, _, err := p.s.Desk(ctx, p.nora, ticket.DeskFilter{}); err != nil || total != ticket.MaxTransfer+1 {
			t.Errorf("the partner sees %d, %v", total, err)
		}
		for field, in := range map[string]ticket.Transfer{"numbers": {Numbers: append(numbers, good)}, "text": {Numbers: numbers[:1], Text: strings.Repeat("字", 10001)}} {
			_, err := p.s.Transfer(ctx, p.chen, in)
			if f, ok := fault.As(err); !ok || f.Code != fault.CodeInvalid || f.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		_, err = p.s.Transfer(ctx, p.chen, ticket.Transfer{})
		p.refused(err, "01010001")
		_, err = p.s.Transfer(ctx, p.chen, ticket.Transfer{Numbers: numbers[:1], To: ticket.HouseBusiness, Text: strings.Repeat("字", 10000)})
		p.ok(err)
		for _, who := range []principal.Principal{p.auditor, p.lisa, {}} {
			if _, err := p.s.Transfer(ctx, who, ticket.Transfer{Numbers: numbers[:1]}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v transfers: %v", who.Kind, err)
			}
		}
		_, err = p.s.Take(ctx, p.chen, ticket.Step{Number: numbers[0], Action: ticket.StepTransfer, To: 1, Version: 1})
		p.refused(err, "01010002")
		differ, err := p.s.Recount(ctx)
		if err != nil || len(differ) > 0 {
			t.Errorf("the counters differ: %v, %v", differ, err)
		}
	})
}

// TestPartnerSight: a partner's engineers see and work on their customers'
// tickets while these are their business, and on nothing else.
func TestPartnerSight(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		ctx := t.Context()
		house, theirs := p.create(p.lisa, "the house's"), p.create(p.lisa, "the partner's")
		foreign, isv := p.create(p.foreign, "another customer's"), p.isvTicket(p.foreign)
		p.ok(p.move(p.chen, theirs, 1, ""))
		all := map[string]string{"house": house, "partner": theirs, "foreign": foreign, "isv": isv}
		for _, c := range []struct {
			name string
			who  principal.Principal
			sees []string
		}{{"the house", p.chen, []string{house, theirs, foreign, isv}}, {"the partner", p.nora, []string{theirs}}, {"the ISV", p.mia, []string{isv}}} {
			page, total, _, err := p.s.Desk(ctx, c.who, ticket.DeskFilter{})
			p.ok(err)
			var listed []string
			for _, t := range page {
				listed = append(listed, t.Number)
			}
			slices.Sort(listed)
			slices.Sort(c.sees)
			if !slices.Equal(listed, c.sees) || total != len(c.sees) {
				t.Errorf("%s lists %v (%d), want %v", c.name, listed, total, c.sees)
			}
			for what, n := range all {
				sees := slices.Contains(c.sees, n)
				if _, ok := p.shown(c.who, n); ok != sees {
					t.Errorf("%s sees the %s ticket: %v", c.name, what, ok)
				}
				_, err := p.s.DeskMessages(ctx, c.who, n)
				if (err == nil) != sees {
					t.Errorf("%s reads the %s ticket: %v", c.name, what, err)
				}
				if !sees {
					for _, action := range []string{"accept", "reply", "ask", "resolve", "pause", "resume", "invalid", "note"} {
						p.refused(p.step(c.who, n, action, "words"), "01010015")
					}
					p.refused(p.move(c.who, n, 0, ""), "01010015")
				}
			}
			if _, total, _, err := p.s.Desk(ctx, c.who, ticket.DeskFilter{Domain: p.foreign.Domain}); err != nil || c.name == "the partner" && total != 0 {
				t.Errorf("%s filters by another customer: %d, %v", c.name, total, err)
			}
		}
		// The life of a ticket with the partner; the house's notes stay the house's.
		p.ok(p.step(p.chen, theirs, "note", "the house's note"))
		p.judge("the house accepts it", p.step(p.chen, theirs, "accept", ""), "58")
		p.judge("the house assigns it to itself", p.assign(p.chen, theirs, "emma"), "58")
		p.ok(p.step(p.emma, theirs, "reply", "the house lends a hand"))
		if got, _ := p.shown(p.chen, theirs); got.Assignee != "" {
			t.Errorf("one who lends a hand became the handler: %s", got.Assignee)
		}
		p.ok(p.step(p.nora, theirs, "accept", ""))
		p.judge("again", p.step(p.nora, theirs, "accept", ""), "51")
		p.ok(p.step(p.nora, theirs, "note", "the partner's note"))
		p.ok(p.step(p.nora, theirs, "ask", "which one?"))
		p.ok(p.s.Reply(ctx, p.lisa, theirs, "", "this one"))
		p.judge("to the house's engineer", p.assign(p.nora, theirs, "chen"), "01")
		p.judge("to another partner's", p.assign(p.nora, theirs, "mia"), "01")
		p.ok(p.assign(p.nora, theirs, "nils"))
		p.ok(p.step(p.nils, theirs, "resolve", "solved by the partner"))
		texts := func(who principal.Principal) (out []string) {
			said, err := p.s.DeskMessages(ctx, who, theirs)
			p.ok(err)
			for _, m := range said {
				out = append(out, fmt.Sprintf("%d %v %s: %s", m.Side, m.Internal, m.AuthorName, m.Text))
			}
			return out
		}
		wantHouse := []string{"0 false lisa: the partner's", "1 true chen: the house's note", "1 false emma: the house lends a hand", "2 true nora: the partner's note",
			"2 false nora: which one?", "0 false lisa: this one", "2 false nils: solved by the partner"}
		wantPartner := []string{"0 false lisa: the partner's", "1 false Emma: the house lends a hand", "2 true nora of Blue: the partner's note",
			"2 false nora of Blue: which one?", "0 false lisa: this one", "2 false nils of Blue: solved by the partner"}
		if got := texts(p.chen); !slices.Equal(got, wantHouse) {
			t.Errorf("the house reads\n%s", strings.Join(got, "\n"))
		}
		if got := texts(p.nora); !slices.Equal(got, wantPartner) {
			t.Errorf("the partner reads\n%s", strings.Join(got, "\n"))
		}
		said, _, err := p.s.Messages(ctx, p.lisa, theirs, "", 0, -1)
		p.ok(err)
		var customers []string
		for _, m := range said {
			customers = append(customers, fmt.Sprintf("%d %s", m.Side, m.AuthorName))
			if m.Author == p.nora.User || m.Author == p.nils.User {
				t.Error("the customer sees a partner's user id")
			}
		}
		if want := []string{"0 lisa", "1 Emma", "2 nora of Blue", "0 lisa", "2 nils of Blue"}; !slices.Equal(customers, want) {
			t.Errorf("the customer reads %v", customers)
		}
		seen, _, err := p.s.Show(ctx, p.lisa, theirs, "")
		if err != nil || seen.Ownership != ticket.PartnerBusiness {
			t.Errorf("%+v, %v", seen.Ownership, err)
		}
		// Given back, it is out of sight; no handler of the house is named by a partner.
		p.judge("to an engineer of the house", p.move(p.nils, theirs, 0, "chen"), "01")
		p.judge("to the ISV", p.move(p.nils, theirs, 2, "nora"), "57")
		p.ok(p.move(p.nora, theirs, 1, "nora"))
		p.ok(p.move(p.nora, theirs, 0, ""))
		if _, ok := p.shown(p.nora, theirs); ok {
			t.Error("the partner still sees what he gave back")
		}
		if got, _ := p.shown(p.chen, theirs); got.Assignee != "" || got.Ownership != ticket.HouseBusiness {
			t.Errorf("given back: %+v", got.Ticket)
		}
		err = p.db.View(ctx, func(tx *db.Tx) error {
			rows, _, err := event.OfSubject(tx, p.client.ID, "ticket", seen.ID, false, false, 0, 100)
			n := 0
			for _, r := range rows {
				if r.Kind == "ticket.transfer" {
					n++
					if strings.Contains(string(r.Data), "please") || r.LogCode != event.NoLog {
						t.Errorf("event %s, log code %d", r.Data, r.LogCode)
					}
				}
			}
			if n != 3 {
				t.Errorf("%d events of three transfers", n)
			}
			return err
		})
		p.ok(err)
	})
}

func (p *partners) assign(who principal.Principal, number, to string) error {
	_, err := p.s.Take(p.t.Context(), who, ticket.Step{Number: number, Action: "assign", Assignee: to})
	return err
}

// TestISVTickets: a ticket about an ISV's product is the ISV's business from the
// start, of the product's own ISV only, and the house's when he is gone.
func TestISVTickets(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		n := p.isvTicket(p.li)
		seen, _, err := p.s.Show(t.Context(), p.li, n, "")
		if err != nil || seen.Ownership != ticket.ISVBusiness {
			t.Errorf("%v, %v", seen.Ownership, err)
		}
		p.ok(p.step(p.mia, n, "accept", ""))
		if _, ok := p.shown(p.nora, n); ok {
			t.Error("another partner sees it")
		}
		p.change(&p.maker, func(m *identity.Partner) { m.Services = nil })
		if _, ok := p.shown(p.mia, n); ok {
			t.Error("who is no ISV any more sees it")
		}
		p.judge("accepted while nobody's", p.step(p.chen, n, "accept", ""), "58")
		p.ok(p.move(p.chen, n, 0, "chen"))
		for _, listed := range []bool{false, true} {
			p.change(&p.maker, func(m *identity.Partner) {
				m.Whitelisted, m.Services = listed, []identity.ServiceOf{{Kind: identity.ServiceProduct, ID: p.isvProduct}}
			})
			want := map[bool]ticket.Ownership{false: ticket.HouseBusiness, true: ticket.ISVBusiness}[listed]
			if got, _, err := p.s.Show(t.Context(), p.li, p.isvTicket(p.li), ""); err != nil || got.Ownership != want {
				t.Errorf("whitelisted %v: %v, %v", listed, got.Ownership, err)
			}
		}
		p.change(&p.maker, func(m *identity.Partner) { m.Services = nil })
		m := p.isvTicket(p.li)
		if got, _, err := p.s.Show(t.Context(), p.li, m, ""); err != nil || got.Ownership != ticket.HouseBusiness {
			t.Errorf("a ticket of a product without ISV: %v, %v", got.Ownership, err)
		}
	})
}
