package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// trace is what an event is called in the customer's audit view.
type trace struct {
	name, resource string
	title          locale.Texts
}

// traces are the events a customer sees of his domain, by kind: those of the
// platform by its names (semantics.md section 3.2), further ones by names of the
// same shape. What is not here is the house's affair: notes, assignments,
// requests for access that its supervisor has not approved.
var traces = map[string]trace{
	"ticket.create":    {"createCase", "case", locale.Texts{ZH: "创建工单", EN: "Ticket created"}},
	"ticket.cancel":    {"cancelCase", "case", locale.Texts{ZH: "撤销工单", EN: "Ticket canceled"}},
	"ticket.close":     {"closeCase", "case", locale.Texts{ZH: "关闭工单", EN: "Ticket closed"}},
	"ticket.autoclose": {"closeCase", "case", locale.Texts{ZH: "系统关闭工单", EN: "Ticket closed by the system"}},
	"ticket.delete":    {"deleteCase", "case", locale.Texts{ZH: "删除工单", EN: "Ticket deleted"}},
	"ticket.score":     {"createScores", "case", locale.Texts{ZH: "评价工单", EN: "Ticket rated"}},

	"ticket.urge":          {"urgeCase", "case", locale.Texts{ZH: "催单", EN: "Ticket urged"}},
	"ticket.reply":         {"createMessages", "case", locale.Texts{ZH: "回复工单", EN: "Ticket replied to"}},
	"ticket.withdraw":      {"revokeMessage", "case", locale.Texts{ZH: "撤回消息", EN: "Message withdrawn"}},
	"ticket.export":        {"exportCases", "case", locale.Texts{ZH: "导出工单", EN: "Tickets exported"}},
	"ticket.contact.set":   {"updateCaseContactInfo", "case", locale.Texts{ZH: "修改联系方式", EN: "Contact changed"}},
	"ticket.contact.clear": {"deleteCaseContactInfo", "case", locale.Texts{ZH: "删除联系方式", EN: "Contact cleared"}},
	"ticket.params":        {"createCaseExtendsParam", "case", locale.Texts{ZH: "提交附加参数", EN: "Parameters given"}},
	"ticket.relate":        {"createRelations", "case", locale.Texts{ZH: "关联工单", EN: "Tickets related"}},
	"ticket.unrelate":      {"deleteRelation", "case", locale.Texts{ZH: "取消关联", EN: "Relation removed"}},
	"ticket.label":         {"createCaseLabels", "case", locale.Texts{ZH: "添加标签", EN: "Labels put on"}},
	"ticket.unlabel":       {"deleteCaseLabels", "case", locale.Texts{ZH: "移除标签", EN: "Labels taken off"}},
	"ticket.accept":        {"acceptCase", "case", locale.Texts{ZH: "受理工单", EN: "Ticket accepted"}},
	"ticket.ask":           {"askCase", "case", locale.Texts{ZH: "要求补充信息", EN: "Question asked"}},
	"ticket.resolve":       {"resolveCase", "case", locale.Texts{ZH: "提交解决方案", EN: "Solution submitted"}},
	"ticket.autosolve":     {"resolveCase", "case", locale.Texts{ZH: "系统置为待确认", EN: "Taken as solved by the system"}},
	"ticket.pause":         {"pauseCase", "case", locale.Texts{ZH: "暂停工单", EN: "Ticket paused"}},
	"ticket.resume":        {"resumeCase", "case", locale.Texts{ZH: "恢复工单", EN: "Ticket resumed"}},
	"ticket.invalid":       {"invalidateCase", "case", locale.Texts{ZH: "判为无效", EN: "Judged invalid"}},
	kindMerge:              {"mergeCase", "case", locale.Texts{ZH: "合并工单", EN: "Ticket merged"}},
	kindSplit:              {"splitCase", "case", locale.Texts{ZH: "拆分工单", EN: "Ticket split"}},
	kindMove:               {"moveMessages", "case", locale.Texts{ZH: "移动消息", EN: "Messages moved"}},
	kindUndo:               {"undoCaseChange", "case", locale.Texts{ZH: "撤销变更", EN: "Change undone"}},
	"ticket.reveal":        {"revealCaseContactInfo", "case", locale.Texts{ZH: "查看联系方式", EN: "Contact looked at"}},

	kindAsk:                       {"requestAuthorization", "authorization", locale.Texts{ZH: "申请授权", EN: "Asked for an authorization"}},
	kindAskApproved:               {"requestAuthorization", "authorization", locale.Texts{ZH: "申请授权", EN: "Asked for an authorization"}},
	"authorization.confirm":       {"confirmAuthorizations", "authorization", locale.Texts{ZH: "同意授权", EN: "Authorization granted"}},
	"authorization.reject":        {"rejectAuthorization", "authorization", locale.Texts{ZH: "拒绝授权", EN: "Authorization rejected"}},
	"authorization.cancel":        {"cancelAuthorization", "authorization", locale.Texts{ZH: "取消授权", EN: "Authorization withdrawn"}},
	"authorization.expire":        {"expireAuthorization", "authorization", locale.Texts{ZH: "授权失效", EN: "Authorization expired"}},
	"authorization.check":         {"checkHosts", "authorization", locale.Texts{ZH: "检查主机登录", EN: "Host log-in checked"}},
	"authorization.reveal":        {"revealAuthorization", "authorization", locale.Texts{ZH: "查看授权凭据", EN: "Credentials looked at"}},
	"authorization.session.open":  {"openSession", "authorization", locale.Texts{ZH: "进入授权主机", EN: "Session opened"}},
	"authorization.session.close": {"closeSession", "authorization", locale.Texts{ZH: "离开授权主机", EN: "Session closed"}},
	"authorization.browse":        {"showSessionRecords", "authorization", locale.Texts{ZH: "查看会话记录", EN: "Session's records looked at"}},

	"token.issue":            {"login", "user", locale.Texts{ZH: "登录", EN: "Logged in"}},
	"token.revoke":           {"logout", "user", locale.Texts{ZH: "注销", EN: "Logged out"}},
	"user.create":            {"createUser", "user", locale.Texts{ZH: "创建用户", EN: "User created"}},
	"user.disable":           {"disableUser", "user", locale.Texts{ZH: "停用或启用用户", EN: "User shut out or let in"}},
	"user.password":          {"changePassword", "user", locale.Texts{ZH: "修改密码", EN: "Password changed"}},
	"user.preferences":       {"changePreferences", "user", locale.Texts{ZH: "修改偏好设置", EN: "Preferences changed"}},
	"user.login":             {"login", "user", locale.Texts{ZH: "登录", EN: "Logged in"}},
	identity.KindLoginFail:   {"loginFailed", "user", locale.Texts{ZH: "登录失败", EN: "Log-in failed"}},
	"user.logout":            {"logout", "user", locale.Texts{ZH: "注销", EN: "Logged out"}},
	"user.change":            {"updateUser", "user", locale.Texts{ZH: "修改用户资料", EN: "User changed"}},
	"user.factor":            {"changeSecondFactor", "user", locale.Texts{ZH: "变更两步验证", EN: "Second factor changed"}},
	"user.recovery":          {"useRecoveryCode", "user", locale.Texts{ZH: "使用恢复码登录", EN: "Recovery code used"}},
	"user.link":              {"linkUser", "user", locale.Texts{ZH: "关联身份提供商", EN: "User linked to an identity provider"}},
	"key.describe":           {"updateAccessKey", "user", locale.Texts{ZH: "修改访问密钥说明", EN: "Access key described"}},
	"key.create":             {"createAccessKey", "user", locale.Texts{ZH: "创建访问密钥", EN: "Access key created"}},
	"key.disable":            {"disableAccessKey", "user", locale.Texts{ZH: "停用访问密钥", EN: "Access key disabled"}},
	"key.enable":             {"enableAccessKey", "user", locale.Texts{ZH: "启用访问密钥", EN: "Access key enabled"}},
	"key.delete":             {"deleteAccessKey", "user", locale.Texts{ZH: "删除访问密钥", EN: "Access key deleted"}},
	"key.temporary":          {"createTemporaryAccessKey", "user", locale.Texts{ZH: "创建临时访问密钥", EN: "Temporary access key created"}},
	"group.create":           {"createGroup", "group", locale.Texts{ZH: "创建用户组", EN: "Group created"}},
	"group.change":           {"updateGroup", "group", locale.Texts{ZH: "修改用户组", EN: "Group changed"}},
	"group.delete":           {"deleteGroup", "group", locale.Texts{ZH: "删除用户组", EN: "Group deleted"}},
	"group.add":              {"addGroupMember", "group", locale.Texts{ZH: "加入用户组", EN: "User added to a group"}},
	"group.remove":           {"removeGroupMember", "group", locale.Texts{ZH: "移出用户组", EN: "User removed from a group"}},
	"domain.privilege":       {"createPrivileges", "domain", locale.Texts{ZH: "修改权限开关", EN: "Permission switched"}},
	"domain.disable":         {"disableDomain", "domain", locale.Texts{ZH: "停用或启用账号", EN: "Account shut or opened"}},
	"domain.change":          {"updateDomain", "domain", locale.Texts{ZH: "修改账号资料", EN: "Account changed"}},
	"domain.plan":            {"changeSupportPlan", "domain", locale.Texts{ZH: "变更支持计划", EN: "Support plan changed"}},
	"domain.close":           {"closeDomain", "domain", locale.Texts{ZH: "关闭账号", EN: "Account closed"}},
	"domain.partner":         {"setPartner", "domain", locale.Texts{ZH: "关联伙伴", EN: "Partner set"}},
	"agency.create":          {"createAgency", "agency", locale.Texts{ZH: "创建委托", EN: "Agency created"}},
	"agency.delete":          {"deleteAgency", "agency", locale.Texts{ZH: "删除委托", EN: "Agency deleted"}},
	"agreement.sign":         {"signAgreement", "agreement", locale.Texts{ZH: "签署协议", EN: "Agreement signed"}},
	"label.create":           {"createLabel", "label", locale.Texts{ZH: "创建标签", EN: "Label created"}},
	"label.update":           {"updateLabel", "label", locale.Texts{ZH: "修改标签", EN: "Label changed"}},
	"label.delete":           {"deleteLabel", "label", locale.Texts{ZH: "删除标签", EN: "Label deleted"}},
	"contact.prove":          {"verifyContact", "contact", locale.Texts{ZH: "验证联系方式", EN: "Contact verified"}},
	"attachment.upload":      {"uploadAccessory", "attachment", locale.Texts{ZH: "上传附件", EN: "File uploaded"}},
	"attachment.delete":      {"deleteAccessory", "attachment", locale.Texts{ZH: "删除附件", EN: "File deleted"}},
	"privacy.contacts.clear": {"clearContacts", "user", locale.Texts{ZH: "清除联系方式", EN: "Contacts cleared"}},
	"privacy.bundle":         {"createDataBundle", "user", locale.Texts{ZH: "生成个人信息副本", EN: "Copy of personal data made"}},
	"privacy.bundle.take":    {"downloadDataBundle", "user", locale.Texts{ZH: "下载个人信息副本", EN: "Copy of personal data downloaded"}},
	"privacy.erase":          {"eraseUser", "user", locale.Texts{ZH: "开始清除个人信息", EN: "Erasure of a person begun"}},
	"privacy.erased":         {"eraseUser", "user", locale.Texts{ZH: "个人信息已清除", EN: "Person erased"}},
	"diagnosis.start":        {"createDiagnoseJob", "diagnosis", locale.Texts{ZH: "发起诊断", EN: "Diagnosis started"}},
}

