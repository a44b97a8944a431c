package catalog

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/locale"
)

// Limits of a diagnosis; all ours, the contract only bounds the type.
const (
	maxDiagnosisType   = 4 // SubmitDiagnoseJobReq.type
	maxDiagnosisChecks = 20
	maxDiagnosisParams = 20
	maxParamValue      = 256
	maxPattern         = 1024 // templates of addresses, expected texts
	maxArgs            = 30
	maxCommandSeconds  = 60
)

// Diagnosis is a kind of self-service diagnosis: what it asks for and the
// checks it makes. The wire knows it by its type, so there is one per type.
type Diagnosis struct {
	ID     string           `yaml:"id" json:"id"`
	Type   int32            `yaml:"type" json:"type"` // 1 ECS, 2 RDS, 3 and 4 as the operator likes
	Name   locale.Texts     `yaml:"name" json:"name"`
	Desc   locale.Texts     `yaml:"desc" json:"desc,omitzero"`
	Params []DiagnosisParam `yaml:"params" json:"params"`
	Groups []CheckGroup     `yaml:"groups" json:"groups"`
	Checks []Check          `yaml:"checks" json:"checks"`
	at     origin
}

// Forms of a diagnosis' parameters. What a customer enters must have the form,
// so that it can stand in an address or an argument without changing it.
const (
	FormHost     = "host"     // a public name or an IP address
	FormPort     = "port"     // 1..65535
	FormPath     = "path"     // of an URL, from its slash
	FormWord     = "word"     // letters, digits and . _ - only, none of them first but a letter or digit
	FormResource = "resource" // the id of a resource entered for the customer
)

// DiagnosisParam is a value the customer gives. A host that is not given is the
// address of the resource, where the diagnosis has a parameter for one.
type DiagnosisParam struct {
	Key      string       `yaml:"key" json:"key"`
	Form     string       `yaml:"form" json:"form"`
	Name     locale.Texts `yaml:"name" json:"name"`
	Required bool         `yaml:"required" json:"required,omitempty"`
	Default  string       `yaml:"default" json:"default,omitempty"`
}

// CheckGroup is what checks are shown under (the wire: resource_id).
type CheckGroup struct {
	ID   string       `yaml:"id" json:"id"`
	Name locale.Texts `yaml:"name" json:"name"`
}

// Check is one item of a diagnosis: exactly one of the five kinds. In its
// templates {key} stands for a parameter.
type Check struct {
	ID         string       `yaml:"id" json:"id"`
	Group      string       `yaml:"group" json:"group"`
	Name       locale.Texts `yaml:"name" json:"name"`
	Suggestion locale.Texts `yaml:"suggestion" json:"suggestion,omitzero"` // what to do when it finds something
	Help       string       `yaml:"help" json:"help,omitempty"`            // link, https
	Needs      []string     `yaml:"needs" json:"needs,omitempty"`          // checks before it that must not have failed

	HTTP    *HTTPCheck    `yaml:"http" json:"http,omitempty"`
	TCP     *TCPCheck     `yaml:"tcp" json:"tcp,omitempty"`
	DNS     *DNSCheck     `yaml:"dns" json:"dns,omitempty"`
	TLS     *TLSCheck     `yaml:"tls" json:"tls,omitempty"`
	Command *CommandCheck `yaml:"command" json:"command,omitempty"`
}

// HTTPCheck asks for a page. Redirects are not followed: their status counts.
type HTTPCheck struct {
	URL      string `yaml:"url" json:"url"`
	Status   []int  `yaml:"status" json:"status,omitempty"` // expected ones; empty = 200..399
	Contains string `yaml:"contains" json:"contains,omitempty"`
}

// TCPCheck opens a connection and closes it.
type TCPCheck struct {
	Host string `yaml:"host" json:"host"`
	Port string `yaml:"port" json:"port"`
}

// DNSCheck looks a name up; an IP address in the place of the name is skipped.
type DNSCheck struct {
	Name     string   `yaml:"name" json:"name"`
	Type     string   `yaml:"type" json:"type"`                   // A, AAAA, CNAME, MX, NS, TXT
	Expected []string `yaml:"expected" json:"expected,omitempty"` // each must be among the answers; empty = any answer will do
}

