// Package principal says who is calling: the value every noun's method takes
// as its second argument. It is made from verified credentials only, never
// from a request's body (threats.md B6).
package principal

import "context"

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

// Roles of the house, each including nothing of the others (privilege decides).
const (
	RoleAdministrator = "administrator"
	RoleSupervisor    = "supervisor"
	RoleEngineer      = "engineer"
	RoleAuditor       = "auditor"
)

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
	Role       string // engineers: one of the roles
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
}

// Admin tells whether the caller administers the installation.
func (p Principal) Admin() bool {
	return p.Kind == Local || p.Kind == System || p.Kind == Engineer && p.Role == RoleAdministrator
}

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
