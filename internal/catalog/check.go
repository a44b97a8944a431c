package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/locale"
)

// Limits of the wire contract (api/v2.yaml, x-documented), in characters.
const (
	maxName         = 64   // business_type_name; the filter product_category_name
	maxShortName    = 32   // param_name, severity_name, satisfaction_name
	maxDesc         = 128  // param_desc, tips, satisfaction_desc
	maxDefault      = 64   // default_value
	maxSelectItem   = 5000 // select_item
	maxParamLength  = 65535
	maxTemplate     = 1200 // simple_description, which the template fills
	maxSeverities   = 10
	maxNumber       = 65535 // satisfaction points, copy addresses, quotas
	maxAgreement    = 128   // agreement_name
	maxAgreementDoc = 20000 // ours; the contract sets none
	maxSetting      = 4000  // ours
)

// Ids travel in URLs and in ticket rows: plain ASCII, at most 32, no slash
// (contract/README.md, oddities 10 and 16).
var (
	idForm     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
	planForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}$`)
	keyForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)
	paramForm  = regexp.MustCompile(`^[a-z][A-Za-z0-9_]{0,31}$`)
	valueForm  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	colorForm  = regexp.MustCompile(`^#[0-9a-f]{6}$`)
	codeForm   = regexp.MustCompile(`^[1-9][0-9]{0,5}$`)
	isoForm    = regexp.MustCompile(`^[A-Z]{2}$`)
	targetForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([mhd])$`)
)

// checker collects what is wrong with a content.
type checker struct{ wrong []Mistake }

// say notes a mistake; both texts are formats for the same arguments.
func (k *checker) say(at origin, zh, en string, args ...any) {
	k.wrong = append(k.wrong, at.Mistake(fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)))
}

// check judges a whole content. It reports everything it finds.
func (c *content) check() []Mistake {
	k := &checker{}
	subTypes := distinct(k, c.subTypes, "id", func(e SubType) origin { return e.at })
	products := distinct(k, c.products, "id", func(e Product) origin { return e.at })
	distinct(k, c.problemTypes, "id", func(e ProblemType) origin { return e.at })
	distinct(k, c.templates, "id", func(e Template) origin { return e.at })
	params := distinct(k, c.params, "key", func(e Param) origin { return e.at })
	distinct(k, c.commonParams, "key", func(e CommonParam) origin { return e.at })
	severities := distinct(k, c.severities, "id", func(e Severity) origin { return e.at })
	distinct(k, c.plans, "id", func(e Plan) origin { return e.at })
	distinct(k, c.regions, "id", func(e Region) origin { return e.at })
	distinct(k, c.areaCodes, "id", func(e AreaCode) origin { return e.at })
	distinct(k, c.dimensions, "id", func(e Dimension) origin { return e.at })
	types := distinct(k, c.agreementTypes, "type", func(e AgreementType) origin { return e.at })
	distinct(k, c.agreements, "id", func(e Agreement) origin { return e.at })
	distinct(k, c.settings, "key", func(e Setting) origin { return e.at })

	c.checkTypes(k, subTypes, products, params)
	for _, p := range c.params {
		k.param(p)
	}
	for _, p := range c.commonParams {
		k.form(p.at.In("key"), p.Key, paramForm)
		k.name(p.at.In("name"), p.Name, maxShortName)
		k.oneOf(p.at.In("required"), p.Required, "never", "always", "fault")
	}
	c.checkSeverities(k, severities)
	c.checkSLA(k)
	c.checkPlaces(k)
	c.checkDimensions(k)
	c.checkLimits(k)
	c.checkAgreements(k, types)
	c.checkDiagnoses(k)
	for _, s := range c.settings {
		k.form(s.at.In("key"), s.Key, keyForm)
		k.length(s.at.In("value"), s.Value, maxSetting)
	}
	return k.wrong
}

// distinct reports repeated ids and returns the set of ids.
func distinct[T interface{ key() (string, locale.Texts) }](k *checker, list []T, field string, at func(T) origin) map[string]bool {
	first := map[string]origin{}
	ids := map[string]bool{}
	for _, e := range list {
		id, _ := e.key()
		here := at(e).In(field)
		if before, ok := first[id]; ok {
			line, _ := before.Position()
			k.say(here, "%[1]s %[2]q 重复，已在 %[3]s:%[4]d 定义", "%[1]s %[2]q is used twice, first in %[3]s:%[4]d",
				field, id, before.Name(), line)
			continue
		}
		first[id], ids[id] = here, true
	}
	return ids
}

func (c *content) checkTypes(k *checker, subTypes, products, params map[string]bool) {
	if len(c.subTypes) == 0 || len(c.products) == 0 || len(c.problemTypes) == 0 {
		k.say(origin{}, "缺少 sub_types、products 或 problem_types", "sub_types, products or problem_types are missing")
	}
	for _, s := range c.subTypes {
		k.form(s.at.In("id"), s.ID, idForm)
		k.name(s.at.In("name"), s.Name, maxName)
	}
	used := map[string]bool{}
	for _, p := range c.products {
		k.form(p.at.In("id"), p.ID, idForm)
		k.name(p.at.In("name"), p.Name, maxName)
		k.name(p.at.In("desc"), p.Desc, maxDesc)
		k.filled(p.at.In("acronym"), p.Acronym, maxShortName)
		k.known(p.at.In("sub_type"), "sub_type", p.SubType, subTypes)
	}
	for _, p := range c.problemTypes {
		used[p.Product] = true
		k.form(p.at.In("id"), p.ID, idForm)
		k.name(p.at.In("name"), p.Name, maxName)
		k.oneOf(p.at.In("case_type"), p.CaseType, Consultation, Fault)
		if p.Quota != nil {
			k.between(p.at.In("quota"), *p.Quota, Unlimited, maxNumber)
		}
		for i, key := range p.Params {
			k.known(p.at.In("params", i), "param", key, params)
			if slices.Index(p.Params, key) != i {
				k.say(p.at.In("params", i), "param %[1]q 重复", "param %[1]q is asked for twice", key)
			}
		}
	}
	for _, p := range c.products {
		if !used[p.ID] {
			k.say(p.at, "产品 %[1]q 没有问题类型", "product %[1]q has no problem types", p.ID)
		}
	}
	for _, t := range c.templates {
		k.form(t.at.In("id"), t.ID, idForm)
		k.name(t.at.In("name"), t.Name, maxName)
		k.name(t.at.In("content"), t.Content, maxTemplate)
	}
}

func (k *checker) param(p Param) {
	k.form(p.at.In("key"), p.Key, paramForm)
	k.name(p.at.In("name"), p.Name, maxShortName)
	k.maybe(p.at.In("desc"), p.Desc, maxDesc)
	k.maybe(p.at.In("tips"), p.Tips, maxDesc)
	k.length(p.at.In("default"), p.Default, maxDefault)
	k.between(p.at.In("length"), p.Length, 0, maxParamLength)
	if p.Kind.Wire() == 0 {
		k.oneOf(p.at.In("kind"), string(p.Kind), string(ParamInteger), string(ParamText), string(ParamChoice),
			string(ParamChoices), string(ParamAgreement), string(ParamLines))
		return
	}
	if p.Min != nil && *p.Min < 0 || p.Max != nil && *p.Max < 0 || p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		k.say(p.at.In("min"), "min 与 max 须满足 0 <= min <= max", "min and max must be 0 <= min <= max")
	}
	chosen := p.Kind == ParamChoice || p.Kind == ParamChoices
	if (p.Min != nil || p.Max != nil) && p.Kind != ParamInteger && p.Kind != ParamChoices {
		k.say(p.at.In("min"), "只有 integer 和 choices 可有 min、max", "only integer and choices may have min and max")
	}
	if chosen != (len(p.Items) > 0) {
		k.say(p.at.In("items"), "choice 和 choices 必须有 items，其他类型不能有", "choice and choices need items, other kinds must not have them")
	}
	if (p.Kind == ParamText || p.Kind == ParamLines) && p.Length == 0 {
		k.say(p.at.In("length"), "text 和 lines 必须有 length", "text and lines need a length")
	}
	for i, item := range p.Items {
		k.form(p.at.In("items", i, "value"), item.Value, valueForm)
		k.name(p.at.In("items", i, "name"), item.Name, maxName)
		if slices.IndexFunc(p.Items, func(o Item) bool { return o.Value == item.Value }) != i {
			k.say(p.at.In("items", i), "选项 %[1]q 重复", "item %[1]q is listed twice", item.Value)
		}
	}
	for _, lang := range []locale.Language{locale.ZH, locale.EN} {
		k.length(p.at.In("items"), p.SelectItem(lang), maxSelectItem)
	}
	if p.Default != "" && !p.accepts(p.Default) {
		k.say(p.at.In("default"), "默认值 %[1]q 不合法", "the default %[1]q is not a value of this parameter", p.Default)
	}
}

// accepts tells whether a value is one the parameter can have.
func (p Param) accepts(value string) bool {
	switch p.Kind {
	case ParamInteger:
		n, err := strconv.ParseInt(value, 10, 64)
		return err == nil && (p.Min == nil || n >= *p.Min) && (p.Max == nil || n <= *p.Max)
	case ParamText:
		return utf8.RuneCountInString(value) <= p.Length && !strings.ContainsAny(value, "\r\n")
	case ParamLines:
		return utf8.RuneCountInString(value) <= p.Length
	case ParamAgreement:
		return value == "0" || value == "1"
	case ParamChoice:
		return p.has(value)
	case ParamChoices:
		values := strings.Split(value, ",")
		n := int64(len(values))
		for i, v := range values {
			if !p.has(v) || slices.Index(values, v) != i {
				return false
			}
		}
		return (p.Min == nil || n >= *p.Min) && (p.Max == nil || n <= *p.Max)
	}
	return false
}

func (p Param) has(value string) bool {
	return slices.ContainsFunc(p.Items, func(i Item) bool { return i.Value == value })
}

func (c *content) checkSeverities(k *checker, severities map[string]bool) {
	if n := len(c.severities); n == 0 || n > maxSeverities {
		k.say(origin{}, "severities 须有 1 到 %[1]d 项", "there must be 1 to %[1]d severities", maxSeverities)
	}
	for _, s := range c.severities {
		k.form(s.at.In("id"), s.ID, idForm)
		k.name(s.at.In("name"), s.Name, maxShortName)
		k.maybe(s.at.In("desc"), s.Desc, maxDesc)
		if s.Color != "" {
			k.form(s.at.In("color"), s.Color, colorForm)
		}
	}
	for _, p := range c.plans {
		k.form(p.at.In("id"), p.ID, planForm)
		k.name(p.at.In("name"), p.Name, maxName)
		k.known(p.at.In("clock"), "calendar", p.Clock, c.calendarIDs())
		seen := map[string]bool{}
		for i, t := range p.Targets {
			k.known(p.at.In("targets", i, "severity"), "severity", t.Severity, severities)
			k.form(p.at.In("targets", i, "first_response"), t.FirstResponse, targetForm)
			k.maybeAmount(p.at.In("targets", i, "next_response"), t.NextResponse)
			k.maybeAmount(p.at.In("targets", i, "resolution"), t.Resolution)
			if seen[t.Severity] {
				k.say(p.at.In("targets", i), "级别 %[1]q 重复", "severity %[1]q is listed twice", t.Severity)
			}
			seen[t.Severity] = true
		}
	}
}

func (c *content) checkPlaces(k *checker) {
	if len(c.regions) == 0 || len(c.areaCodes) == 0 {
		k.say(origin{}, "缺少 regions 或 area_codes", "regions or area_codes are missing")
	}
	for _, r := range c.regions {
		k.form(r.at.In("id"), r.ID, idForm)
		k.name(r.at.In("name"), r.Name, maxName)
		k.between(r.at.In("type"), r.Type, 0, 1)
	}
	iso := map[string]bool{}
	for _, a := range c.areaCodes {
		k.between(a.at.In("id"), a.ID, 1, maxNumber)
		k.form(a.at.In("code"), a.Code, codeForm)
		k.name(a.at.In("name"), a.Name, maxName)
		if a.ISO != "" {
			k.form(a.at.In("iso"), a.ISO, isoForm)
			if iso[a.ISO] {
				k.say(a.at.In("iso"), "iso %[1]q 重复", "iso %[1]q is listed twice", a.ISO)
			}
			iso[a.ISO] = true
		}
	}
}

func (c *content) checkDimensions(k *checker) {
	for _, d := range c.dimensions {
		k.between(d.at.In("id"), d.ID, 1, maxNumber)
		k.name(d.at.In("name"), d.Name, maxShortName)
		k.maybe(d.at.In("desc"), d.Desc, maxDesc)
		k.between(d.at.In("value"), d.Value, 1, maxNumber)
		k.between(d.at.In("per_value"), d.PerValue, 1, max(d.Value, 1))
		k.form(d.at.In("category"), d.Category, idForm)
	}
}

func (c *content) checkLimits(k *checker) {
	switch len(c.limits) {
	case 0:
		k.say(origin{}, "缺少 limits", "limits are missing")
	case 1:
		l := c.limits[0]
		k.between(l.at.In("create_case_ccemail_max_count"), l.CopyAddresses, 0, maxNumber)
		k.between(l.at.In("open_tickets_per_problem_type"), l.OpenTickets, Unlimited, maxNumber)
		signable := func(field string, required bool, kind string) {
			if required && !slices.ContainsFunc(c.agreements, func(a Agreement) bool { return a.Type == kind }) {
				k.say(l.at.In(field), "没有类型 %[1]q 的协议可签署", "there is no agreement of type %[1]q to sign", kind)
			}
		}
		signable("create_requires_agreement", l.RequireAgreement, AgreementCreate)
		signable("authorize_requires_agreement", l.RequireAuthorization, AgreementAuthorize)
	default:
		for _, l := range c.limits[1:] {
			k.say(l.at, "limits 只能出现一次", "limits may stand only once")
		}
	}
}

func (c *content) checkAgreements(k *checker, types map[string]bool) {
	for _, t := range c.agreementTypes {
		k.form(t.at.In("type"), t.Type, idForm)
		k.name(t.at.In("name"), t.Name, maxAgreement)
	}
	versions := map[string]bool{}
	for _, a := range c.agreements {
		k.between(a.at.In("id"), int(a.ID), 1, 1<<31-1)
		k.between(a.at.In("version"), int(a.Version), 1, 1<<31-1)
		k.known(a.at.In("type"), "agreement type", a.Type, types)
		k.name(a.at.In("name"), a.Name, maxAgreement)
		k.name(a.at.In("content"), a.Content, maxAgreementDoc)
		v := fmt.Sprint(a.Type, " ", a.Version)
		if versions[v] {
			k.say(a.at.In("version"), "类型 %[1]q 的版本 %[2]d 重复", "version %[2]d of type %[1]q is listed twice", a.Type, a.Version)
		}
		versions[v] = true
	}
}

// checkPublished holds the agreements against those published before: a text
// that people may have signed does not change, and a new one is newer than all.
func (c *content) checkPublished(before []Agreement) []Mistake {
	k := &checker{}
	byID := map[int32]Agreement{}
	newest := map[string]int32{}
	for _, a := range before {
		byID[a.ID] = a
		newest[a.Type] = max(newest[a.Type], a.Version)
	}
	for _, a := range c.agreements {
		old, ok := byID[a.ID]
		switch {
		case ok && (old.Type != a.Type || old.Version != a.Version || old.Name != a.Name || old.Content != a.Content):
			k.say(a.at, "协议 %[1]d 已发布，不能修改；请用新的 id 和更高的 version 发布新文本",
				"agreement %[1]d is published and cannot change; publish the new text with a new id and a higher version", a.ID)
		case !ok && a.Version <= newest[a.Type]:
			k.say(a.at.In("version"), "类型 %[1]q 的新协议的 version 须大于 %[2]d", "a new agreement of type %[1]q needs a version above %[2]d", a.Type, newest[a.Type])
		}
	}
	return k.wrong
}

// name demands a text in both languages.
func (k *checker) name(at origin, t locale.Texts, limit int) {
	if strings.TrimSpace(t.ZH) == "" {
		k.say(at, "缺少中文（zh）", "the Chinese text (zh) is missing")
	}
	if strings.TrimSpace(t.EN) == "" {
		k.say(at, "缺少英文（en）", "the English text (en) is missing")
	}
	k.length(at.In("zh"), t.ZH, limit)
	k.length(at.In("en"), t.EN, limit)
}

// maybe demands both languages or none.
func (k *checker) maybe(at origin, t locale.Texts, limit int) {
	if t.ZH != "" || t.EN != "" {
		k.name(at, t, limit)
	}
}

func (k *checker) filled(at origin, s string, limit int) {
	if strings.TrimSpace(s) == "" {
		k.say(at, "不能为空", "must not be empty")
	}
	k.length(at, s, limit)
}

func (k *checker) length(at origin, s string, limit int) {
	if n := utf8.RuneCountInString(s); n > limit {
		k.say(at, "有 %[1]d 个字符，最多 %[2]d 个", "has %[1]d characters, at most %[2]d are allowed", n, limit)
	}
	bad := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError }
	if strings.ContainsFunc(s, bad) {
		k.say(at, "含有控制字符", "holds control characters")
	}
}

func (k *checker) form(at origin, s string, form *regexp.Regexp) {
	if !form.MatchString(s) {
		k.say(at, "%[1]q 不符合格式 %[2]s", "%[1]q does not have the form %[2]s", s, form)
	}
}

func (k *checker) known(at origin, what, id string, ids map[string]bool) {
	if !ids[id] {
		k.say(at, "不存在的 %[1]s：%[2]q", "there is no %[1]s %[2]q", what, id)
	}
}

func (k *checker) oneOf(at origin, s string, values ...string) {
	if !slices.Contains(values, s) {
		k.say(at, "%[1]q 无效，应为 %[2]s 之一", "%[1]q is not one of %[2]s", s, strings.Join(values, ", "))
	}
}

func (k *checker) between(at origin, n, lowest, highest int) {
	if n < lowest || n > highest {
		k.say(at, "%[1]d 须在 %[2]d 到 %[3]d 之间", "%[1]d must be between %[2]d and %[3]d", n, lowest, highest)
	}
}