// A request for access is the customer's to know of when it is his to answer: at
// once, or when the supervisor has approved it.
const (
	kindAsk         = "authorization.request"
	kindAskApproved = "authorization.approve"
	kindAskEnded    = "authorization.expire"
)

// asking is what such an event records.
type asking struct {
	To       int    // state of the authorization, 0 = the customer is to answer
	Engineer string // who asks; events of before it was recorded have none
}

// askedBy is who asks the customer with an event, "" when it asks him nothing.
func askedBy(r event.Row) string {
	if r.Kind != kindAsk && r.Kind != kindAskApproved {
		return ""
	}
	var data asking
	if json.Unmarshal(r.Data, &data) != nil || data.To != 0 {
		return ""
	}
	if data.Engineer == "" {
		return r.Actor
	}
	return data.Engineer
}

// subjects are the events' own words for resources, where they differ.
var subjects = map[string]string{"case": "ticket", "agreement": "agreement_signature", "contact": "proof"}

// AuditDays is how far an audit reaches back when it is not told from when, as
// the platform's console does.
const AuditDays = 7

var (
	errWindow   = fault.New(fault.Invalid, fault.CodeInvalid, "开始时间 from 不能晚于结束时间 to", "from must not be behind to").In("from")
	errCursorOf = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 无效", "{field} is not known").In("cursor")
)

