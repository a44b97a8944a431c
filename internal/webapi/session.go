package webapi

import (
	"context"
	"net/http"
	"time"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/webapi/oas"
	"casemate/internal/wire"
)

// errInsecure: the browser would not keep the cookie.
var errInsecure = fault.New(fault.Forbidden, fault.CodeForbidden, "浏览器登录需要 HTTPS：请在服务前配置 TLS 代理，并将其列入 trusted_proxies",
	"browsers log in over https only: put a TLS proxy in front and list it under trusted_proxies")

type sessions struct {
	identity *identity.Service
	demo     bool
}

// CreateBrowserSession logs a browser in, or asks for the second factor.
func (h sessions) CreateBrowserSession(ctx context.Context, req *oas.NewBrowserSessionReq) (oas.CreateBrowserSessionRes, error) {
	b := wire.BrowserOf(ctx)
	if b.Cookie == "" {
		return nil, errInsecure
	}
	address := principal.From(ctx).Address
	s, asked, err := h.identity.LoginBrowser(ctx, identity.Login{Domain: req.Domain.Or(""), User: req.Name, Password: req.Password, Address: address, Engineer: !req.Domain.Set}, from(ctx))
	if err != nil {
		return nil, err
	}
	if asked != nil {
		out := &oas.SignInChallenge{Challenge: asked.Secret, ExpiresAt: at(asked.Expires)}
		if e := asked.Enrolment; e != nil {
			out.Enrolment = oas.NewOptEnrolment(*enrolment(*e))
		}
		return out, nil
	}
	return h.opened(ctx, b, s, nil), nil
}

// from is the browser a log-in comes from.
func from(ctx context.Context) identity.Browser {
	b := wire.BrowserOf(ctx)
	return identity.Browser{Device: b.Device, Address: principal.From(ctx).Address, Old: b.Secret}
}

// AnswerSignInChallenge is the second step of a log-in.
func (h sessions) AnswerSignInChallenge(ctx context.Context, req *oas.SignInAnswerReq) (*oas.BrowserSessionHeaders, error) {
	b := wire.BrowserOf(ctx)
	if b.Cookie == "" {
		return nil, errInsecure
	}
	s, codes, err := h.identity.AnswerChallenge(ctx, req.Challenge, req.Code, from(ctx))
	if err != nil {
		return nil, err
	}
	return h.opened(ctx, b, s, codes), nil
}

// opened answers a session that was just made, with its cookie.
func (h sessions) opened(ctx context.Context, b wire.Browser, s identity.Session, recovery []string) *oas.BrowserSessionHeaders {
	out := &oas.BrowserSessionHeaders{SetCookie: oas.NewOptString(cookie(b, s.Secret, s.Expires-s.Created)), Response: h.session(ctx, s, s.Secret)}
	out.Response.RecoveryCodes = recovery
	return out
}

// cookie is the Set-Cookie line of a session's secret for so many milliseconds;
// an empty secret clears it.
func cookie(b wire.Browser, secret string, life int64) string {
	c := http.Cookie{Name: b.Cookie, Value: secret, Path: "/", HttpOnly: true, Secure: b.Secure(), SameSite: http.SameSiteLaxMode, MaxAge: int(life / 1000)}
	if secret == "" {
		c.MaxAge = -1
	}
	return c.String()
}

func (h sessions) session(ctx context.Context, s identity.Session, secret string) oas.BrowserSession {
	out := oas.BrowserSession{Kind: oas.BrowserSessionKindCustomer, UserID: s.User.ID, Name: s.User.Name, Csrf: h.identity.Csrf(secret), SessionID: s.ID,
		ExpiresAt: time.UnixMilli(s.Expires).UTC(), IdleSeconds: int32(h.identity.Idle() / time.Second)}
	if h.demo {
		if is, err := h.identity.InDemo(ctx); err == nil && is { // without it there is no guide, and nothing else is missing
			out.Demo = oas.NewOptBool(true)
		}
	}
	if s.User.Domain == principal.House {
		out.Kind, out.Role = oas.BrowserSessionKindEngineer, oas.NewOptBrowserSessionRole(oas.BrowserSessionRole(s.User.Role))
		if s.User.Partner != "" {
			out.PartnerID = oas.NewOptString(s.User.Partner)
		}
		return out
	}
	out.DomainID, out.DomainName = oas.NewOptString(s.Domain.ID), oas.NewOptString(s.Domain.Name)
	if s.User.Main {
		out.Main = oas.NewOptBool(true)
	}
	return out
}

// ShowBrowserSession tells who is logged in.
func (h sessions) ShowBrowserSession(ctx context.Context) (*oas.BrowserSession, error) {
	secret := wire.BrowserOf(ctx).Secret
	s, err := h.identity.BrowserSession(ctx, secret)
	if err != nil {
		return nil, err
	}
	out := h.session(ctx, s, secret)
	return &out, nil
}

// DeleteBrowserSession logs the browser out.
func (h sessions) DeleteBrowserSession(ctx context.Context) (*oas.DeleteBrowserSessionNoContent, error) {
	who := principal.From(ctx)
	if err := h.identity.EndSession(ctx, who, who.Domain, who.User, who.Session); err != nil {
		return nil, err
	}
	return &oas.DeleteBrowserSessionNoContent{SetCookie: oas.NewOptString(cookie(wire.BrowserOf(ctx), "", 0))}, nil
}

// ListBrowserSessions lists where the caller is logged in.
func (h sessions) ListBrowserSessions(ctx context.Context) (*oas.BrowserSessionList, error) {
	who := principal.From(ctx)
	all, err := h.identity.BrowserSessions(ctx, who, who.Domain, who.User)
	if err != nil {
		return nil, err
	}
	list := &oas.BrowserSessionList{Items: []oas.BrowserSessionEntry{}}
	for _, s := range all {
		e := oas.BrowserSessionEntry{ID: s.ID, Current: s.ID == who.Session, Method: oas.SignInMethod(s.Method), Address: s.Address,
			CreatedAt: at(s.Created), LastUsedAt: at(s.LastUsed), ExpiresAt: at(s.Expires)}
		if s.Provider != "" {
			e.Provider = oas.NewOptString(s.Provider)
		}
		if s.Device != "" {
			e.Device = oas.NewOptString(s.Device)
		}
		list.Items = append(list.Items, e)
	}
	return list, nil
}

// RevokeBrowserSession ends one of the caller's sessions.
func (h sessions) RevokeBrowserSession(ctx context.Context, p oas.RevokeBrowserSessionParams) error {
	who := principal.From(ctx)
	return h.identity.EndSession(ctx, who, who.Domain, who.User, p.SessionID)
}
