package identity

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Permissions is who might do what in a domain at an instant.
type Permissions struct {
	Domain string
	At     int64 // milliseconds UTC
	// Of a customer's domain.
	Disabled                                     bool
	Partner                                      string // id of the partner who served it
	SubmitByPermission, ExportByUsers, AssumeAll bool   // its switches (semantics.md D24)
	Groups                                       []Group
	Users                                        []User // Disabled as it was; names of today
}

var errFuture = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能是将来的时刻", "{field} must not be in the future").In("as_of")

// permissionKinds are the events that change who may do what.
var permissionKinds = []string{"user.create", "user.role", "user.disable", "group.create", "group.add", "group.remove", "domain.privilege", "domain.disable", "domain.partner", "domain.reset", "partner.remove"}

// PermissionsAt is who had which role, which group's rights and which of the
// domain's switches at an instant, worked out from the history since the domain
// was made: people and their roles, which never change, from when each was
// made, all else by the events. Groups and people bear their names of today.
// Administrators and auditors of the house. Failures: ErrNoDomain, also for one
// that was made later; OSM.01010001 for an instant to come.
func (s *Service) PermissionsAt(ctx context.Context, who principal.Principal, domain string, at int64) (out Permissions, err error) {
	if !who.Admin() && (who.Kind != principal.Engineer || who.Role != principal.RoleAuditor || who.Partner != "") {
		return out, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		out = Permissions{Domain: domain, At: at}
		if at > tx.Now {
			return errFuture
		}
		if domain != principal.House {
			d, err := DomainIn(tx, domain)
			if err != nil {
				return err
			}
			if d.Created > at {
				return ErrNoDomain
			}
		}
		if err := out.people(tx); err != nil {
			return err
		}
		events, err := event.OfSubjectKinds(tx, domain, []string{"user", "group", "domain", "partner"}, permissionKinds, at)
		if err != nil {
			return err
		}
		for _, e := range events {
			out.replay(e)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	for i := range out.Users {
		if err := s.open(ctx, &out.Users[i]); err != nil {
			return out, err
		}
	}
	slices.SortFunc(out.Groups, func(a, b Group) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// people reads who and which groups there were, as they were made.
func (p *Permissions) people(tx *db.Tx) error {
	err := tx.List(func(r db.Row) error {
		u, err := scanUser(r)
		u.Disabled = false
		p.Users = append(p.Users, u)
		return err
	}, "SELECT "+userColumns+" FROM users WHERE domain_id = ? AND created_at <= ? ORDER BY main DESC, id", p.Domain, p.At)
	if err != nil {
		return err
	}
	return tx.List(func(r db.Row) error {
		g := Group{Domain: p.Domain, Roles: []string{}, Members: []string{}}
		err := r.Scan(&g.ID, &g.Name, &g.Created)
		p.Groups = append(p.Groups, g)
		return err
	}, "SELECT id, name, created_at FROM user_groups WHERE domain_id = ? AND created_at <= ?", p.Domain, p.At)
}

// replay does what an event did.
func (p *Permissions) replay(e event.Row) {
	var d struct {
		Disabled bool     `json:"disabled"`
		Roles    []string `json:"roles"`
		User     string   `json:"user"`
		Switch   Switch   `json:"switch"`
		On       bool     `json:"on"`
	}
	var partner struct {
		To string `json:"to"`
	}
	if e.Kind == "domain.partner" {
		if json.Unmarshal(e.Data, &partner) == nil {
			p.Partner = partner.To
		}
		return
	}
	if e.Kind == "user.create" || e.Kind == "user.role" {
		p.role(e)
		return
	}
	if json.Unmarshal(e.Data, &d) != nil {
		return
	}
	group := slices.IndexFunc(p.Groups, func(g Group) bool { return e.Subject == "group" && g.ID == e.SubjectID })
	switch e.Kind {
	case "user.disable":
		for i, u := range p.Users {
			if u.ID == e.SubjectID {
				p.Users[i].Disabled = d.Disabled
			}
		}
	case "partner.remove": // his people are shut out with him
		for i, u := range p.Users {
			if u.Partner == e.SubjectID {
				p.Users[i].Disabled = true
			}
		}
	case "domain.disable":
		p.Disabled = d.Disabled
	case "domain.reset":
		p.SubmitByPermission = false
	case "domain.privilege":
		switch d.Switch {
		case SwitchSubmitByPermission:
			p.SubmitByPermission = d.On
		case SwitchExport:
			p.ExportByUsers = d.On
		case SwitchAssumeAll:
			p.AssumeAll = d.On
		}
	}
	if group < 0 {
		return
	}
	g := &p.Groups[group]
	switch e.Kind {
	case "group.create":
		g.Roles = append([]string{}, d.Roles...)
	case "group.add":
		if !slices.Contains(g.Members, d.User) {
			g.Members = append(g.Members, d.User)
			slices.SortFunc(g.Members, strings.Compare)
		}
	case "group.remove":
		g.Members = slices.DeleteFunc(g.Members, func(id string) bool { return id == d.User })
	}
}

// role replays what role somebody was made with or given.
func (p *Permissions) role(e event.Row) {
	var d struct {
		Role string `json:"role"`
		To   string `json:"to"`
	}
	if json.Unmarshal(e.Data, &d) != nil {
		return
	}
	for i, u := range p.Users {
		if u.ID == e.SubjectID {
			p.Users[i].Role = d.Role + d.To // each kind has one of them
		}
	}
}
