// Package principal says who is calling: the value every noun's method takes
// as its second argument. It is made from verified credentials only, never
// from a request's body (threats.md B6).
package principal

import (
	"context"
	"slices"
	"strings"
)

// Kind is the sort of caller. A credential of one kind opens nothing of another.
type Kind uint8

const (
	Anonymous Kind = iota // nobody; the zero value has no rights
	Customer              // a user of a customer's domain
	Engineer              // a person of the house: desk and administration, by Role
	Local                 // the operator on the server's own machine (local token): an administrator
	System                // Casemate itself: jobs, demo, migrations
)

func (k Kind) String() string {
	return [...]string{"anonymous", "customer", "engineer", "local", "system"}[k]
}

// Roles of the house. A person may hold several; what each may do, privilege
// decides (docs/ROLES.md).
const (
	RoleAdministrator = "administrator" // configuration, users, keys, providers, privacy
	RoleSupervisor    = "supervisor"    // an engineer who approves, assigns, and cares for teams, queues, rules
	RoleEngineer      = "engineer"      // works on tickets
	RoleAuditor       = "auditor"       // reads, changes nothing, sees no sealed personal field
)

// Roles are all roles of the house, the leading ones first.
var Roles = []string{RoleAdministrator, RoleSupervisor, RoleEngineer, RoleAuditor}

// JoinRoles writes roles as they are stored: each once, the leading one first,
// with commas between. Words that are no roles are left out.
func JoinRoles(roles ...string) string {
	var all []string
	for _, r := range Roles {
		if slices.Contains(roles, r) {
			all = append(all, r)
		}
	}
	return strings.Join(all, ",")
}

// SplitRoles is the reverse of JoinRoles; nothing for "".
func SplitRoles(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, ",")
}

// House is the id of the reserved domain that holds engineers and
// administrators. No customer's domain can have it.
const House = "house"

// Principal is the verified caller of one request or job.
type Principal struct {
	Kind       Kind
	Domain     string // customer's domain id, or House
	DomainName string
	User       string // user id
	UserName   string // login name; never shown to the other side (B5)
	Main       bool   // the main account of its domain: has all rights there
	Role       string // engineers: the leading one of their roles
	Roles      string // engineers: all their roles as JoinRoles writes them; "" = Role alone
	Partner    string // engineers: id of the partner they work for, "" = the house itself
	AllTickets bool   // customers: the domain lets its sub-users act on every ticket (semantics.md D24)
	Project    string // project id of a project-scoped token, or ""
	Token      string // id (not the secret) of the token used, or ""
	AccessKey  string // access key id used, or ""
	Session    string // id of the browser's session used, or ""
	Address    string // client's address without port, after trusted proxies
	RequestID  string // X-Request-Id of the request
	Sandbox    bool   // the domain is a sandbox (design.md section 8)
	Clock      int64  // how far the domain's clock is ahead, in milliseconds; a sandbox's only
	Via        *Via   // by which of the house's own things he acts, nil = by himself
}

// Via is by which of the house's own things somebody acts: every event of what
// happens by a bulk run, a macro, a rule or a queue says so. The names are those
// of the time; they are the house's, never a person's.
type Via struct {
	Kind   string `json:"kind"`          // bulk, macro, rule or queue
	ID     string `json:"id,omitempty"`  // of the bulk run, macro, rule or queue; "" for actions that are no macro
	Run    string `json:"run,omitempty"` // of a macro's or rule's run
	NameZH string `json:"name_zh,omitempty"`
	NameEN string `json:"name_en,omitempty"`
}

// Admin tells whether the caller administers the installation.
func (p Principal) Admin() bool {
	return p.Kind == Local || p.Kind == System || p.Is(RoleAdministrator)
}

// Is tells whether the caller is a person of the house, or of a partner, who
// holds the role.
func (p Principal) Is(role string) bool {
	return p.Kind == Engineer && role != "" && (p.Role == role || slices.Contains(SplitRoles(p.Roles), role))
}

// Works tells whether the caller is a person who works on tickets: whoever
// holds another role than that of an auditor.
func (p Principal) Works() bool {
	return p.Is(RoleEngineer) || p.Is(RoleSupervisor) || p.Is(RoleAdministrator)
}

// Audits tells whether the caller reads the desk as an auditor of the house.
func (p Principal) Audits() bool { return p.Partner == "" && p.Is(RoleAuditor) }

// Inspects tells whether the caller reads what administrators configure:
// administrators and auditors of the house.
func (p Principal) Inspects() bool { return p.Admin() || p.Audits() }

// Blind tells that the caller is an auditor and nothing else: sealed personal
// fields are not shown to him.
func (p Principal) Blind() bool { return p.Audits() && !p.Works() }

// AsSystem is the caller of jobs and of Casemate's own steps in a domain.
func AsSystem(domain string) Principal {
	return Principal{Kind: System, Domain: domain, User: "system", UserName: "system"}
}

type key struct{}

// With puts the verified caller into the context; only the server's
// authentication and jobs call it.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// From is the caller of the request, Anonymous if none was put there.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(key{}).(Principal)
	return p
}