// RecordTypes are the types a DNSCheck knows.
var RecordTypes = []string{"A", "AAAA", "CNAME", "MX", "NS", "TXT"}

// TLSCheck reads a server's certificate.
type TLSCheck struct {
	Host       string `yaml:"host" json:"host"`
	Port       string `yaml:"port" json:"port"`
	WarnDays   int    `yaml:"warn_days" json:"warn_days"` // fewer days left: a warning
	FailDays   int    `yaml:"fail_days" json:"fail_days"` // fewer days left: failed
	SelfSigned bool   `yaml:"self_signed" json:"self_signed,omitempty"`
}

// CommandCheck runs a program of the operator's, without a shell: exit code 0 is
// passed, 1 a warning, others failed; its output is shown to the customer. It
// runs only where the configuration allows commands. A placeholder is a whole
// argument; a host is handed over as an address that may be reached.
type CommandCheck struct {
	Argv    []string `yaml:"argv" json:"argv"`
	Seconds int      `yaml:"seconds" json:"seconds,omitempty"` // it may run so long; 0 = 10
}

func (e Diagnosis) key() (string, locale.Texts) { return e.ID, e.Name }

// Diagnoses are the kinds of self-service diagnosis on offer.
func (c *Catalog) Diagnoses() []Diagnosis { return c.live.diagnoses }

// Diagnosis finds the one of a type.
func (c *Catalog) Diagnosis(kind int32) (Diagnosis, bool) {
	i := slices.IndexFunc(c.live.diagnoses, func(d Diagnosis) bool { return d.Type == kind })
	if i < 0 {
		return Diagnosis{}, false
	}
	return c.live.diagnoses[i], true
}

// Group finds a group of checks.
func (e Diagnosis) Group(id string) CheckGroup {
	i := slices.IndexFunc(e.Groups, func(g CheckGroup) bool { return g.ID == id })
	if i < 0 {
		return CheckGroup{ID: id}
	}
	return e.Groups[i]
}

var (
	placeholder      = regexp.MustCompile(`\{([a-z][A-Za-z0-9_]{0,31})\}`)
	wholePlaceholder = regexp.MustCompile(`^\{([a-z][A-Za-z0-9_]{0,31})\}$`)
	groupForms       = []string{FormHost, FormPort, FormPath, FormWord, FormResource}
)

