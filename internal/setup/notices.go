package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privacy"
)

// told collects notices.
type told struct {
	all   []locale.Texts
	names map[string]string
}

func (t *told) add(zh, en string, args ...any) {
	t.all = append(t.all, locale.Texts{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)})
}

// called is somebody or something by his name and id.
func (t *told) called(id string) string {
	if n := t.names[id]; n != "" {
		return n + " (" + id + ")"
	}
	return id
}

// without are the words of a that b has not.
func without(a, b []string) (all []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			all = append(all, x)
		}
	}
	return all
}

// notices are what a plan says first and plainly: rights that change, credentials
// that come and go, and how much data a rule of retention destroys.
func (d *draft) notices(ctx context.Context, s *Service) ([]locale.Texts, error) {
	t := &told{names: map[string]string{}}
	for _, c := range d.changes {
		if n := c.Name.In(locale.ZH); n != "" {
			t.names[c.ID] = n
		}
	}
	if d.people != nil {
		for _, l := range d.accts.wanted {
			t.names[l.v.ID] = l.v.Name
		}
		for _, l := range d.groups.wanted {
			t.names[l.v.ID] = l.v.Name
		}
		d.noticesOfAccounts(t)
		d.noticesOfUsers(t)
		d.noticesOfGroups(t)
		d.noticesOfKeys(t)
	}
	for _, p := range d.providers.wanted {
		if names := strings.Join(p.v.lost, ", "); names != "" {
			t.add("通道 %s 缺少密钥（%s），恢复后处于停用状态；给出密钥后才能启用", "provider %s comes back switched off: its secret (%s) is not there; it can be switched on when that is given", p.v.ID, names)
		}
	}
	for _, p := range d.keep.put() {
		if !p.fresh && p.v.Days >= p.old.Days || s.n.Privacy == nil {
			continue
		}
		r := p.v.retention()
		seen, err := s.n.Privacy.PreviewRetention(ctx, principal.AsSystem(principal.House), privacy.Retention{Kind: r.Kind, Domain: r.Domain, Days: r.Days})
		if err != nil {
			return nil, err
		}
		var rows int64
		for _, c := range seen.Counts {
			rows += c.Rows
		}
		t.add("保留期限 %s：%d 天；现在就会删除 %d 条记录（%d 条因保全而保留）", "retention of %s, %d days: %d records go at once (%d more stay under legal holds)", p.v.ID, p.v.Days, rows, seen.Held)
	}
	return t.all, nil
}

func (d *draft) noticesOfAccounts(t *told) {
	for _, p := range d.accts.put() {
		who := t.called(p.v.ID)
		if p.fresh {
			t.add("新账号 %s", "new account %s", who)
			p.old = accountShape{State: stateActive, Submit: new(bool), Export: new(bool), Assume: new(bool)}
		}
		switch {
		case p.v.State == p.old.State:
		case p.v.State == stateDisabled:
			t.add("账号 %s 被停用：其所有人员不能再登录", "account %s is shut out, with all its people", who)
		default:
			t.add("账号 %s 重新启用", "account %s is let in again", who)
		}
		for _, sw := range []struct {
			on, was *bool
			zh, en  string
		}{
			{p.v.Submit, p.old.Submit, "要求子用户经用户组授权才能提交工单", "sub-users submit tickets only when a group permits it"},
			{p.v.Export, p.old.Export, "允许子用户导出工单", "sub-users may export tickets"},
			{p.v.Assume, p.old.Assume, "允许子用户处理账号内的所有工单", "sub-users act on every ticket of the account"},
		} {
			switch {
			case *sw.on == *sw.was:
			case *sw.on:
				t.add("账号 %s："+sw.zh, "account %s: "+sw.en, who)
			default:
				t.add("账号 %s：不再"+sw.zh, "account %s: no longer: "+sw.en, who)
			}
		}
	}
}

func (d *draft) noticesOfUsers(t *told) {
	for _, p := range d.users.put() {
		who := t.called(p.v.ID)
		if p.fresh {
			t.add("新用户 %s（账号 %s）", "new user %s (account %s)", who, t.called(p.v.Domain))
			p.old.State = stateActive
		}
		if given := without(p.v.Roles, p.old.Roles); len(given) > 0 {
			t.add("用户 %s 得到角色 %s", "user %s gets the role %s", who, strings.Join(given, ", "))
		}
		if taken := without(p.old.Roles, p.v.Roles); len(taken) > 0 {
			t.add("用户 %s 失去角色 %s", "user %s loses the role %s", who, strings.Join(taken, ", "))
		}
		switch {
		case p.v.State == p.old.State:
		case p.v.State == stateDisabled:
			t.add("用户 %s 被停用", "user %s is shut out", who)
		default:
			t.add("用户 %s 重新启用", "user %s is let in again", who)
		}
		if !p.fresh && p.v.Name != "" {
			t.add("用户 %s 的登录名改变，须重新登录", "user %s gets another log-in name and must sign in again", who)
		}
	}
}

func (d *draft) noticesOfGroups(t *told) {
	for _, v := range d.groups.gone() {
		t.names[v.ID] = v.Name
		t.add("用户组 %s 被移除，%d 名成员失去其权限：%s", "group %s is removed, its %d members lose its rights: %s", t.called(v.ID), len(v.Members), strings.Join(v.Roles, ", "))
	}
	for _, p := range d.groups.put() {
		who := t.called(p.v.ID)
		if given := without(p.v.Roles, p.old.Roles); len(given) > 0 {
			t.add("用户组 %s（%d 名成员）得到权限 %s", "group %s (%d members) gets the right %s", who, len(p.v.Members), strings.Join(given, ", "))
		}
		if taken := without(p.old.Roles, p.v.Roles); len(taken) > 0 {
			t.add("用户组 %s 失去权限 %s", "group %s loses the right %s", who, strings.Join(taken, ", "))
		}
		for _, id := range without(p.v.Members, p.old.Members) {
			t.add("用户 %s 加入用户组 %s", "user %s joins group %s", t.called(id), who)
		}
		for _, id := range without(p.old.Members, p.v.Members) {
			t.add("用户 %s 离开用户组 %s", "user %s leaves group %s", t.called(id), who)
		}
	}
}

func (d *draft) noticesOfKeys(t *told) {
	for _, v := range d.keys.gone() {
		t.add("用户 %[2]s 的访问密钥 %[1]s 被移除", "access key %s of user %s is removed", v.ID, t.called(v.User))
	}
	for _, p := range d.keys.put() {
		switch {
		case p.fresh:
			t.add("用户 %[2]s 的新访问密钥 %[1]s（密钥显示一次）", "new access key %s of user %s (its secret is shown once)", p.v.ID, t.called(p.v.User))
		case p.v.State == p.old.State:
		case p.v.State == stateDisabled:
			t.add("用户 %[2]s 的访问密钥 %[1]s 被停用", "access key %s of user %s is stopped", p.v.ID, t.called(p.v.User))
		default:
			t.add("用户 %[2]s 的访问密钥 %[1]s 重新启用", "access key %s of user %s works again", p.v.ID, t.called(p.v.User))
		}
	}
}
