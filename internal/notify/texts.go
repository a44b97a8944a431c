package notify

import "casemate/internal/locale"

// The templates, by what they say. Placeholders: {product} and {code} are
// filled in here, the others come from the message's Values.
const (
	TemplateCode    = "verify.code"    // {minutes}
	TemplateCreate  = "ticket.create"  // {number}: the ticket is there
	TemplateReply   = "ticket.reply"   // {number}: an engineer wrote
	TemplateAsk     = "ticket.ask"     // {number}, {days}: an engineer waits for an answer
	TemplateResolve = "ticket.resolve" // {number}, {days}: please confirm the solution
	TemplateRemind  = "ticket.remind"  // {number}, {days}: it closes by itself soon
	TemplateClose   = "ticket.close"   // {number}: it was closed
	TemplateSurvey  = "ticket.survey"  // {number}, {link}: please rate it; a mail only
	TemplateTest    = "provider.test"  // {provider}: an administrator tries a provider

	TemplateAccount = "account.changed" // {change}, {time}, {address}: what somebody comes in with is not as it was

	TemplateAuthorize = "ticket.authorize" // {number}, {days}: an engineer asks for an authorization
	TemplateAbuse     = "abuse.report"     // {id}, {kind}: to the house
	TemplateRefused   = "mail.refused"     // {cause}: a mail that came in made no ticket; a mail only

	// To engineers, mails only.
	TemplateAssigned   = "desk.assigned"   // {number}
	TemplateReplied    = "desk.replied"    // {number}
	TemplateUrged      = "desk.urged"      // {number}
	TemplateNew        = "desk.created"    // {number}
	TemplateAuthorized = "desk.authorized" // {number}
	TemplateWarned     = "desk.warned"     // {number}: a target is nearly used up
	TemplateEscalated  = "desk.escalated"  // {number}: a target comes to the share supervisors are told of
	TemplateBreached   = "desk.breached"   // {number}: a target is missed
	TemplateMentioned  = "desk.mentioned"  // {number}
	TemplateFollowed   = "desk.followed"   // {number}
	TemplateWoken      = "desk.woken"      // {number}
	TemplateWithheld   = "desk.withheld"   // {number}
	TemplateAsked      = "desk.asked"      // {number}
	TemplateRule       = "desk.rule"       // {number}
	TemplateDigest     = "desk.digest"     // {count}, {list}: one line for each ticket
)

// words is a template in one language. Mails show the text, and as HTML the
// same paragraphs; a code stands in large type. Texts never hold what a
// customer or engineer wrote: they pass through other people's machines.
type words struct{ subject, text, sms string }

// about is what a template is made of: the placeholders that may stand in it
// beside {product}, and those that must stand in its text and text message.
type about struct {
	may, must []string
	// secret placeholders never stand in a subject, which mail servers log.
	secret []string
}

var placeholders = map[string]about{
	TemplateCode:       {may: []string{"code", "minutes"}, must: []string{"code"}, secret: []string{"code"}},
	TemplateCreate:     {may: []string{"number"}, must: []string{"number"}},
	TemplateReply:      {may: []string{"number"}, must: []string{"number"}},
	TemplateAsk:        {may: []string{"number", "days"}, must: []string{"number"}},
	TemplateResolve:    {may: []string{"number", "days"}, must: []string{"number"}},
	TemplateRemind:     {may: []string{"number", "days"}, must: []string{"number"}},
	TemplateClose:      {may: []string{"number"}, must: []string{"number"}},
	TemplateSurvey:     {may: []string{"number", "link"}, must: []string{"link"}, secret: []string{"link"}},
	TemplateAuthorize:  {may: []string{"number", "days"}, must: []string{"number"}},
	TemplateAbuse:      {may: []string{"id", "kind"}, must: []string{"id"}},
	TemplateRefused:    {may: []string{"cause"}, must: []string{"cause"}},
	TemplateTest:       {may: []string{"provider"}},
	TemplateAccount:    {may: []string{"change", "time", "address"}, must: []string{"change"}},
	TemplateAssigned:   {may: []string{"number"}, must: []string{"number"}},
	TemplateReplied:    {may: []string{"number"}, must: []string{"number"}},
	TemplateUrged:      {may: []string{"number"}, must: []string{"number"}},
	TemplateNew:        {may: []string{"number"}, must: []string{"number"}},
	TemplateAuthorized: {may: []string{"number"}, must: []string{"number"}},
	TemplateWarned:     {may: []string{"number"}, must: []string{"number"}},
	TemplateEscalated:  {may: []string{"number"}, must: []string{"number"}},
	TemplateBreached:   {may: []string{"number"}, must: []string{"number"}},
	TemplateMentioned:  {may: []string{"number"}, must: []string{"number"}},
	TemplateFollowed:   {may: []string{"number"}, must: []string{"number"}},
	TemplateWoken:      {may: []string{"number"}, must: []string{"number"}},
	TemplateWithheld:   {may: []string{"number"}, must: []string{"number"}},
	TemplateAsked:      {may: []string{"number"}, must: []string{"number"}},
	TemplateRule:       {may: []string{"number"}, must: []string{"number"}},
	TemplateDigest:     {may: []string{"count", "list"}, must: []string{"list"}},
}

