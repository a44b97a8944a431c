package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"casemate/internal/yamlfile"
)

// ruleCmd administers rules.
type ruleCmd struct {
	clientFlags
	jsonFlag

	List   ruleListCmd  `cmd:"" help:"List rules in the order in which they are tried, and how often they ran."`
	Show   ruleShowCmd  `cmd:"" help:"Show a rule as a file that apply takes."`
	Apply  ruleApplyCmd `cmd:"" help:"Make or change the rules of a file."`
	DryRun ruleDryCmd   `cmd:"" help:"Show where the rules of a file would have acted on past tickets, and do nothing."`
	Runs   ruleRunsCmd  `cmd:"" help:"What rules did, or in shadow would have done, newest first."`
}

type (
	ruleListCmd struct{}
	ruleShowCmd struct {
		Rule string `arg:"" help:"Rule id, or its name in either language."`
	}
	ruleApplyCmd struct {
		File string `arg:"" help:"File with one rule or a list of rules, YAML or JSON: name {zh, en}, mode (on, off, shadow), place, when, if, then. A rule there is of the same id or name is changed. - reads standard input."`
	}
	ruleDryCmd struct {
		File    string `arg:"" help:"File with one rule or a list of rules, as for apply."`
		Tickets int    `help:"The newest so many tickets, up to 500." placeholder:"N"`
		Days    int    `help:"Only tickets made within so many days, up to 90." placeholder:"N"`
	}
	ruleRunsCmd struct {
		Rule   string `help:"Only of this rule, by id or name." placeholder:"RULE"`
		State  string `help:"Only in this state: running, done, failed, shadow or skipped." placeholder:"STATE"`
		Number string `help:"Only on this ticket." placeholder:"CASE_ID"`
		Limit  int    `help:"How many at most, up to 100." default:"50"`
	}
)

const rulesPath = "/desk/v1/rules"

// ruleView is a rule as the commands show it.
type ruleView struct {
	ID    string   `json:"id"`
	Name  nameView `json:"name"`
	Mode  string   `json:"mode"`
	Place int64    `json:"place"`
	When  struct {
		Events []string `json:"events"`
		By     string   `json:"by"`
		State  *int     `json:"state"`
		Hours  int      `json:"hours"`
	} `json:"when"`
	Then    []actionView   `json:"then"`
	Version int64          `json:"version"`
	Cause   string         `json:"cause"`
	Runs    map[string]int `json:"runs"`
}

// ruleWordsZH are modes of rules, states of runs and why one was skipped, in
// Chinese; in files they stay what they are.
var ruleWordsZH = map[string]string{"on": "启用", "off": "停用", "shadow": "试运行", "running": "运行中", "done": "完成", "failed": "失败", "skipped": "跳过",
	"depth": "触发链过深", "loop": "循环触发", "rate": "过于频繁"}

func ruleWord(o *output, word string) string {
	if zh := ruleWordsZH[word]; zh != "" {
		return o.say(zh, word)
	}
	return clean(word)
}

func (r ruleView) when(o *output) string {
	if r.When.State != nil {
		return fmt.Sprintf(o.say("状态 %d 超过 %d 小时", "state %d for %d h"), *r.When.State, r.When.Hours)
	}
	s := strings.Join(r.When.Events, ",")
	if r.When.By != "" {
		s += "/" + r.When.By
	}
	return s
}