// AuditFilter of a domain's audit. Zero values do not filter.
type AuditFilter struct {
	From, To             int64    // milliseconds UTC; 0 = AuditDays before To, now
	Names                []string // of traces
	User                 string   // user id
	Resource, ResourceID string   // of a case its number
	Cursor               string
	Limit                int // 1..200, 0 = 50
}

// Audited is a line of it.
type Audited struct {
	ID, Name, Title      string
	At                   int64
	Resource, ResourceID string
	ResourceName         string         // what it was called at the time: of the caller's own labels and files; of users, agreements and the account's files today
	Kind                 principal.Kind // Customer, Engineer or System
	Actor, ActorName     string         // user id and log-in name; public id and alias of the house's people
	Unproved             bool           // somebody gave Actor's name and was not proved to be him
	Address, Request     string         // of the domain's own users only
	Reason               string         // why somebody of the house looked at contacts
}

// Audit is a page of what happened in the caller's domain, newest first, and the
// cursor of the next one, "" at the end. The main account sees the domain; a
// sub-user what he did himself. It stands here because most of it is about
// tickets; it holds nothing but the events. Failures: OSM.01010011 for callers
// who are no customers, .01 for a trace, resource, window or cursor that means
// nothing.
func (s *Service) Audit(ctx context.Context, who principal.Principal, lang locale.Language, f AuditFilter) (page []Audited, next string, err error) {
	if who.Kind != principal.Customer {
		return nil, "", fault.NoPermission
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	q := event.Query{From: f.From, To: f.To, Actor: f.User, Customers: f.User != "", Before: f.Cursor, Limit: f.Limit + 1}
	if q.Kinds, err = f.kinds(); err != nil {
		return nil, "", err
	}
	if len(f.Cursor) > 0 && len(f.Cursor) != len(db.IDAt(0)) {
		return nil, "", errCursorOf
	}
	if !who.Main {
		if f.User != "" && f.User != who.User {
			return nil, "", nil
		}
		q.Actor, q.Customers = who.User, true
	}
	var people, files []string
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		page, next, people = nil, "", nil
		q := q
		if q.To == 0 {
			q.To = tx.Now
		}
		if q.From == 0 {
			q.From = q.To - AuditDays*ms(day)
		}
		if q.From > q.To {
			return errWindow
		}
		if !who.Sandbox { // ids are of the installation's clock
			q.FirstID = db.IDAt(q.From - ms(time.Hour))
		}
		if f.Resource != "" {
			if q.Subject = subjects[f.Resource]; q.Subject == "" {
				q.Subject = f.Resource
			}
		}
		if q.SubjectID = f.ResourceID; f.ResourceID != "" && f.Resource == "case" {
			err := tx.Get("SELECT id FROM tickets WHERE domain_id = ? AND number = ?", who.Domain, f.ResourceID).Scan(&q.SubjectID)
			if errors.Is(err, db.ErrNone) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		rows, err := event.Find(tx, who.Domain, q)
		if err == nil {
			err = event.Open(tx, rows)
		}
		if err != nil {
			return err
		}
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			next = rows[f.Limit-1].ID
		}
		var tickets []string
		for _, r := range rows {
			if r.Subject == "ticket" && !slices.Contains(tickets, r.SubjectID) {
				tickets = append(tickets, r.SubjectID)
			}
		}
		numbers, err := numbersOf(tx, who.Domain, tickets)
		if err != nil {
			return err
		}
		var house []string
		for _, r := range rows {
			who := r.Actor
			if by := askedBy(r); by != "" {
				who = by
			}
			if (r.ActorKind == principal.Engineer || r.ActorKind == principal.Local) && !slices.Contains(house, who) {
				house = append(house, who)
			}
		}
		known, err := identity.PublicEngineers(tx, house)
		if err != nil {
			return err
		}
		reasons, err := reasonsOf(tx, who.Domain, rows)
		if err != nil {
			return err
		}
		labels, err := labelsOfRows(tx, who, rows)
		if err != nil {
			return err
		}
		files = nil
		for _, r := range rows {
			t := traces[r.Kind]
			by := askedBy(r)
			if r.Kind == kindUndo && !undoTraced(r) || t.name == traces[kindAsk].name && by == "" {
				continue
			}
			a := Audited{ID: r.ID, Name: t.name, Title: s.titleOf(r).In(lang), At: r.At, Resource: t.resource, ResourceID: r.SubjectID, Kind: principal.System, Reason: reasons[r.ID]}
			switch r.Subject {
			case "ticket":
				a.ResourceID = numbers[r.SubjectID]
			case "domain":
				a.Resource = "domain"
			case "label":
				a.ResourceName = labels[r.SubjectID]
			case "agreement_signature":
				a.ResourceName = agreementInWords(s.catalog.Now(), saidIn(r).Agreement).In(lang)
			case "attachment":
				files = append(files, r.SubjectID)
			case "user":
				people = append(people, r.SubjectID)
			}
			if r.Name != "" && byCaller(who, r) {
				a.ResourceName = r.Name
			}
			switch r.ActorKind {
			case principal.Customer:
				a.Kind, a.Actor, a.Address, a.Request = principal.Customer, r.Actor, r.Address, r.RequestID
				a.Unproved = r.Kind == identity.KindLoginFail
				people = append(people, r.Actor)
			case principal.Engineer, principal.Local:
				a.Kind = principal.Engineer
				if by == "" {
					by = r.Actor
				}
				a.ActorName, a.Actor = known[by][0], known[by][1]
			}
			page = append(page, a)
		}
		return nil
	})
	if err != nil {
		return page, next, err
	}
	named, err := s.files.NamesFor(ctx, who, files)
	if err != nil {
		return nil, "", err
	}
	names, err := s.ident.Names(ctx, who.Domain, people)
	for i, a := range page {
		if a.Kind == principal.Customer {
			page[i].ActorName = names[a.Actor]
		}
		switch {
		case a.Resource == "user":
			page[i].ResourceName = names[a.ResourceID]
		case a.Resource == "attachment" && a.ResourceName == "":
			page[i].ResourceName = named[a.ResourceID]
		}
	}
	return page, next, err
}

