package setup

import (
	"slices"
	"strings"
)

const readmeText = `# Casemate 配置 / configuration

本目录是可读的全部配置。修改后先查看差异，再整体生效：
This folder is all configuration as text. Change it, look at the difference, put it in force as a whole:

    casemate config plan DIR
    casemate config apply DIR

| 路径 path | 内容 | what it is |
|---|---|---|
| catalog/ | 产品、问题类型、模板、附加参数、级别、支持计划、日历、SLA、配额与限制、地域 | products, problem types, templates, parameters, severities, support plans, calendars, SLA, quotas and limits, regions |
| agreements/ | 协议与版本；已发布的文字不能修改 | agreements with their versions; a published text cannot change |
| templates/ | 邮件与短信的文字 | texts of mails and text messages |
| teams.yaml, queues.yaml, views.yaml | 团队、队列、共享视图 | teams, queues, shared views |
| macros.yaml, snippets.yaml, rules.yaml | 共享宏、常用语、自动规则 | shared macros, snippets, rules |
| engineers.yaml | 工程师的容量、技能、班次 | engineers' capacity, skills, shifts |
| partners.yaml, domains.yaml | 伙伴；客户账号的支持计划与伙伴 | partners; support plan and partner of customers' accounts |
| retention.yaml | 保留期限：多少天后删除哪类记录 | retention: what goes after how many days |
| accounts/ | 仅在导出时要求（--with accounts）：账号、用户、用户组与权限、访问密钥；密码、联系方式、密钥从不导出，姓名等仅 --with people | only when asked for (--with accounts): accounts, users, groups and rights, access keys; never passwords, contacts or secrets; names and the like with --with people only |
| webhooks.yaml | Webhook，密钥只写、不导出 | webhooks; secrets are write-only and never exported |
| providers.yaml | 邮件与短信通道（服务端配置文件中的除外）；密钥以 env:名称、file:/路径 引用，不导出 | providers of mail and text messages, beside those of the server's file; secrets are references such as env:NAME or file:/path, never exported |
| server.yaml | 仅供参考：在服务端配置文件中设置的内容 | for reference only: what is set in the server's configuration file |

- 条目以 id 标识，别处以 id 引用；名称可改，id 不变。新条目的 id 自定：1 到 32 个字母、数字、点、下划线、连字符。
  Entries are known by their id, and others refer to it; names may change, ids do not. Choose the id of a new entry: 1 to 32 letters, digits, dots, underscores, hyphens.
- 删除整个文件表示该部分不变；清空须写成空列表，例如 macros: []。
  A section without any file stays as it is; to empty one, write an empty list such as macros: [].
- accounts/ 中未列出的条目、条目中省略的内容均不变；停用写 state: disabled，移除用户组或密钥写 state: removed；生效须加 --with accounts。
  In accounts/ what is not named, and what an entry leaves out, stays; state: disabled shuts out, state: removed removes a group or key; apply wants --with accounts.
- 除 catalog/ 与 agreements/ 外，注释不保存。
  Comments are kept in catalog/ and agreements/ only.
`

// serverText tells what is set in the server's own configuration file. It has
// comments only, so that it can stay in the tree.
func (s *Service) serverText() string {
	var b strings.Builder
	b.WriteString("# 仅供参考，apply 时忽略。以下在服务端配置文件（casemate serve --config）中设置，因为其中有密钥与地址，且各节点可以不同。\n" +
		"# For reference only; apply ignores it. What follows is set in the server's configuration file (casemate serve --config): it holds secrets and addresses, and nodes may differ.\n#\n" +
		"# notify: 邮件与短信通道 providers of mail and text messages: casemate provider list\n")
	var names []string
	for _, p := range s.n.Notify.FileProviders() {
		names = append(names, "#   - "+plain(p)+"\n")
	}
	slices.Sort(names)
	b.WriteString(strings.Join(names, ""))
	b.WriteString("# mail_in: 收信邮箱 mailboxes that are read: casemate mailbox list\n" +
		"# identity: 身份提供商 identity providers\n" +
		"# verify, attachment, authorization, queue, automation, teamwork, webhooks: 限制与期限 limits and times\n")
	return b.String()
}
