package iam

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"casemate/internal/fault"
	"casemate/internal/iam/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

type tokens struct{ identity *identity.Service }

var (
	errMethod = fault.New(fault.Invalid, fault.CodeInvalid, "不支持的认证方式，仅支持 password、token，以及与 password 一起的 totp", "only the methods password and token are supported, and totp together with password").In("auth.identity.methods")
	errScope  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须包含 domain 或 project", "{field} holds a domain or a project").In("auth.scope")
	errDomain = fault.New(fault.Invalid, fault.CodeInvalid, "按用户名登录须指明 domain 的 id 或 name", "a user name needs the id or name of its domain").In("auth.identity.password.user.domain")
	// errNoSubject is Keystone's answer to a token that is not, or not the
	// caller's to see.
	errNoSubject = fault.New(fault.NotFound, "APIGW.0101", "找不到该 token", "Could not find token.")
)

// scope is what a token is asked for.
type scope struct {
	domain  ref // of the domain, or of the project's domain
	project *ref
}

type ref struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Domain *ref   `json:"domain"`
}

// readScope reads auth.scope. Nothing, null and the word unscoped ask for the
// user's own domain.
func readScope(raw []byte) (s scope, err error) {
	if len(raw) == 0 || string(raw) == "null" || string(raw) == `"unscoped"` {
		return s, nil
	}
	var in struct {
		Domain   *ref      `json:"domain"`
		Project  *ref      `json:"project"`
		Unscoped *struct{} `json:"unscoped"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return s, errScope
	}
	switch {
	case in.Project != nil && in.Domain != nil:
		return s, errScope
	case in.Project != nil:
		if s.project = in.Project; in.Project.ID == "" && in.Project.Name == "" {
			return s, fault.Missing.In("auth.scope.project")
		}
		if in.Project.Domain != nil {
			s.domain = *in.Project.Domain
		}
	case in.Domain != nil:
		if s.domain = *in.Domain; s.domain.ID == "" && s.domain.Name == "" {
			return s, fault.Missing.In("auth.scope.domain")
		}
	case in.Unscoped == nil:
		return s, errScope
	}
	return s, nil
}

// CreateToken issues a token by password or by another token. Every failed
// log-in, and a scope that is not the user's, is answered alike.
func (h tokens) CreateToken(ctx context.Context, req *oas.AuthReq, p oas.CreateTokenParams) (*oas.TokenAnswerHeaders, error) {
	id := req.Auth.Identity
	for _, m := range id.Methods {
		if m != "password" && m != "token" && (m != "totp" || !slices.Contains(id.Methods, "password")) {
			return nil, errMethod
		}
	}
	want, err := readScope(req.Auth.Scope)
	if err != nil {
		return nil, err
	}
	var t identity.Token
	if slices.Contains(id.Methods, "password") {
		if !id.Password.Set {
			return nil, fault.Missing.In("auth.identity.password")
		}
		u := id.Password.Value.User
		l := identity.Login{User: u.Name.Or(""), UserID: u.ID.Or(""), Domain: u.Domain.Value.Name.Or(""), DomainID: u.Domain.Value.ID.Or(""),
			Password: u.Password, Address: principal.From(ctx).Address, Scope: want.of}
		if slices.Contains(id.Methods, "totp") {
			if !id.Totp.Set {
				return nil, fault.Missing.In("auth.identity.totp")
			}
			l.Code = id.Totp.Value.User.Passcode
		}
		switch {
		case l.User == "" && l.UserID == "":
			return nil, fault.Missing.In("auth.identity.password.user.name")
		case l.UserID == "" && l.Domain == "" && l.DomainID == "":
			return nil, errDomain
		}
		t, err = h.identity.Login(ctx, l)
	} else {
		if !id.Token.Set {
			return nil, fault.Missing.In("auth.identity.token")
		}
		t, err = h.identity.Rescope(ctx, id.Token.Value.ID, want.of)
	}
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, t, t.Secret, !p.Nocatalog.Set), nil
}

// of is the project a token of the domain is scoped to, "" for the domain
// itself; ok is false for a scope that is not the domain's.
func (s scope) of(d identity.Domain) (project string, ok bool) {
	if s.domain.ID != "" && s.domain.ID != d.ID || s.domain.Name != "" && s.domain.Name != d.Name {
		return "", false
	}
	if s.project == nil {
		return "", true
	}
	if s.project.ID != "" && s.project.ID != d.Project || s.project.Name != "" && s.project.Name != projectName(d) {
		return "", false
	}
	return d.Project, true
}

// projectName is what the one project of a domain is called: as its domain.
func projectName(d identity.Domain) string { return d.Name }

// stamp is a time as Keystone writes it.
func stamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000000Z")
}

func (h tokens) answer(ctx context.Context, t identity.Token, secret string, withCatalog bool) *oas.TokenAnswerHeaders {
	domain := oas.Named{ID: t.Domain.ID, Name: t.Domain.Name}
	out := oas.Token{Methods: t.Methods, User: oas.TokenUser{ID: t.User.ID, Name: t.User.Name, Domain: domain}, Roles: roles(t.User),
		AuditIds: []string{t.ID}, IsDomain: oas.NewOptBool(false), IssuedAt: stamp(t.IssuedAt), ExpiresAt: stamp(t.ExpiresAt)}
	if t.Project == "" {
		out.Domain.SetTo(domain)
	} else {
		out.Project.SetTo(oas.TokenProject{ID: t.Project, Name: projectName(t.Domain), Domain: domain})
	}
	if withCatalog {
		out.Catalog = services(ctx)
	}
	return &oas.TokenAnswerHeaders{XSubjectToken: secret, Response: oas.TokenAnswer{Token: out}}
}

// roles of a token tell main accounts from others; what a caller may do is
// decided anew at each call.
func roles(u identity.User) []oas.Named {
	switch {
	case u.Role != "":
		return []oas.Named{{ID: u.Role, Name: u.Role}}
	case u.Main:
		return []oas.Named{{ID: "te_admin", Name: "te_admin"}}
	}
	return []oas.Named{{ID: "user", Name: "user"}}
}

// subject is the token asked about, when the caller may see it.
func (h tokens) subject(ctx context.Context, secret string) (identity.Token, error) {
	who := principal.From(ctx)
	t, err := h.identity.TokenOf(ctx, secret)
	if fault.KindOf(err) == fault.Unauthenticated {
		return t, errNoSubject
	}
	if err != nil {
		return t, err
	}
	if t.User.Domain != who.Domain && !who.Admin() || t.User.ID != who.User && !who.Main && !who.Admin() {
		return t, errNoSubject
	}
	return t, nil
}

// ShowToken shows a token.
func (h tokens) ShowToken(ctx context.Context, p oas.ShowTokenParams) (*oas.TokenAnswerHeaders, error) {
	t, err := h.subject(ctx, p.XSubjectToken)
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, t, p.XSubjectToken, !p.Nocatalog.Set), nil
}

// CheckToken tells whether a token is valid.
func (h tokens) CheckToken(ctx context.Context, p oas.CheckTokenParams) error {
	_, err := h.subject(ctx, p.XSubjectToken)
	return err
}

// DeleteToken revokes a token at once.
func (h tokens) DeleteToken(ctx context.Context, p oas.DeleteTokenParams) error {
	if _, err := h.subject(ctx, p.XSubjectToken); err != nil {
		return err
	}
	return h.identity.Revoke(ctx, principal.From(ctx), p.XSubjectToken)
}