// switched are the titles of a switch turned off and on.
var switched = map[identity.Switch][2]locale.Texts{
	identity.SwitchSubmitByPermission: {{ZH: "关闭权限开关：提交工单需要授权", EN: "Permission switched off: submitting needs a permission"}, {ZH: "打开权限开关：提交工单需要授权", EN: "Permission switched on: submitting needs a permission"}},
	identity.SwitchExport:             {{ZH: "关闭权限开关：子用户可以导出工单", EN: "Permission switched off: users may export tickets"}, {ZH: "打开权限开关：子用户可以导出工单", EN: "Permission switched on: users may export tickets"}},
	identity.SwitchAssumeAll:          {{ZH: "关闭权限开关：子用户可以处理账号下所有工单", EN: "Permission switched off: users may handle all tickets of the account"}, {ZH: "打开权限开关：子用户可以处理账号下所有工单", EN: "Permission switched on: users may handle all tickets of the account"}},
}

// disabled are the titles of letting somebody in and shutting him out.
var disabled = map[string][2]locale.Texts{
	"user.disable":   {{ZH: "启用用户", EN: "User let in"}, {ZH: "停用用户", EN: "User shut out"}},
	"domain.disable": {{ZH: "启用账号", EN: "Account opened"}, {ZH: "停用账号", EN: "Account shut"}},
}

