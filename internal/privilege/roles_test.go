package privilege_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"casemate/internal/principal"
	"casemate/internal/privilege"
)

var update = flag.Bool("update", false, "write docs/ROLES.md and docs/ROLES.zh-CN.md anew")

// sorts of callers, as the table's columns have them.
var sorts = []struct {
	zh, en string
	who    principal.Principal
}{
	{"管理员", "administrator", house(principal.RoleAdministrator)},
	{"主管", "supervisor", house(principal.RoleSupervisor)},
	{"工程师", "engineer", house(principal.RoleEngineer)},
	{"审计员", "auditor", house(principal.RoleAuditor)},
	{"合作伙伴工程师", "partner's engineer", principal.Principal{Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleEngineer, Partner: "p"}},
	{"本机操作员", "operator on the machine", principal.Principal{Kind: principal.Local}},
	{"主账号", "main account", principal.Principal{Kind: principal.Customer, Domain: "d", Main: true}},
	{"子用户", "sub-user", principal.Principal{Kind: principal.Customer, Domain: "d"}},
	{"未登录", "nobody", principal.Principal{}},
}

func house(role string) principal.Principal {
	return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: role, Role: role, Roles: role}
}

type operation struct{ id, method, path, summary string }

func operationsOf(t *testing.T, file string) (all []operation) {
	t.Helper()
	text, err := os.ReadFile("../../api/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `yaml:"operationId"`
			Summary     string `yaml:"summary"`
		} `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			all = append(all, operation{o.OperationID, strings.ToUpper(method), path, o.Summary})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.id, b.id) })
	return all
}

// rolesDoc is the document in one language: of each operation of the desk and
// of the browser's contract, who may call it at all.
func rolesDoc(t *testing.T, zh bool) string {
	say := func(z, e string) string {
		if zh {
			return z
		}
		return e
	}
	var b strings.Builder
	b.WriteString(say(`# 角色与权限

本文由 internal/privilege/policy.go 生成（go test ./internal/privilege -run TestRolesDoc -update），请勿手工修改。

- **管理员**（administrator）：配置、用户、密钥、服务商、隐私；可做一切。
- **主管**（supervisor）：工程师的工作，另有审批、转派、团队、队列、班次、规则与报表。
- **工程师**（engineer）：处理工单。
- **审计员**（auditor）：可读工作台的内容与审计记录，不能修改任何内容；看不到加密保存的个人信息（客户用户的名称、电话、邮箱，文件名）和附件内容，也不能使用会检索这些信息的全局搜索。
- 一人可以有多个角色，权限为各角色之和。角色变更立即生效（本节点 1 秒内，其他节点 5 秒内）。
- **合作伙伴工程师**只能看到属于其合作伙伴的工单。**主账号**与**子用户**是客户的用户；未登录者只能使用登录等公开操作。

● 表示可以调用；能看到什么、能改什么还取决于具体数据。

`, `# Roles and rights

This document is written from internal/privilege/policy.go (go test ./internal/privilege -run TestRolesDoc -update); do not edit it by hand.

- **administrator**: configuration, users, keys, providers, privacy; may do everything.
- **supervisor**: the work of an engineer, and approvals, reassigning, teams, queues, shifts, rules and reports.
- **engineer**: works on tickets.
- **auditor**: reads the desk and the audit, changes nothing; does not see sealed personal fields (names, phone numbers and mail addresses of customers' people, names of files) nor the bytes of attachments, and does not use the search over all customers, which looks into such fields.
- A person may hold several roles and has the rights of all of them. A change of roles holds at once (within 1 second on the node, 5 seconds on all).
- A **partner's engineer** sees the tickets that are the partner's business only. **Main accounts** and **sub-users** are customers' users; who is not logged in calls public operations such as the log-in.

● means: may call the operation. What is seen and changed by it depends on the data as well.

`))
	for _, f := range []struct{ file, surface, zh, en string }{{"desk.yaml", "desk", "工作台 API", "Desk API"}, {"web.yaml", "web", "浏览器 API", "Browser API"}} {
		fmt.Fprintf(&b, "## %s (%s)\n\n| %s |", say(f.zh, f.en), f.file, say("操作", "operation"))
		for _, s := range sorts {
			fmt.Fprintf(&b, " %s |", say(s.zh, s.en))
		}
		b.WriteString("\n|---|" + strings.Repeat(":-:|", len(sorts)) + "\n")
		for _, o := range operationsOf(t, f.file) {
			fmt.Fprintf(&b, "| %s `%s %s` |", o.id, o.method, o.path)
			for _, s := range sorts {
				mark := " |"
				if privilege.Admit(f.surface, o.id, s.who) == nil {
					mark = " ● |"
				}
				b.WriteString(mark)
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// TestRolesDoc: the documents tell what the policy says.
func TestRolesDoc(t *testing.T) {
	for name, zh := range map[string]bool{"ROLES.md": false, "ROLES.zh-CN.md": true} {
		want := rolesDoc(t, zh)
		if *update {
			if err := os.WriteFile("../../docs/"+name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != want {
			t.Errorf("docs/%s differs from the policy: run go test ./internal/privilege -run TestRolesDoc -update", name)
		}
	}
}

// TestRowsNameRoles: every row of the desk is for roles of the house by name,
// those that an auditor has change nothing, and who holds several roles has the
// rights of all of them.
func TestRowsNameRoles(t *testing.T) {
	reads := func(method string) bool { return method == "GET" }
	for _, o := range operationsOf(t, "desk.yaml") {
		row := privilege.Policy["desk."+o.id]
		if roles := row.Roles(); len(roles) == 0 || !slices.Contains(roles, principal.RoleAdministrator) {
			t.Errorf("%s is for the roles %v: an administrator may do everything", o.id, roles)
		}
		auditor := privilege.Admit("desk", o.id, house(principal.RoleAuditor)) == nil
		if auditor && !reads(o.method) && !slices.Contains([]string{"CreateSession", "DeleteSession", "SetUp", "PreviewTemplate", "EditConfiguration"}, o.id) {
			t.Errorf("an auditor may call %s %s (%s)", o.method, o.path, o.id)
		}
		for _, one := range principal.Roles {
			for _, other := range principal.Roles {
				both := house(one)
				both.Roles = principal.JoinRoles(one, other)
				either := privilege.Admit("desk", o.id, house(one)) == nil || privilege.Admit("desk", o.id, house(other)) == nil
				if got := privilege.Admit("desk", o.id, both) == nil; got != either {
					t.Errorf("%s by %s: %v, want %v", o.id, both.Roles, got, either)
				}
			}
		}
	}
	if got := slices.Sorted(maps.Keys(map[string]bool{principal.JoinRoles("auditor", "engineer", "auditor"): true})); got[0] != "engineer,auditor" {
		t.Errorf("the roles are joined as %v", got)
	}
}
