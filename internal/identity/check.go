package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-ldap/ldap/v3"

	"casemate/internal/config"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Told is called for each step of a check, with what was found or why not.
type Told func(what locale.Texts, err error)

// CheckProviders tries what the settings say of identity providers, without a
// store: discovery and keys of OpenID Connect providers; connection, TLS, bind
// and search of directories, and with a name what the directory says of the
// person and which role or groups that gives, with a password also whether it is
// right. id "" = all of them. It returns how many steps failed.
func CheckProviders(ctx context.Context, c config.Identity, id, name, password string, told Told) (failed, checked int) {
	tell := func(what locale.Texts, err error) bool {
		if err != nil {
			failed++
		}
		told(what, err)
		return err == nil
	}
	out, err := newOutside(Options{OIDC: c.OIDC, LDAP: c.LDAP}, time.Now)
	if err != nil {
		tell(locale.Texts{ZH: "读取配置所指的文件与环境变量", EN: "reading the files and variables that the settings name"}, err)
		return failed, 1
	}
	for _, p := range out.oidc {
		if id == "" || id == p.ID {
			checked++
			p.check(ctx, tell)
		}
	}
	for _, d := range out.directories {
		if id == "" || id == d.ID {
			checked++
			d.check(ctx, name, password, tell)
		}
	}
	return failed, checked
}

func both(zh, en string, args ...any) locale.Texts {
	return locale.Texts{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)}
}

func (p *signInProvider) check(ctx context.Context, tell func(locale.Texts, error) bool) {
	found, err := p.discover(ctx)
	if !tell(both("%s：读取 %s 的发现文档", "%s: discovery at %s", p.ID, p.Issuer), err) {
		return
	}
	var doc struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
		Challenges []string `json:"code_challenge_methods_supported"`
		Scopes     []string `json:"scopes_supported"`
	}
	if !tell(both("%s：授权地址 %s，令牌地址 %s", "%s: authorization at %s, tokens at %s", p.ID, found.Endpoint().AuthURL, found.Endpoint().TokenURL), found.Claims(&doc)) {
		return
	}
	tell(both("%s：签名算法 %s 中有 %s", "%s: of the signature algorithms %s one is of %s", p.ID, strings.Join(p.Algorithms, " "), strings.Join(doc.Algorithms, " ")),
		errIf(!slices.ContainsFunc(p.Algorithms, func(a string) bool { return slices.Contains(doc.Algorithms, a) }), errors.New("none is")))
	tell(both("%s：PKCE（S256）", "%s: PKCE (S256)", p.ID), errIf(len(doc.Challenges) > 0 && !slices.Contains(doc.Challenges, "S256"), errors.New("the provider does not list S256")))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, doc.Keys, nil)
	if err == nil {
		var res *http.Response
		if res, err = p.client.Do(r); err == nil {
			_ = res.Body.Close()
			err = errIf(res.StatusCode != http.StatusOK, fmt.Errorf("the answer is %s", res.Status))
		}
	}
	tell(both("%s：密钥 %s", "%s: keys at %s", p.ID, doc.Keys), err)
	if !slices.Contains(p.Scopes, oidc.ScopeOfflineAccess) {
		tell(both("%s：scopes 中没有 offline_access：多数提供商因此不给刷新令牌，停用的人员须等会话结束才会退出", "%s: scopes have no offline_access: most providers then give no refresh token, and who is disabled there stays in until the session ends", p.ID), nil)
	}
	tell(both("%s：请在提供商处登记回调地址 https://本服务的地址%s", "%s: register the address https://THIS-SERVER%s at the provider", p.ID, CallbackPath(p.ID)), nil)
}

func (d *directory) check(ctx context.Context, name, password string, tell func(locale.Texts, error) bool) {
	err := d.do(ctx, func(c *ldap.Conn) error {
		how := both("无 TLS", "no TLS")
		if state, ok := c.TLSConnectionState(); ok && len(state.PeerCertificates) > 0 {
			ends := state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
			how = both("TLS，证书有效至 %s", "TLS, the certificate ends %s", ends)
		}
		tell(locale.Texts{ZH: fmt.Sprintf("%s：连接 %s（%s），以 %q 绑定", d.ID, d.URL, how.ZH, d.BindDN), EN: fmt.Sprintf("%s: connected to %s (%s), bound as %q", d.ID, d.URL, how.EN, d.BindDN)}, nil)
		everybody := strings.ReplaceAll(d.Filter, "{name}", "*")
		res, err := c.Search(ldap.NewSearchRequest(d.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 1, int(d.Timeout.Seconds())+1, false, everybody, []string{d.Unique, d.NameAttr}, nil))
		if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			err = nil
		}
		if err == nil && len(res.Entries) == 0 {
			err = errors.New("it finds nobody")
		}
		if err == nil {
			for _, a := range []string{d.Unique, d.NameAttr} {
				if len(res.Entries[0].GetRawAttributeValue(a)) == 0 {
					err = fmt.Errorf("%s has no attribute %s, or it may not be read", res.Entries[0].DN, a)
				}
			}
		}
		tell(both("%s：在 %s 下以 %s 查找人员", "%s: looking for people below %s by %s", d.ID, d.Base, everybody), err)
		if name == "" {
			return nil
		}
		e, err := d.entry(c, filled(d.Filter, name, ""))
		if !tell(both("%s：查找 %s", "%s: looking for %s", d.ID, name), err) {
			return nil
		}
		p, err := d.person(c, e, name)
		if !tell(both("%s：%s，登录名 %s，组 %s", "%s: %s, log-in name %s, groups %s", d.ID, e.DN, p.name, strings.Join(p.groups, "; ")), err) {
			return nil
		}
		if d.People.Domain == principal.House {
			role, err := roleOf(d.People, p.groups)
			tell(both("%s：角色 %s", "%s: role %s", d.ID, role), err)
		} else {
			var to []string
			for _, g := range d.People.Groups {
				if inGroup(p.groups, g.Group) {
					to = append(to, g.To)
				}
			}
			tell(both("%s：客户账号 %s，组 %s", "%s: account %s, groups %s", d.ID, d.People.Domain, strings.Join(to, "; ")), nil)
		}
		if password != "" {
			tell(both("%s：以其密码绑定", "%s: binding with the password", d.ID), c.Bind(e.DN, password))
		}
		return nil
	})
	if err != nil {
		tell(both("%s：连接 %s 并以 %q 绑定", "%s: connecting to %s and binding as %q", d.ID, d.URL, d.BindDN), err)
	}
}
