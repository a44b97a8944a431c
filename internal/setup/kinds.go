package setup

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/webhook"
)

// env is what entries may refer to: now, and as it would be.
type env struct {
	catalog  *catalog.Catalog
	judge    queue.Judge
	hooks    *webhook.Service
	teams    map[string]bool
	partners map[string]bool
	domains  map[string]bool
	people   map[string]bool   // of the house; true = works on tickets
	hookOf   map[string]string // domain of the stored webhooks
	served   map[string]string // domain -> partner
	notify   *notify.Service
	senders  map[string]*notify.Spec // stored providers, by name
	back     bool                    // it is an earlier version that comes back
	secrets  map[string]string       // what references stand for, as handed in
	among    among
}

// known refuses what is not there.
func known(set map[string]bool, field, id string) []error {
	if _, ok := set[id]; ok || id == "" {
		return nil
	}
	return []error{errNobody.In(field).With("id", strconv.Quote(id))}
}

func knownAll(set map[string]bool, field string, ids []string) (wrong []error) {
	for i, id := range ids {
		if id != ticket.Nobody {
			wrong = append(wrong, known(set, fmt.Sprintf("%s[%d]", field, i), id)...)
		}
	}
	return wrong
}

// offered refuses ids that the catalogue does not have.
func offered(has func(id string) bool, field string, ids []string) (wrong []error) {
	for i, id := range ids {
		if id != ticket.Nobody && !has(id) {
			wrong = append(wrong, errNobody.In(fmt.Sprintf("%s[%d]", field, i)).With("id", strconv.Quote(id)))
		}
	}
	return wrong
}