// loginFailures are the titles of log-ins that failed, by why.
var loginFailures = map[string]locale.Texts{
	identity.WhyPassword: {ZH: "登录失败：密码错误", EN: "Log-in failed: wrong password"},
	identity.WhyCode:     {ZH: "登录失败：两步验证码错误", EN: "Log-in failed: wrong code of the second factor"},
	identity.WhyLocked:   {ZH: "登录被拒绝：用户暂时被锁定", EN: "Log-in refused: the user is locked for a while"},
	identity.WhyDisabled: {ZH: "登录被拒绝：用户或账号已停用", EN: "Log-in refused: the user or the account is disabled"},
	identity.WhyScope:    {ZH: "登录被拒绝：请求的范围不属于该用户", EN: "Log-in refused: what was asked for is not the user's"},
}

// titleOf is what an event is called; of a switch also which one, and whether it
// is on; of a failed log-in why, and how often; of ratings the points; of a label
// that is no more from which tickets it went.
func (s *Service) titleOf(r event.Row) locale.Texts {
	title := traces[r.Kind].title
	var data struct {
		Switch       identity.Switch
		On, Disabled bool
		Cause        string
		identity.LoginFailure
	}
	if json.Unmarshal(r.Data, &data) != nil {
		return title
	}
	way := func(texts [2]locale.Texts, on bool) locale.Texts {
		if on {
			return texts[1]
		}
		return texts[0]
	}
	switch {
	case r.Kind == kindAskEnded && data.Cause == "ticket":
		return locale.Texts{ZH: "工单已关闭，授权已结束", EN: "Authorization ended: the ticket was closed"}
	case r.Kind == "domain.privilege":
		if texts, ok := switched[data.Switch]; ok {
			return way(texts, data.On)
		}
	case disabled[r.Kind] != [2]locale.Texts{}:
		return way(disabled[r.Kind], data.Disabled)
	case r.Kind == "ticket.score":
		if zh, en := scoresInWords(s.catalog.Now(), saidIn(r).Scores); len(zh) > 0 {
			title.ZH += "：" + strings.Join(zh, "、")
			title.EN += ": " + strings.Join(en, ", ")
		}
	case r.Kind == kindLabelDelete:
		if off := takenOffInWords(r); off.ZH != "" {
			title.ZH += "（" + off.ZH + "）"
			title.EN += " (" + off.EN + ")"
		}
	case r.Kind == identity.KindLoginFail:
		if texts, ok := loginFailures[data.Why]; ok {
			title = texts
		}
		switch {
		case data.Locked:
			title.ZH += fmt.Sprintf("（%d 分钟内第 %d 次，暂时锁定）", data.Minutes, data.Count)
			title.EN += fmt.Sprintf(" (%d times within %d minutes: locked for a while)", data.Count, data.Minutes)
		case data.Count > 1:
			title.ZH += fmt.Sprintf("（%d 分钟内第 %d 次）", data.Minutes, data.Count)
			title.EN += fmt.Sprintf(" (%d times within %d minutes)", data.Count, data.Minutes)
		}
	}
	return title
}

