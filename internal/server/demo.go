package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"

	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Credentials is what the demo world's file holds (design: section 8).
type Credentials struct {
	BaseURL   string       `json:"base_url"`
	Domains   []demoDomain `json:"domains"`
	Engineers []demoPerson `json:"engineers"`
	Admin     demoPerson   `json:"admin"`
}

type demoDomain struct {
	ID    string     `json:"domain_id"`
	Name  string     `json:"domain_name"`
	Users []demoUser `json:"users"`
}

type demoUser struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	ID       string `json:"user_id"`
	AK       string `json:"ak"`
	SK       string `json:"sk"`
	Role     string `json:"role"`
	Email    string `json:"email"`
	Mobile   string `json:"mobile"`
}

type demoPerson struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Role     string `json:"role,omitempty"`
}

// demoPlan is who lives in the demo world; names in both languages on purpose.
var demoPlan = []struct {
	name, plan string
	users      []string
	language   locale.Language
	zone       string
	mobiles    string
}{
	{"云帆科技", "Business", []string{"yunfan", "lihua", "wangwei"}, locale.ZH, "GMT+8", "1380013800"},
	{"Harbour Analytics", "Enterprise", []string{"harbour", "alice", "bob"}, locale.EN, "Europe/London", "1390013900"},
}

// tryable lets the demo world show the operations that connect to a customer's
// hosts, against this machine only: logins are checked at loopback addresses and
// nowhere else, diagnoses may reach them too. What the operator configured stays
// as it is, and so does a demo that others can reach (--demo-public): its users
// would look into this machine.
func (o *Options) tryable() {
	o.file = o.Config
	if !o.Demo || o.DemoPublic {
		return
	}
	machine := []string{"127.0.0.0/8"}
	if c := &o.Config.Authorization.CheckHosts; !c.Enabled && !c.ListedOnly && len(c.Allow) == 0 && c.PerMinute == 0 {
		c.Enabled, c.ListedOnly, c.Allow = true, true, machine
	}
	if d := &o.Config.Diagnose; len(d.Allow) == 0 {
		d.Allow = machine
	}
}

func (s *Server) credentialsPath() string {
	if s.o.Credentials != "" {
		return s.o.Credentials
	}
	return filepath.Join(s.o.Data, "credentials.json")
}

// fillDemo makes the demo world in an empty store, through the nouns, and
// writes its credentials. In a store that has one it keeps the file, with the
// present address.
func (s *Server) fillDemo(ctx context.Context, base string) error {
	who := principal.AsSystem(principal.House)
	domains, _, _, err := s.ident.Domains(ctx, who, identity.DomainFilter{Limit: 1})
	if err != nil {
		return err
	}
	var c Credentials
	if len(domains) > 0 {
		if c, err = s.readCredentials(); err != nil {
			return fmt.Errorf("the store has customers already and %s does not hold their credentials: give --credentials FILE, or start on an empty data folder: %w", s.credentialsPath(), err)
		}
		c.BaseURL = base
		if err := s.markOldDemo(ctx, c); err != nil {
			return err
		}
		return s.writeCredentials(c)
	}
	if marked, err := s.ident.DemoMarks(ctx, who); err != nil || len(marked) > 0 {
		return err // it was removed, some of its people are still needed
	}
	c.BaseURL = base
	var (
		customers [][]principal.Principal
		engineers []principal.Principal
		languages []locale.Language
	)
	for _, p := range demoPlan {
		d, err := s.ident.CreateDomain(ctx, who, identity.NewDomain{Name: p.name, Plan: p.plan})
		if err != nil {
			return err
		}
		if err := s.markDemo(ctx, identity.DemoDomain, d.ID); err != nil {
			return err
		}
		out := demoDomain{ID: d.ID, Name: d.Name}
		group, err := s.ident.CreateGroup(ctx, who, identity.NewGroup{Domain: d.ID, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		if err != nil {
			return err
		}
		var people []principal.Principal
		for i, name := range p.users {
			u := demoUser{Name: name, Password: s.demoPassword(), Email: name + "@example.com", Mobile: fmt.Sprint(p.mobiles, i), Role: "user"}
			if i == 0 {
				u.Role = "main"
			}
			made, err := s.ident.CreateUser(ctx, who, identity.NewUser{Domain: d.ID, Name: name, Password: u.Password, Main: i == 0,
				AreaCode: "86", Mobile: u.Mobile, Mail: u.Email, Language: p.language, Zone: p.zone})
			if err != nil {
				return err
			}
			key, err := s.ident.CreateAccessKey(ctx, who, d.ID, made.ID)
			if err != nil {
				return err
			}
			if i > 0 {
				if err := s.ident.AddMember(ctx, who, d.ID, group.ID, made.ID); err != nil {
					return err
				}
			}
			u.ID, u.AK, u.SK = made.ID, key.ID, key.Secret
			out.Users = append(out.Users, u)
			people = append(people, principal.Principal{Kind: principal.Customer, Domain: d.ID, DomainName: d.Name, User: made.ID, UserName: name, Main: i == 0})
		}
		c.Domains = append(c.Domains, out)
		customers, languages = append(customers, people), append(languages, p.language)
	}
	for _, e := range []struct{ name, alias, role string }{
		{"chen", "工程师 小陈", principal.RoleEngineer}, {"emma", "Emma", principal.RoleEngineer}, {"zhao", "赵主管", principal.RoleSupervisor}, {"admin", "Admin", principal.RoleAdministrator},
	} {
		p := demoPerson{Name: e.name, Password: s.demoPassword(), Role: e.role}
		made, err := s.ident.CreateUser(ctx, who, identity.NewUser{Domain: principal.House, Name: e.name, Password: p.Password, Role: e.role, Alias: e.alias, Mail: e.name + "@support.example"})
		if err != nil {
			return err
		}
		if err := s.markDemo(ctx, identity.DemoPerson, made.ID); err != nil {
			return err
		}
		engineers = append(engineers, principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: made.ID, UserName: made.Name, Role: made.Role})
		if e.role == principal.RoleAdministrator {
			c.Admin = p
		} else {
			c.Engineers = append(c.Engineers, p)
		}
	}
	// The credentials first: a start that ends here can be gone on with.
	if err := s.writeCredentials(c); err != nil {
		return err
	}
	if err := s.fillQueues(ctx, engineers); err != nil {
		return err
	}
	if err := s.fillArticles(ctx, engineers[0]); err != nil {
		return err
	}
	if err := s.fillAutomation(ctx, engineers[2]); err != nil {
		return err
	}
	return s.fillTickets(ctx, customers, engineers, languages)
}

// demoPassword is random: even a demo has no password that is known before.
func (s *Server) demoPassword() string { return base64.RawURLEncoding.EncodeToString(s.db.Random(12)) }

func (s *Server) writeCredentials(c Credentials) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(s.credentialsPath(), append(text, '\n'))
}