func (r ruleView) print(o *output) {
	mode := ruleWord(o, r.Mode)
	if r.Cause != "" {
		mode += " (" + r.Cause + ")"
	}
	var runs []string
	for _, state := range slices.Sorted(maps.Keys(r.Runs)) {
		runs = append(runs, ruleWord(o, state)+" "+strconv.Itoa(r.Runs[state]))
	}
	if len(runs) == 0 {
		runs = []string{"-"}
	}
	o.printf("%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.ID, r.Name.in(o), mode, r.Place, r.when(o), actionLine(r.Then), strings.Join(runs, ", "))
}

func rulesOf(ctx context.Context, cl *client) (all []ruleView, raw json.RawMessage, err error) {
	if err = cl.get(ctx, rulesPath, nil, &raw); err != nil {
		return nil, nil, err
	}
	var list struct {
		Items []ruleView `json:"items"`
	}
	err = json.Unmarshal(raw, &list)
	return list.Items, raw, err
}

// findRule is the id of the rule of that id or name.
func findRule(all []ruleView, name string) (string, error) {
	var found []string
	for _, r := range all {
		if r.ID == name {
			return r.ID, nil
		}
		if r.Name.is(name) {
			found = append(found, r.ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", problem{"没有该自动规则：" + name, "there is no rule " + name}
	}
	return "", problem{"有多条同名规则，请使用 ID：" + strings.Join(found, " "), "several rules have this name, give the id: " + strings.Join(found, " ")}
}

// Run lists rules.
func (ruleListCmd) Run(ctx context.Context, p *ruleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	all, raw, err := rulesOf(ctx, cl)
	if err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	if len(all) == 0 {
		o.beside("没有自动规则", "no rules")
		return nil
	}
	o.heading("ID\t名称\t模式\t顺序\t触发\t操作\t运行", "ID\tNAME\tMODE\tPLACE\tWHEN\tTHEN\tRUNS")
	for _, r := range all {
		r.print(o)
	}
	return nil
}

// Run shows a rule as a file.
func (c *ruleShowCmd) Run(ctx context.Context, p *ruleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	all, _, err := rulesOf(ctx, cl)
	if err != nil {
		return err
	}
	id, err := findRule(all, c.Rule)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.get(ctx, rulesPath+"/"+url.PathEscape(id), nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var whole map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&whole); err != nil {
		return err
	}
	file := yaml.MapSlice{}
	for _, key := range []string{"id", "name", "mode", "place", "when", "if", "then"} {
		if v, ok := whole[key]; ok {
			file = append(file, yaml.MapItem{Key: key, Value: numbers(v)})
		}
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return err
	}
	_, err = o.out.Write(text)
	return err
}

// maxRuleFile bounds a file of rules in bytes.
const maxRuleFile = 1 << 20

// numbers makes numbers of what JSON holds as such; YAML would quote a json.Number.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	}
	return v
}

// readRules reads a file of one rule or a list of them.
func readRules(path string) (all []map[string]any, err error) {
	var text []byte
	if path == "-" {
		path = "/dev/stdin"
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, err
	}
	wrong := problem{path + "：不是规则文件（YAML 或 JSON）", path + ": not a file of rules (YAML or JSON)"}
	if len(text) > maxRuleFile {
		return nil, wrong
	}
	if err := yaml.Unmarshal(text, &all); err != nil {
		one := map[string]any{}
		if err := yaml.Unmarshal(text, &one); err != nil {
			if _, m := yamlfile.Parse("rules.yaml", text); m != nil && m.Line > 0 {
				return nil, problem{fmt.Sprintf("%s：第 %d 行第 %d 列，%s", path, m.Line, m.Column, m.ZH), fmt.Sprintf("%s: line %d, column %d: %s", path, m.Line, m.Column, m.EN)}
			}
			return nil, wrong
		}
		all = []map[string]any{one}
	}
	if len(all) == 0 {
		return nil, wrong
	}
	return all, nil
}

// Run makes or changes rules.
func (c *ruleApplyCmd) Run(ctx context.Context, p *ruleCmd, o *output) error {
	rules, err := readRules(c.File)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	there, _, err := rulesOf(ctx, cl)
	if err != nil {
		return err
	}
	for i, rule := range rules {
		text, err := json.Marshal(rule)
		if err != nil {
			return err
		}
		var v ruleView
		if err := json.Unmarshal(text, &v); err != nil {
			return problem{fmt.Sprintf("%s：第 %d 条规则格式不正确", c.File, i+1), fmt.Sprintf("%s: rule %d has not the form of a rule", c.File, i+1)}
		}
		id := v.ID
		for _, r := range there {
			if id == "" && r.Name == v.Name {
				id = r.ID
			}
		}
		delete(rule, "id")
		method, path := http.MethodPost, rulesPath
		if id != "" {
			method, path = http.MethodPut, rulesPath+"/"+url.PathEscape(id)
		}
		var raw json.RawMessage
		if err := cl.call(ctx, method, path, nil, rule, &raw); err != nil {
			if name := v.Name.in(o); name != "" {
				return fmt.Errorf("%s: %w", name, err)
			}
			return fmt.Errorf("%s, %d: %w", c.File, i+1, err)
		}
		if p.JSON {
			if err := o.json(raw); err != nil {
				return err
			}
			continue
		}
		var made ruleView
		if err := json.Unmarshal(raw, &made); err != nil {
			return err
		}
		made.print(o)
	}
	return nil
}

// Run shows where rules would have acted.
func (c *ruleDryCmd) Run(ctx context.Context, p *ruleCmd, o *output) error {
	rules, err := readRules(c.File)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	for _, rule := range rules {
		body := map[string]any{"when": rule["when"], "then": rule["then"]}
		if cond, ok := rule["if"]; ok {
			body["if"] = cond
		}
		if c.Tickets > 0 {
			body["tickets"] = c.Tickets
		}
		if c.Days > 0 {
			body["days"] = c.Days
		}
		var raw json.RawMessage
		if err := cl.post(ctx, rulesPath+"/dry-run", body, &raw); err != nil {
			return err
		}
		if p.JSON {
			if err := o.json(raw); err != nil {
				return err
			}
			continue
		}
		var out struct {
			Tickets int `json:"tickets"`
			Events  int `json:"events"`
			Matched int `json:"matched"`
			Refused int `json:"refused"`
			Items   []struct {
				Number   string        `json:"number"`
				Event    string        `json:"event"`
				At       time.Time     `json:"at"`
				Outcomes []outcomeView `json:"outcomes"`
			} `json:"items"`
		}
		if err := json.Unmarshal(raw, &out); err != nil {
			return err
		}
		o.printf(o.say("查看 %d 个工单、%d 个事件：会触发 %d 次，其中 %d 次有操作被拒绝\n", "%d tickets, %d events: it would have acted %d times, %d of them with a refused action\n"), out.Tickets, out.Events, out.Matched, out.Refused)
		for _, m := range out.Items {
			o.printf("%s\t%s\t%s\t%s\n", o.when(m.At), m.Number, m.Event, outcomeLine(o, m.Outcomes))
		}
	}
	return nil
}

func outcomeLine(o *output, all []outcomeView) string {
	var parts []string
	for _, v := range all {
		part := v.Do
		if v.Refusal != nil || v.Same {
			part += " " + v.result(o)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// Run lists runs.
func (c *ruleRunsCmd) Run(ctx context.Context, p *ruleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.Rule != "" {
		all, _, err := rulesOf(ctx, cl)
		if err != nil {
			return err
		}
		id, err := findRule(all, c.Rule)
		if err != nil {
			return err
		}
		q.Set("rule", id)
	}
	for name, v := range map[string]string{"state": c.State, "number": c.Number} {
		if v != "" {
			q.Set(name, v)
		}
	}
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/rule-runs", q, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var page struct {
		Items []struct {
			Name     nameView      `json:"rule_name"`
			ID       string        `json:"rule_id"`
			State    string        `json:"state"`
			Skipped  string        `json:"skipped"`
			Number   string        `json:"number"`
			Event    string        `json:"event"`
			At       time.Time     `json:"at"`
			Outcomes []outcomeView `json:"outcomes"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	if len(page.Items) == 0 {
		o.beside("规则还没有运行过", "no rule has run")
		return nil
	}
	o.heading("时间\t规则\t状态\t工单号\t事件\t结果", "AT\tRULE\tSTATE\tNUMBER\tEVENT\tOUTCOME")
	for _, r := range page.Items {
		name, state := r.Name.in(o), ruleWord(o, r.State)
		if name == "" {
			name = r.ID
		}
		if r.Skipped != "" {
			state += " (" + ruleWord(o, r.Skipped) + ")"
		}
		o.printf("%s\t%s\t%s\t%s\t%s\t%s\n", o.when(r.At), name, state, r.Number, r.Event, outcomeLine(o, r.Outcomes))
	}
	return nil
}