// byCaller tells whether the caller did it himself: a label belongs to its user,
// so names of labels are told to nobody else, a main account neither.
func byCaller(who principal.Principal, r event.Row) bool {
	return r.ActorKind == principal.Customer && r.Actor == who.User
}

// labelsOfRows are the names that the caller's labels have today, by their
// numbers: events of before names were kept have none.
func labelsOfRows(tx *db.Tx, who principal.Principal, rows []event.Row) (map[string]string, error) {
	names := map[string]string{}
	args := []any{who.Domain, who.User}
	for _, r := range rows {
		if id, err := strconv.ParseInt(r.SubjectID, 10, 64); r.Subject == "label" && r.Name == "" && byCaller(who, r) && err == nil {
			args = append(args, id)
		}
	}
	if len(args) == 2 {
		return names, nil
	}
	return names, tx.List(func(r db.Row) error {
		var id int64
		var name string
		err := r.Scan(&id, &name)
		names[strconv.FormatInt(id, 10)] = name
		return err
	}, "SELECT id, name FROM labels WHERE domain_id = ? AND owner = ? AND id IN ("+questions(len(args)-2)+")", args...)
}

// undoTraced tells whether an undo took back what the customer sees: that of a
// tag or an assignment is the house's affair as well.
func undoTraced(r event.Row) bool {
	var data struct{ Kind string }
	if json.Unmarshal(r.Data, &data) != nil {
		return false
	}
	_, ok := traces[data.Kind]
	return ok || data.Kind == kindAbsorb || data.Kind == kindReceive
}

// kinds are the events that a filter leaves.
func (f AuditFilter) kinds() (kinds []string, err error) {
	known := map[string]bool{}
	resources := map[string]bool{"domain": true}
	for kind, t := range traces {
		known[t.name], resources[t.resource] = true, true
		if len(f.Names) == 0 || slices.Contains(f.Names, t.name) {
			kinds = append(kinds, kind)
		}
	}
	for _, name := range f.Names {
		if !known[name] {
			return nil, fault.Unknown.In("trace_name")
		}
	}
	switch {
	case f.Resource != "" && !resources[f.Resource]:
		return nil, fault.Unknown.In("resource_type")
	case f.ResourceID != "" && f.Resource == "":
		return nil, fault.Missing.In("resource_type")
	}
	slices.Sort(kinds)
	return kinds, nil
}

// reasonsOf are why people of the house looked at contacts, by the event's id.
func reasonsOf(tx *db.Tx, domain string, rows []event.Row) (map[string]string, error) {
	reasons := map[string]string{}
	args := []any{domain}
	for _, r := range rows {
		if r.Kind == "ticket.reveal" {
			args = append(args, r.ID)
		}
	}
	if len(args) == 1 {
		return reasons, nil
	}
	return reasons, tx.List(func(r db.Row) error {
		var id, text string
		err := r.Scan(&id, &text)
		reasons[id] = text
		return err
	}, "SELECT event_id, text FROM ticket_remarks WHERE domain_id = ? AND event_id IN ("+questions(len(args)-1)+")", args...)
}