// samples are what a preview shows.
var samples = map[string]string{"code": "123456", "minutes": "5", "number": "TS2601010123456789ABC", "days": "3", "provider": "primary", "id": "01k5abcdef0123456789abcdef", "kind": "spam", "cause": "the sender is not known", "change": "an access key was made", "time": "2026-01-15 16:00 +0800", "address": "198.51.100.7", "link": "https://desk.example.com/notify/v1/survey?token=...", "count": "2",
	"list": "TS2601010123456789ABC\nTS260101ABC0123456789"}

// templates are the built-in texts.
var templates = map[string]map[locale.Language]words{
	TemplateCode: {
		locale.ZH: {
			subject: "{product} 验证码",
			text:    "您好！\n\n您的验证码是：\n\n{code}\n\n{minutes} 分钟内有效，仅可使用一次。请勿将验证码告知任何人，我们的工程师也不会向您索取。\n\n如非本人操作，请忽略本邮件。\n\n{product}",
			sms:     "【{product}】验证码 {code}，{minutes} 分钟内有效，请勿告知他人。如非本人操作请忽略。",
		},
		locale.EN: {
			subject: "{product} verification code",
			text:    "Hello,\n\nyour verification code is:\n\n{code}\n\nIt is valid for {minutes} minutes and works once. Never tell it to anybody; our engineers do not ask for it either.\n\nIf you did not ask for a code, please ignore this mail.\n\n{product}",
			sms:     "{code} is your {product} verification code, valid for {minutes} minutes. Never tell it to anybody.",
		},
	},
	TemplateReply: {
		locale.ZH: {"工单 {number} 有新回复", "您好！\n\n工程师回复了您的工单 {number}，请登录工单系统查看。\n\n{product}", "【{product}】工程师回复了您的工单 {number}，请登录工单系统查看。"},
		locale.EN: {"Ticket {number}: new reply", "Hello,\n\nan engineer has replied to your ticket {number}. Please read it in your ticket system.\n\n{product}", "{product}: an engineer has replied to your ticket {number}."},
	},
	TemplateAsk: {
		locale.ZH: {"工单 {number} 需要您补充信息", "您好！\n\n工单 {number} 需要您补充信息，请登录工单系统回复。{days} 天内未回复，工单将转为待确认。\n\n{product}", "【{product}】工单 {number} 需要您补充信息，请在 {days} 天内登录工单系统回复。"},
		locale.EN: {"Ticket {number} needs your answer", "Hello,\n\nyour ticket {number} needs your answer. Please reply in your ticket system; without an answer within {days} days it is taken as solved.\n\n{product}", "{product}: ticket {number} needs your answer within {days} days."},
	},
	TemplateResolve: {
		locale.ZH: {"请确认工单 {number} 是否已解决", "您好！\n\n工单 {number} 已给出解决方案，请登录工单系统确认。{days} 天内未确认，工单将自动关闭。\n\n{product}", "【{product}】工单 {number} 已给出解决方案，请在 {days} 天内确认，否则将自动关闭。"},
		locale.EN: {"Please confirm ticket {number}", "Hello,\n\na solution for your ticket {number} is waiting for you. Please confirm it in your ticket system; without an answer within {days} days the ticket closes by itself.\n\n{product}", "{product}: please confirm the solution of ticket {number} within {days} days, else it closes."},
	},
	TemplateRemind: {
		locale.ZH: {"提醒：工单 {number} 待您确认", "您好！\n\n工单 {number} 仍待您确认，{days} 天后将自动关闭。如问题未解决，请登录工单系统回复。\n\n{product}", "【{product}】工单 {number} 仍待您确认，{days} 天后将自动关闭。"},
		locale.EN: {"Reminder: please confirm ticket {number}", "Hello,\n\nyour ticket {number} still waits for your confirmation and closes by itself in {days} days. If the problem is not solved, please reply in your ticket system.\n\n{product}", "{product}: ticket {number} still waits for you and closes in {days} days."},
	},
	TemplateClose: {
		locale.ZH: {"工单 {number} 已关闭", "您好！\n\n工单 {number} 已关闭。欢迎登录工单系统评价本次服务；如有新问题，请提交新工单。\n\n{product}", "【{product}】工单 {number} 已关闭，欢迎登录工单系统评价。"},
		locale.EN: {"Ticket {number} is closed", "Hello,\n\nyour ticket {number} is closed. You are welcome to rate our service in your ticket system; for a new problem please file a new ticket.\n\n{product}", "{product}: ticket {number} is closed. You are welcome to rate our service."},
	},
	TemplateSurvey: {
		locale.ZH: {"请评价工单 {number} 的服务", "您好！\n\n您的工单 {number} 已完成。请打开以下链接评价本次服务，无需登录，30 天内有效：\n\n{link}\n\n{product}", ""},
		locale.EN: {"How was our service for ticket {number}?", "Hello,\n\nyour ticket {number} is completed. Please rate our service on this page; it asks for no log-in and works for 30 days:\n\n{link}\n\n{product}", ""},
	},
	TemplateTest: {
		locale.ZH: {"{product} 通道测试", "您好！\n\n这是来自 {product} 的测试邮件，经由通道 {provider} 发送。收到即表示通道可用。\n\n{product}", "【{product}】这是一条测试短信，经由通道 {provider} 发送。"},
		locale.EN: {"{product} test message", "Hello,\n\nthis is a test message of {product}, sent through {provider}. Having it means that the provider works.\n\n{product}", "{product}: this is a test message, sent through {provider}."},
	},
	TemplateAccount: {
		locale.ZH: {"{product} 账号安全提醒：{change}", "您好！\n\n您的账号有以下变更：{change}。\n\n时间：{time}\n来自：{address}\n\n如果是您本人或您的管理员操作，无需处理。如果不是：请立即登录并修改密码，删除不认识的访问密钥，在“我的账号”中结束其他会话，并告知管理员。\n\n本邮件不含任何链接，也不会向您索取密码。\n\n{product}", "【{product}】您的账号变更：{change}（{time}）。如非本人操作，请立即修改密码并告知管理员。"},
		locale.EN: {"{product} account: {change}", "Hello,\n\nsomething about your account is not as it was: {change}.\n\nWhen: {time}\nFrom: {address}\n\nIf it was you or your administrator, there is nothing to do. If it was not: log in now and change your password, delete access keys that you do not know, end other sessions on your account's page, and tell your administrator.\n\nThis mail has no links, and nobody asks for your password.\n\n{product}", "{product}: {change} ({time}). If it was not you, change your password now and tell your administrator."},
	},
	TemplateAuthorize: {
		locale.ZH: {"工单 {number} 申请授权", "您好！\n\n为处理工单 {number}，工程师向您申请授权，请登录工单系统查看并选择同意或拒绝。{days} 天内未处理，申请将自动失效。\n\n请勿通过邮件、短信或留言提供密码。\n\n{product}", "【{product}】工程师就工单 {number} 向您申请授权，请在 {days} 天内登录工单系统处理。请勿通过短信提供密码。"},
		locale.EN: {"Ticket {number}: an authorization is asked for", "Hello,\n\nto work on your ticket {number} an engineer asks you for an authorization. Please grant or reject it in your ticket system; unanswered it ends by itself after {days} days.\n\nNever send passwords by mail, text message or reply.\n\n{product}", "{product}: an engineer asks for an authorization in ticket {number}. Please answer in your ticket system within {days} days; never text passwords."},
	},
	TemplateAbuse: {
		locale.ZH: {"收到举报 {id}", "您好！\n\n收到一份类型为 {kind} 的举报，编号 {id}，请登录工作台查看并处理。\n\n{product}", "【{product}】收到举报 {id}（{kind}），请登录工作台处理。"},
		locale.EN: {"Abuse report {id}", "Hello,\n\na report of the kind {kind} has come in, number {id}. Please read and handle it on the desk.\n\n{product}", "{product}: abuse report {id} ({kind}) has come in."},
	},
	TemplateCreate: {
		locale.ZH: {"工单 {number} 已创建", "您好！\n\n您的工单 {number} 已创建，我们会尽快处理。您可以登录工单系统查看进展。\n\n{product}", "【{product}】您的工单 {number} 已创建，我们会尽快处理。"},
		locale.EN: {"Ticket {number} was created", "Hello,\n\nyour ticket {number} was created and we will work on it soon. You can follow it in your ticket system.\n\n{product}", "{product}: your ticket {number} was created."},
	},
	TemplateAssigned: {
		locale.ZH: {"工单 {number} 已分派给您", "您好！\n\n工单 {number} 已分派给您，请登录工作台处理。\n\n{product}", ""},
		locale.EN: {"Ticket {number} is yours", "Hello,\n\nticket {number} was assigned to you. Please look at it on the desk.\n\n{product}", ""},
	},
	TemplateReplied: {
		locale.ZH: {"工单 {number} 有客户回复", "您好！\n\n客户回复了由您处理的工单 {number}，请登录工作台查看。\n\n{product}", ""},
		locale.EN: {"Ticket {number}: the customer replied", "Hello,\n\nthe customer has replied to ticket {number}, which you handle. Please read it on the desk.\n\n{product}", ""},
	},
	TemplateUrged: {
		locale.ZH: {"工单 {number} 被催单", "您好！\n\n客户催了由您处理的工单 {number}，请尽快处理。\n\n{product}", ""},
		locale.EN: {"Ticket {number} was urged", "Hello,\n\nthe customer urges you to go on with ticket {number}.\n\n{product}", ""},
	},
	TemplateNew: {
		locale.ZH: {"新工单 {number}", "您好！\n\n有新工单 {number} 等待受理，请登录工作台查看。\n\n{product}", ""},
		locale.EN: {"New ticket {number}", "Hello,\n\na new ticket {number} waits to be taken. Please look at it on the desk.\n\n{product}", ""},
	},
	TemplateAuthorized: {
		locale.ZH: {"工单 {number} 的授权申请已有答复", "您好！\n\n客户已答复工单 {number} 的授权申请，请登录工作台查看。\n\n{product}", ""},
		locale.EN: {"Ticket {number}: the authorization was answered", "Hello,\n\nthe customer has answered your request for an authorization in ticket {number}. Please look at it on the desk.\n\n{product}", ""},
	},
	TemplateWarned: {
		locale.ZH: {"工单 {number} 即将超时", "您好！\n\n工单 {number} 的服务时限即将用完，请登录工作台处理。\n\n{product}", ""},
		locale.EN: {"Ticket {number} is nearly due", "Hello,\n\nthe promised time of ticket {number} is nearly used up. Please go on with it on the desk.\n\n{product}", ""},
	},
	TemplateEscalated: {
		locale.ZH: {"工单 {number} 需要您关注", "您好！\n\n工单 {number} 的服务时限已用到需上报主管的比例，请登录工作台查看并协调处理。\n\n{product}", ""},
		locale.EN: {"Ticket {number} needs your attention", "Hello,\n\nso much of the promised time of ticket {number} is used up that supervisors are told. Please see on the desk who can help.\n\n{product}", ""},
	},
	TemplateBreached: {
		locale.ZH: {"工单 {number} 已超时", "您好！\n\n工单 {number} 的服务时限已过，请登录工作台查看并协调处理。\n\n{product}", ""},
		locale.EN: {"Ticket {number} is overdue", "Hello,\n\nthe promised time of ticket {number} has passed. Please see on the desk who can help.\n\n{product}", ""},
	},
	TemplateMentioned: {
		locale.ZH: {"工单 {number} 的备注提到了您", "您好！\n\n同事在工单 {number} 的内部备注中提到了您，您已成为该工单的关注者。请登录工作台查看。\n\n{product}", ""},
		locale.EN: {"Ticket {number}: a note names you", "Hello,\n\na colleague named you in a note of ticket {number}; you follow it now. Please read it on the desk.\n\n{product}", ""},
	},
	TemplateFollowed: {
		locale.ZH: {"您关注的工单 {number} 有更新", "您好！\n\n您关注的工单 {number} 有新的动态，请登录工作台查看。\n\n{product}", ""},
		locale.EN: {"Ticket {number}, which you follow, has news", "Hello,\n\nsomething happened to ticket {number}, which you follow. Please look at it on the desk.\n\n{product}", ""},
	},
	TemplateWoken: {
		locale.ZH: {"延后的工单 {number} 已到期", "您好！\n\n延后处理的工单 {number} 已到期，重新出现在列表中，请继续处理。\n\n{product}", ""},
		locale.EN: {"Ticket {number} is back", "Hello,\n\nticket {number} was snoozed until now and is in your lists again. Please go on with it.\n\n{product}", ""},
	},
	TemplateWithheld: {
		locale.ZH: {"工单 {number} 的消息未发送", "您好！\n\n您在工单 {number} 中定时发送的消息没有发出：工单在此期间有变化。内容已存回您的草稿，请登录工作台查看后再决定是否发送。\n\n{product}", ""},
		locale.EN: {"Ticket {number}: your message was not sent", "Hello,\n\nyour message in ticket {number} that was to go out now was not sent: the ticket has changed meanwhile. Its text is among your drafts again. Please look at the ticket on the desk and decide anew.\n\n{product}", ""},
	},
	TemplateAsked: {
		locale.ZH: {"请关注工单 {number}", "您好！\n\n同事或自动规则请您关注工单 {number}，请登录工作台查看。\n\n{product}", ""},
		locale.EN: {"Please look at ticket {number}", "Hello,\n\na colleague or a rule asks you to look at ticket {number} on the desk.\n\n{product}", ""},
	},
	TemplateRule: {
		locale.ZH: {"自动规则因循环已停用（工单 {number}）", "您好！\n\n一条自动规则在工单 {number} 上反复触发自身，系统已将其停用。请登录工作台查看规则的运行记录。\n\n{product}", ""},
		locale.EN: {"A rule was switched off (ticket {number})", "Hello,\n\na rule went in circles on ticket {number} and was switched off. Please look at its runs on the desk.\n\n{product}", ""},
	},
	TemplateRefused: {
		locale.ZH: {"您的邮件未能受理", "您好！\n\n我们收到了您的邮件，但未能据此创建工单或留言：{cause}。\n\n本邮件由系统自动发送，请勿直接回复；请登录工单系统提交。\n\n{product}", ""},
		locale.EN: {"Your mail could not be taken", "Hello,\n\nwe received your mail but could not make a ticket or message of it: {cause}.\n\nThis mail was sent by a machine; please do not answer it. You can file a ticket in your ticket system.\n\n{product}", ""},
	},
	TemplateDigest: {
		locale.ZH: {"{product} 每日汇总：{count} 个工单", "您好！\n\n以下工单有新动态：\n\n{list}\n\n{product}", ""},
		locale.EN: {"{product} digest: tickets with news: {count}", "Hello,\n\nthese tickets have news:\n\n{list}\n\n{product}", ""},
	},
}