// some is the one error as a list.
func some(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// filter tells which of the ids of a filter do not exist.
func (e env) filter(f ticket.RowFilter) (wrong []error) {
	c := e.catalog
	wrong = slices.Concat(
		offered(func(id string) bool { _, ok := c.Severity(id); return ok }, "filter.severities", f.Severities),
		offered(func(id string) bool { _, ok := c.Plan(id); return ok }, "filter.plans", f.Plans),
		offered(func(id string) bool { _, ok := c.Product(id); return ok }, "filter.product_category_ids", f.Products),
		offered(func(id string) bool { _, ok := c.SubType(id); return ok }, "filter.business_type_categories", f.SubTypes),
		offered(func(id string) bool { _, ok := c.EverProblemType(id); return ok }, "filter.business_type_ids", f.ProblemTypes),
		offered(func(id string) bool { r, ok := c.Region(id); return ok && !r.Sensitive }, "filter.region_ids", f.Regions),
		knownAll(e.domains, "filter.domain_ids", f.Domains),
		knownAll(e.partners, "filter.partner_ids", f.Partners),
		knownAll(e.teams, "filter.team_ids", f.Teams),
	)
	if f.Assignee != ticket.Me && f.Assignee != ticket.Nobody {
		wrong = append(wrong, known(e.people, "filter.assignee", f.Assignee)...)
	}
	return wrong
}

// severities tells which severities of actions do not exist.
func (e env) severities(field string, all []actionShape) (wrong []error) {
	for i, a := range all {
		if _, ok := e.catalog.Severity(a.Severity); a.Severity != "" && !ok {
			wrong = append(wrong, errNobody.In(fmt.Sprintf("%s[%d].severity", field, i)).With("id", strconv.Quote(a.Severity)))
		}
	}
	return wrong
}

func named(t texts) locale.Texts { return t.texts() }

var teamKind = kind[teamShape]{
	name: "teams", title: locale.Texts{ZH: "团队：谁与谁一起处理队列；members、lead 为工程师的用户 id", EN: "Teams: who serves queues together; members and lead are engineers' user ids"},
	id: func(s *teamShape) *string { return &s.ID }, label: func(s teamShape) locale.Texts { return named(s.Name) }, most: queue.Limits["teams"],
	check: func(_ context.Context, e env, s *teamShape) []error {
		t := s.team()
		err := e.judge.Team(&t)
		wrong := knownAll(e.people, "members", s.Members)
		if len(wrong) == 0 {
			*s = teamShapeOf(t)
			return some(err)
		}
		return wrong
	},
	said: func(s teamShape) map[string]string {
		out := map[string]string{"lead": s.Lead}
		for i, m := range s.Members {
			out[fmt.Sprintf("members[%d]", i)] = m
		}
		return out
	},
}

var queueKind = kind[queueShape]{
	name: "queues", title: locale.Texts{ZH: "队列：哪些工单、由哪个团队、如何分派（assignment: manual、round_robin、least_loaded）", EN: "Queues: which tickets, served by which team, given how (assignment: manual, round_robin, least_loaded)"},
	id: func(s *queueShape) *string { return &s.ID }, label: func(s queueShape) locale.Texts { return named(s.Name) }, most: queue.Limits["queues"],
	place: func(s queueShape) int64 { return int64(s.Place) },
	check: func(_ context.Context, e env, s *queueShape) []error {
		if wrong := append(known(e.teams, "team_id", s.Team), e.filter(s.Filter)...); len(wrong) > 0 {
			return wrong
		}
		q := s.queue()
		err := e.judge.Queue(&q)
		*s = queueShapeOf(q)
		return some(err)
	},
	said: func(s queueShape) map[string]string { return map[string]string{"team_id": s.Team} },
}

var viewKind = kind[viewShape]{
	name: "views", title: locale.Texts{ZH: "共享视图（shared: all 或 team）；个人视图不在此", EN: "Shared views (shared: all or team); people's own are not here"},
	id: func(s *viewShape) *string { return &s.ID }, label: func(s viewShape) locale.Texts { return named(s.Name) }, most: 500,
	check: func(_ context.Context, e env, s *viewShape) []error {
		if wrong := slices.Concat(known(e.teams, "team_id", s.Team), known(e.people, "owner", s.Owner), e.filter(s.Filter)); len(wrong) > 0 {
			return wrong
		}
		v := s.view()
		err := e.judge.View(&v)
		*s = viewShapeOf(v)
		return some(err)
	},
	said: func(s viewShape) map[string]string { return map[string]string{"team_id": s.Team, "owner": s.Owner} },
}

var macroKind = kind[macroShape]{
	name: "macros", title: locale.Texts{ZH: "共享宏：一组按顺序执行的操作", EN: "Shared macros: actions that are done in order"},
	id: func(s *macroShape) *string { return &s.ID }, label: func(s macroShape) locale.Texts { return named(s.Name) }, most: queue.Limits["macros"],
	check: func(ctx context.Context, e env, s *macroShape) []error {
		if wrong := e.severities("actions", s.Actions); len(wrong) > 0 {
			return wrong
		}
		m := s.macro()
		err := e.judge.Macro(ctx, &m)
		if err == nil {
			*s = macroShapeOf(m)
		}
		return some(err)
	},
}

var snippetKind = kind[snippetShape]{
	name: "snippets", title: locale.Texts{ZH: "共享常用语（kind: snippet）与回复模板（kind: template）", EN: "Shared snippets (kind: snippet) and whole answers (kind: template)"},
	id: func(s *snippetShape) *string { return &s.ID }, label: func(s snippetShape) locale.Texts { return named(s.Title) }, most: queue.Limits["snippets"],
	check: func(_ context.Context, e env, s *snippetShape) []error {
		p := s.snippet()
		err := e.judge.Snippet(&p)
		*s = snippetShapeOf(p)
		return some(err)
	},
	whole: func(_ env, all []snippetShape) (wrong []misfit) {
		seen := map[string]bool{}
		for i, s := range all {
			k := queue.ShortcutKey(s.Shortcut)
			if k != "" && seen[k] {
				wrong = append(wrong, misfit{i, queue.ErrShortcut.With("shortcut", s.Shortcut)})
			}
			seen[k] = true
		}
		return wrong
	},
}

var ruleKind = kind[ruleShape]{
	name: "rules", title: locale.Texts{ZH: "自动规则：when 触发、if 条件、then 操作；mode: on、off、shadow", EN: "Rules: when, if, then; mode: on, off or shadow"},
	id: func(s *ruleShape) *string { return &s.ID }, label: func(s ruleShape) locale.Texts { return named(s.Name) }, most: queue.Limits["rules"],
	place: func(s ruleShape) int64 { return s.Place },
	check: func(ctx context.Context, e env, s *ruleShape) []error {
		if wrong := e.severities("then", s.Then); len(wrong) > 0 {
			return wrong
		}
		u := s.rule()
		err := e.judge.Rule(ctx, &u)
		if err == nil {
			*s = ruleShapeOf(u)
		}
		return some(err)
	},
}

var engineerKind = kind[engineerShape]{
	name: "engineers", title: locale.Texts{ZH: "工程师的容量、技能与班次；id 为用户 id。未列出者使用默认值", EN: "What engineers can do, how much and when; ids are user ids. Who is not here has the defaults"},
	id: func(s *engineerShape) *string { return &s.ID }, label: func(engineerShape) locale.Texts { return locale.Texts{} },
	check: func(_ context.Context, e env, s *engineerShape) []error {
		c, k := e.catalog, s.Skills
		wrong := slices.Concat(known(e.people, "id", s.ID),
			offered(func(id string) bool { _, ok := c.Product(id); return ok }, "skills.product_category_ids", k.Products),
			offered(func(id string) bool { _, ok := c.SubType(id); return ok }, "skills.business_type_categories", k.SubTypes),
			offered(func(id string) bool { _, ok := c.Region(id); return ok }, "skills.region_ids", k.Regions))
		if len(wrong) > 0 {
			return wrong
		}
		p := s.engineer()
		return some(e.judge.Profile(&p))
	},
	said: func(s engineerShape) map[string]string { return map[string]string{"id": s.ID} },
}

var errHookDomain = fault.New(fault.Invalid, fault.CodeInvalid, "Webhook 的账号不能更改，请用新的 id 另建", "the account of a webhook cannot change: make another one with a new id").In("domain_id")

var hookKind = kind[hookShape]{
	name: "webhooks", title: locale.Texts{ZH: "Webhook：密钥只写，从不导出；已有的保留密钥，新建的请用 casemate webhook rotate 取得", EN: "Webhooks: secrets are write-only and never exported; one that is there keeps its secret, of a new one ask casemate webhook rotate"},
	id: func(s *hookShape) *string { return &s.ID }, label: func(s hookShape) locale.Texts { return locale.Texts{ZH: s.About, EN: s.About} }, most: webhook.MaxHooks,
	check: func(_ context.Context, e env, s *hookShape) []error {
		wrong := known(e.domains, "domain_id", s.Domain)
		if d, ok := e.hookOf[s.ID]; ok && d != s.Domain {
			wrong = append(wrong, errHookDomain)
		}
		return append(wrong, some(e.hooks.Check(s.hook()))...)
	},
	said: func(s hookShape) map[string]string { return map[string]string{"domain_id": s.Domain} },
}

var partnerKind = kind[partnerShape]{
	name: "partners", title: locale.Texts{ZH: "伙伴：服务时间与所服务的内容；移除即停用其人员", EN: "Partners: their hours and what they serve; removing one shuts his people out"},
	id: func(s *partnerShape) *string { return &s.ID }, label: func(s partnerShape) locale.Texts { return locale.Texts{ZH: s.Name, EN: s.Name} },
	check: func(_ context.Context, e env, s *partnerShape) []error {
		wrong := known(e.domains, "account_id", s.Account)
		for i, v := range s.Services {
			_, product := e.catalog.Product(v.ID)
			_, sub := e.catalog.SubType(v.ID)
			if v.Kind == identity.ServiceProduct && !product || v.Kind == identity.ServiceSubType && !sub {
				wrong = append(wrong, errNobody.In(fmt.Sprintf("services[%d].id", i)).With("id", strconv.Quote(v.ID)))
			}
		}
		if s.Account != "" && e.served[s.Account] == s.ID {
			wrong = append(wrong, identity.ErrOwnPartner)
		}
		p := s.partner()
		err := p.Check()
		*s = partnerShapeOf(p)
		return append(wrong, some(err)...)
	},
	whole: func(_ env, all []partnerShape) (wrong []misfit) {
		names, accounts, products := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for i, s := range all {
			if names[s.Name] {
				wrong = append(wrong, misfit{i, identity.ErrPartnerName.With("name", s.Name)})
			}
			if s.Account != "" && accounts[s.Account] {
				wrong = append(wrong, misfit{i, identity.ErrAccountTaken})
			}
			names[s.Name], accounts[s.Account] = true, true
			for _, v := range s.Services {
				if v.Kind != identity.ServiceProduct {
					continue
				}
				if products[v.ID] {
					wrong = append(wrong, misfit{i, identity.ErrISV.With("id", v.ID)})
				}
				products[v.ID] = true
			}
		}
		return wrong
	},
	said: func(s partnerShape) map[string]string { return map[string]string{"account_id": s.Account} },
}

var domainKind = kind[domainShape]{
	name: "domains", title: locale.Texts{ZH: "客户账号的支持计划与伙伴；只改已有账号，未列出者不变", EN: "Support plan and partner of customers' accounts; changes accounts that are there, those not named stay as they are"},
	id: func(s *domainShape) *string { return &s.ID }, label: func(domainShape) locale.Texts { return locale.Texts{} },
	merge: true, noSuch: fault.New(fault.Invalid, fault.CodeInvalid, "账号 {id} 不存在", "there is no account {id}").In("id"),
	creates: func(e env, s domainShape) bool { return e.among.domains[s.ID] }, // accounts/ makes it
	check: func(_ context.Context, e env, s *domainShape) []error {
		var plans []string
		for _, p := range e.catalog.Plans() {
			plans = append(plans, p.ID)
		}
		return append(known(e.partners, "partner_id", s.Partner), some(identity.CheckPlan(s.Plan, plans))...)
	},
	said: func(s domainShape) map[string]string { return map[string]string{"id": s.ID, "partner_id": s.Partner} },
}

var templateKind = kind[templateShape]{
	name: "templates", title: locale.Texts{ZH: "消息模板：邮件与短信的文字；与内置文字相同即为未修改，缺少的文件恢复内置文字", EN: "Message templates: the texts of mails and text messages; one that equals the built-in text is no change, a file that is missing takes the built-in text back"},
	id: func(s *templateShape) *string { return &s.ID }, label: func(templateShape) locale.Texts { return locale.Texts{} },
	file: func(s templateShape) string { return "templates/" + s.ID + ".yaml" },
	check: func(_ context.Context, _ env, s *templateShape) (wrong []error) {
		for _, l := range []struct {
			lang locale.Language
			name string
			into **wordsShape
		}{{locale.ZH, "zh", &s.ZH}, {locale.EN, "en", &s.EN}} {
			builtIn, err := notify.BuiltIn(s.ID, l.lang)
			if err != nil {
				return []error{errNobody.In("id").With("id", strconv.Quote(s.ID))}
			}
			if *l.into == nil {
				w := wordsShape(builtIn)
				*l.into = &w
				continue
			}
			w, err := notify.CheckTemplate(s.ID, l.lang, (*l.into).words())
			if err != nil {
				if f, ok := fault.As(err); ok {
					err = f.In(l.name + "." + f.Field)
				}
				wrong = append(wrong, err)
			}
			shape := wordsShape(w)
			*l.into = &shape
		}
		return wrong
	},
}

var (
	errSecretForm  = fault.New(fault.Invalid, fault.CodeInvalid, "{field}：密钥不能写在文件中；写 env:名称 或 file:/路径，不写则保留已存的", "{field}: a secret never stands in a file; write env:NAME or file:/path, or leave it out to keep the stored one")
	errSecretValue = fault.New(fault.Invalid, fault.CodeInvalid, "{field}：未提供 {reference} 的值", "{field}: nobody told what {reference} stands for")
)

// SecretReference is how a secret is named in a file.
var SecretReference = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$`)

// changedSecret stands where a plan tells that a secret changes.
const changedSecret = "***"

// resolve turns an entry's references into the secrets that differ from those
// stored, and into marks of them.
func (s *providerShape) resolve(e env) (wrong []error) {
	if s.Secrets == nil {
		return nil
	}
	given := map[string]string{}
	s.named = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Secrets.byName())) {
		at := s.Secrets.byName()[name]
		if *at == nil {
			continue
		}
		reference := **at
		s.named[name] = true
		value, known := e.secrets[reference]
		switch {
		case reference == "":
			given[name] = ""
		case !SecretReference.MatchString(reference):
			wrong = append(wrong, errSecretForm.In("secrets."+name))
		case !known:
			wrong = append(wrong, errSecretValue.In("secrets."+name).With("reference", reference))
		default:
			given[name] = value
		}
		*at = nil
	}
	fresh, err := e.notify.FreshSecrets(e.senders[s.ID], given)
	if err != nil || len(wrong) > 0 {
		return append(wrong, some(err)...)
	}
	s.fresh = fresh
	s.mark()
	return nil
}

// mark writes marks of the secrets that change.
func (s *providerShape) mark() {
	s.Secrets = nil
	for name := range s.fresh {
		if s.Secrets == nil {
			s.Secrets = &secretsShape{}
		}
		mark := changedSecret
		*s.Secrets.byName()[name] = &mark
	}
}

// comeBack is for a provider of an earlier version, which holds no secrets: when
// the stored ones are gone, or were given for another server, it comes back
// switched off and without them.
func (s *providerShape) comeBack(e env) {
	stored := e.senders[s.ID]
	drop, lacks := notify.Unsecured(s.spec(), stored, s.named)
	if s.fresh == nil {
		s.fresh, s.named = map[string]string{}, map[string]bool{}
	}
	for _, name := range drop {
		s.fresh[name], s.named[name] = "", true
	}
	s.mark()
	if len(lacks) > 0 && (!s.Off || len(drop) > 0) {
		s.Off, s.lost = true, lacks
	}
}

var providerKind = kind[providerShape]{
	name: "providers", title: locale.Texts{ZH: "邮件与短信通道（服务端配置文件中的除外）；secrets 只写 env:名称 或 file:/路径，由执行 casemate config 的一方读取，不写则保留，从不导出", EN: "Providers of mail and text messages, beside those of the server's file; secrets are env:NAME or file:/path, read by whoever runs casemate config, absent ones stay, none is exported"},
	id: func(s *providerShape) *string { return &s.ID }, label: func(providerShape) locale.Texts { return locale.Texts{} }, most: notify.MaxProviders,
	check: func(_ context.Context, e env, s *providerShape) []error {
		if wrong := s.resolve(e); len(wrong) > 0 {
			return wrong
		}
		if e.back {
			s.comeBack(e)
		}
		spec := s.spec()
		if err := e.notify.CheckProvider(&spec, e.senders[s.ID], s.fresh, s.named); err != nil {
			return []error{err}
		}
		tidy := providerShapeOf(spec)
		tidy.Secrets, tidy.fresh, tidy.lost = s.Secrets, s.fresh, s.lost
		*s = tidy
		return nil
	},
	whole: func(_ env, all []providerShape) (wrong []misfit) {
		seen := map[string]bool{}
		for i, s := range all {
			if seen[strings.ToLower(s.ID)] {
				wrong = append(wrong, misfit{i, notify.ErrProviderTaken.In("id").With("name", s.ID)})
			}
			seen[strings.ToLower(s.ID)] = true
		}
		return wrong
	},
	hide: func(s providerShape) providerShape { s.Secrets, s.fresh = nil, nil; return s },
}
