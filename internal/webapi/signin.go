package webapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/webapi/oas"
	"casemate/internal/wire"
)

// signIns lead browsers to identity providers and back.
type signIns struct {
	identity *identity.Service
	demo     bool
}

// ShowSignIn tells what the sign-in page offers.
func (h signIns) ShowSignIn(ctx context.Context, p oas.ShowSignInParams) (*oas.SignInWays, error) {
	ways, err := h.identity.Ways(ctx, p.Domain.Or(""))
	if err != nil {
		return nil, err
	}
	out := &oas.SignInWays{Providers: []oas.SignInProvider{}}
	if h.demo {
		out.Demo = oas.NewOptBool(true)
	}
	for _, w := range ways {
		p := oas.SignInProvider{ID: w.ID, Name: w.Name.In(locale.From(ctx).Language), Kind: oas.SignInProviderKindCustomer, Path: "/web/v1/sign-in/" + url.PathEscape(w.ID)}
		if w.House {
			p.Kind = oas.SignInProviderKindEngineer
		}
		out.Providers = append(out.Providers, p)
	}
	return out, nil
}

// reasons are what the sign-in page is told.
var reasons = []struct {
	err error
	say string
}{
	{identity.ErrSignInUnknown, "unknown"},
	{identity.ErrSignInExpired, "expired"},
	{identity.ErrSignInDenied, "denied"},
	{identity.ErrSignInAway, "unavailable"},
	{errInsecure, "insecure"},
}

// sorry is the sign-in page with a reason; "" for errors that have none.
func sorry(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return "/login?error=" + r.say
		}
	}
	return ""
}

// stateCookie binds a sign-in to the browser that began it, as strictly as the
// session's cookie.
func stateCookie(b wire.Browser) *http.Cookie {
	c := &http.Cookie{Name: wire.LoopbackStateCookie, Path: "/", HttpOnly: true, Secure: b.Secure(), SameSite: http.SameSiteLaxMode, MaxAge: 600}
	if b.Secure() {
		c.Name = wire.SecureStateCookie
	}
	return c
}

// StartSignIn sends the browser to the provider, or to the sign-in page when the
// page of another site sent it here.
func (h signIns) StartSignIn(ctx context.Context, p oas.StartSignInParams) (*oas.StartSignInSeeOther, error) {
	b := wire.BrowserOf(ctx)
	if b.Foreign {
		// Another site's page must not log anybody in unasked (threats.md C11).
		to := "/login"
		if p.To.Set {
			to += "?next=" + url.QueryEscape(p.To.Value)
		}
		return &oas.StartSignInSeeOther{Location: oas.NewOptString(to)}, nil
	}
	location, bound, err := "", "", error(errInsecure)
	if b.Cookie != "" {
		location, bound, err = h.identity.BeginSignIn(ctx, p.Provider, wire.Base(ctx), p.To.Or(""))
	}
	if say := sorry(err); err != nil && say != "" {
		return &oas.StartSignInSeeOther{Location: oas.NewOptString(say)}, nil
	}
	if err != nil {
		return nil, err
	}
	c := stateCookie(b)
	c.Value = bound
	return &oas.StartSignInSeeOther{Location: oas.NewOptString(location), SetCookie: oas.NewOptString(c.String())}, nil
}

// FinishSignIn takes the browser back and lets it in.
func (h signIns) FinishSignIn(ctx context.Context, p oas.FinishSignInParams) (*oas.FinishSignInSeeOther, error) {
	b := wire.BrowserOf(ctx)
	s, to, err := identity.Session{}, "", error(errInsecure)
	if b.Cookie != "" {
		code := p.Code.Or("")
		if p.Error.Set {
			code = ""
		}
		s, to, err = h.identity.FinishSignIn(ctx, p.Provider, p.State.Or(""), b.State, code, from(ctx))
	}
	if say := sorry(err); err != nil && say != "" {
		return &oas.FinishSignInSeeOther{Location: oas.NewOptString(say)}, nil
	}
	if err != nil {
		return nil, err
	}
	if to == "" {
		to = "/console"
		if s.User.Domain == principal.House {
			to = "/desk"
		}
	}
	return &oas.FinishSignInSeeOther{Location: oas.NewOptString(to), SetCookie: oas.NewOptString(cookie(b, s.Secret, s.Expires-s.Created))}, nil
}