// Placeholders are the keys of the parameters a template names.
func Placeholders(template string) []string {
	var keys []string
	for _, m := range placeholder.FindAllStringSubmatch(template, -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// Placeholder is the key of an argument that is a placeholder as a whole.
func Placeholder(arg string) (string, bool) {
	m := wholePlaceholder.FindStringSubmatch(arg)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// FillTemplate puts values into a template.
func FillTemplate(template string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(template, func(s string) string { return values[s[1:len(s)-1]] })
}

// Templates are the texts of the check that may hold placeholders.
func (e Check) Templates() []string {
	switch {
	case e.HTTP != nil:
		return []string{e.HTTP.URL}
	case e.TCP != nil:
		return []string{e.TCP.Host, e.TCP.Port}
	case e.DNS != nil:
		return append([]string{e.DNS.Name}, e.DNS.Expected...)
	case e.TLS != nil:
		return []string{e.TLS.Host, e.TLS.Port}
	case e.Command != nil:
		return e.Command.Argv
	}
	return nil
}

func (c *content) checkDiagnoses(k *checker) {
	distinct(k, c.diagnoses, "id", func(e Diagnosis) origin { return e.at })
	types := map[int32]bool{}
	for _, d := range c.diagnoses {
		k.form(d.at.In("id"), d.ID, idForm)
		k.name(d.at.In("name"), d.Name, maxName)
		k.maybe(d.at.In("desc"), d.Desc, maxDesc)
		k.between(d.at.In("type"), int(d.Type), 1, maxDiagnosisType)
		if types[d.Type] {
			k.say(d.at.In("type"), "类型 %[1]d 重复", "type %[1]d is used twice", d.Type)
		}
		types[d.Type] = true
		forms := k.diagnosisParams(d)
		groups := map[string]bool{}
		for i, g := range d.Groups {
			at := d.at.In("groups", i)
			k.form(at.In("id"), g.ID, idForm)
			k.name(at.In("name"), g.Name, maxName)
			if groups[g.ID] {
				k.say(at.In("id"), "id %[1]q 重复", "id %[1]q is used twice", g.ID)
			}
			groups[g.ID] = true
		}
		if n := len(d.Checks); n == 0 || n > maxDiagnosisChecks {
			k.say(d.at, "checks 须有 1 到 %[1]d 项", "there must be 1 to %[1]d checks", maxDiagnosisChecks)
		}
		before := map[string]bool{}
		for i, e := range d.Checks {
			at := d.at.In("checks", i)
			k.form(at.In("id"), e.ID, idForm)
			if before[e.ID] {
				k.say(at.In("id"), "id %[1]q 重复", "id %[1]q is used twice", e.ID)
			}
			k.known(at.In("group"), "group", e.Group, groups)
			k.name(at.In("name"), e.Name, maxName)
			k.maybe(at.In("suggestion"), e.Suggestion, maxTemplate)
			if u, err := url.Parse(e.Help); e.Help != "" && (err != nil || u.Scheme != "https" || u.Host == "" || len(e.Help) > maxPattern) {
				k.say(at.In("help"), "help 须为 https 链接", "help must be an https link")
			}
			for j, n := range e.Needs { // only earlier ones: no circles
				k.known(at.In("needs", j), "earlier check", n, before)
			}
			before[e.ID] = true
			k.check(at, e, forms)
		}
	}
}

// diagnosisParams judges the parameters and returns their forms by key.
func (k *checker) diagnosisParams(d Diagnosis) map[string]string {
	forms := map[string]string{}
	if len(d.Params) > maxDiagnosisParams {
		k.say(d.at.In("params"), "params 最多 %[1]d 项", "there may be at most %[1]d params", maxDiagnosisParams)
	}
	resources := 0
	for i, p := range d.Params {
		at := d.at.In("params", i)
		k.form(at.In("key"), p.Key, paramForm)
		k.name(at.In("name"), p.Name, maxName)
		k.oneOf(at.In("form"), p.Form, groupForms...)
		if _, twice := forms[p.Key]; twice {
			k.say(at.In("key"), "key %[1]q 重复", "key %[1]q is used twice", p.Key)
		}
		forms[p.Key] = p.Form
		if p.Form == FormResource {
			if resources++; resources > 1 {
				k.say(at.In("form"), "最多一个 resource 参数", "only one param may be a resource")
			}
			if p.Default != "" {
				k.say(at.In("default"), "resource 参数不能有默认值", "a resource has no default")
			}
		} else if p.Default != "" && !FitsForm(p.Form, p.Default) {
			k.say(at.In("default"), "默认值 %[1]q 不合法", "the default %[1]q is not a value of this parameter", p.Default)
		}
	}
	return forms
}

// check judges one check of a diagnosis.
func (k *checker) check(at origin, e Check, forms map[string]string) {
	kinds := map[string]bool{"http": e.HTTP != nil, "tcp": e.TCP != nil, "dns": e.DNS != nil, "tls": e.TLS != nil, "command": e.Command != nil}
	n := 0
	var inside origin
	for kind, there := range kinds {
		if there {
			n, inside = n+1, at.In(kind)
		}
	}
	if n != 1 {
		k.say(at, "检查项须且只能有 http、tcp、dns、tls、command 之一", "a check is exactly one of http, tcp, dns, tls, command")
		return
	}
	for _, t := range e.Templates() {
		for _, key := range Placeholders(t) {
			if forms[key] == "" {
				k.say(inside, "没有参数 %[1]q", "there is no param %[1]q", key)
			}
		}
		k.length(inside, t, maxPattern)
	}
	// What the customer enters may only stand where its form keeps it harmless.
	as := func(place origin, template string, fixed func(string) bool, forms2 ...string) {
		key, whole := Placeholder(template)
		switch {
		case whole && forms[key] != "" && !slices.Contains(forms2, forms[key]):
			k.say(place, "参数 %[1]q 的 form 须为 %[2]s", "param %[1]q must have the form %[2]s", key, strings.Join(forms2, "|"))
		case !whole && (strings.ContainsAny(template, "{}") || !fixed(template)):
			k.say(place, "%[1]q 无效：须为固定值，或整个是一个占位符", "%[1]q is neither a fixed value nor a placeholder as a whole", template)
		}
	}
	host := func(s string) bool { return FitsForm(FormHost, s) }
	port := func(s string) bool { return FitsForm(FormPort, s) }
	switch {
	case e.HTTP != nil:
		k.url(at.In("http", "url"), e.HTTP.URL, forms)
		for i, s := range e.HTTP.Status {
			k.between(at.In("http", "status", i), s, 100, 599)
		}
		k.length(at.In("http", "contains"), e.HTTP.Contains, maxPattern)
	case e.TCP != nil:
		as(at.In("tcp", "host"), e.TCP.Host, host, FormHost)
		as(at.In("tcp", "port"), e.TCP.Port, port, FormPort)
	case e.DNS != nil:
		as(at.In("dns", "name"), e.DNS.Name, host, FormHost)
		k.oneOf(at.In("dns", "type"), e.DNS.Type, RecordTypes...)
		for i, x := range e.DNS.Expected {
			k.filled(at.In("dns", "expected", i), x, maxPattern)
		}
	case e.TLS != nil:
		as(at.In("tls", "host"), e.TLS.Host, host, FormHost)
		as(at.In("tls", "port"), e.TLS.Port, port, FormPort)
		k.between(at.In("tls", "warn_days"), e.TLS.WarnDays, 0, 3650)
		k.between(at.In("tls", "fail_days"), e.TLS.FailDays, 0, max(e.TLS.WarnDays, 0))
	case e.Command != nil:
		argv := at.In("command", "argv")
		if n := len(e.Command.Argv); n == 0 || n > maxArgs {
			k.say(argv, "argv 须有 1 到 %[1]d 项", "argv must have 1 to %[1]d items", maxArgs)
		}
		for i, a := range e.Command.Argv {
			if _, whole := Placeholder(a); strings.ContainsAny(a, "{}") && (!whole || i == 0) {
				k.say(at.In("command", "argv", i), "%[1]q：占位符须是整个参数，且不能是程序名", "%[1]q: a placeholder is a whole argument and never the program", a)
			}
			if i == 0 && !strings.HasPrefix(a, "/") {
				k.say(at.In("command", "argv", i), "程序须为绝对路径", "the program must be an absolute path")
			}
		}
		k.between(at.In("command", "seconds"), e.Command.Seconds, 0, maxCommandSeconds)
	}
}

// url judges the template of an address: each placeholder must stand where a
// value of its form belongs, whatever the value is.
func (k *checker) url(at origin, template string, forms map[string]string) {
	marks := map[string]string{}
	i := 0
	for _, key := range slices.Sorted(maps.Keys(forms)) {
		i++
		switch forms[key] {
		case FormHost:
			marks[key] = fmt.Sprintf("h%d.example", i)
		case FormPort:
			marks[key] = strconv.Itoa(10000 + i)
		case FormPath:
			marks[key] = fmt.Sprintf("/p%d", i)
		default:
			marks[key] = fmt.Sprintf("w%d", i)
		}
	}
	u, err := url.Parse(FillTemplate(template, marks))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.Fragment != "" || strings.ContainsAny(placeholder.ReplaceAllString(template, ""), "{}") {
		k.say(at, "%[1]q 不是 http(s) 地址模板", "%[1]q is no template of an http(s) address", template)
		return
	}
	for _, key := range Placeholders(template) {
		mark := marks[key]
		ok := false
		switch forms[key] {
		case FormHost:
			ok = u.Hostname() == mark
		case FormPort:
			_, p, _ := net.SplitHostPort(u.Host)
			ok = p == mark
		case FormPath:
			ok = strings.HasSuffix(u.Path, mark) && u.RawQuery == ""
		case FormWord, FormResource:
			ok = strings.Contains(u.Path+"?"+u.RawQuery, mark) && !strings.Contains(u.Host, mark)
		}
		if !ok && forms[key] != "" {
			k.say(at, "占位符 {%[1]s}（%[2]s）不能放在这里", "the placeholder {%[1]s} (%[2]s) cannot stand here", key, forms[key])
		}
	}
}
