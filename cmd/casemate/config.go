package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/setup"
)

// configGroup is all configuration as files; without a word it prints the
// settings of the server's own configuration file, as it always did.
type configGroup struct {
	Settings configCmd         `cmd:"" default:"withargs" help:"Print the settings of the configuration file in force, secrets hidden (also without this word)."`
	Export   configExportCmd   `cmd:"" help:"Write all configuration into a folder: catalogue, agreements, templates, teams, queues, views, macros, snippets, rules, engineers, partners, domains, webhooks, providers, retention; accounts and people with --with."`
	Plan     configPlanCmd     `cmd:"" help:"Show how a folder differs from what is in force, and which open tickets are touched; changes nothing."`
	Apply    configApplyCmd    `cmd:"" help:"Put a folder in force, all of it or nothing, and record the version. On a terminal it shows the difference and asks; a program says --yes, or gives a plan that was looked at."`
	History  configHistoryCmd  `cmd:"" help:"List the recorded versions, newest first."`
	Rollback configRollbackCmd `cmd:"" help:"Go back to an earlier version. On a terminal it shows what would change and asks; a program says --yes."`
}

const configPath = "/desk/v1/config"

type configExportCmd struct {
	clientFlags
	jsonFlag
	Dir     string   `arg:"" help:"Folder to write to; made when missing." type:"path"`
	Force   bool     `help:"Overwrite files that differ."`
	Version int64    `help:"An earlier version, as history lists it." name:"from-version" placeholder:"N"`
	With    []string `help:"accounts = also the folder accounts (customers' accounts, users, groups, access keys); people = with log-in names, aliases, languages and zones in it. Never passwords, contacts or secrets." enum:"accounts,people" placeholder:"accounts,people"`
}

type configPlanCmd struct {
	clientFlags
	jsonFlag
	Dir    string `arg:"" help:"Folder with the tree." type:"existingdir"`
	Clocks string `help:"Clocks of open tickets: keep = they keep the targets they were promised, move = they go by what is promised now." enum:"keep,move" default:"keep"`
	Out    string `help:"Write the plan into this file, for apply --plan." type:"path" placeholder:"FILE"`
}

type configApplyCmd struct {
	clientFlags
	jsonFlag
	Dir    string   `arg:"" help:"Folder with the tree." type:"existingdir"`
	Clocks string   `help:"As for plan; a plan given with --plan has its own." enum:"keep,move" default:"keep"`
	With   []string `help:"accounts = the folder accounts is meant: it may change accounts, people and rights." enum:"accounts" placeholder:"accounts"`
	Plan   string   `help:"Put in force what this plan (plan --out) showed, without a question; refused when the folder would change anything else by now." type:"existingfile" placeholder:"FILE"`
	Yes    bool     `help:"Do it without a question."`
}

type configHistoryCmd struct {
	clientFlags
	jsonFlag
	Limit int `help:"How many at most, up to 100." default:"20"`
}

type configRollbackCmd struct {
	clientFlags
	jsonFlag
	Version int64    `arg:"" optional:"" help:"The version to go back to; else the one before the newest."`
	Yes     bool     `help:"Do it without a question."`
	DryRun  bool     `help:"Only show what would change."`
	Clocks  string   `help:"As for plan." enum:"keep,move" default:"keep"`
	With    []string `help:"accounts = put rights back, too, as that version recorded them." enum:"accounts" placeholder:"accounts"`
}

// configPlanView is the answer of plan, apply and rollback.
type configPlanView struct {
	Version int64              `json:"version"`
	Hash    string             `json:"hash"`
	Base    map[string]string  `json:"base"`
	Layout  bool               `json:"layout"`
	Clocks  string             `json:"clocks,omitempty"` // of a file that plan --out wrote
	Files   map[string]string  `json:"files,omitempty"`  // of such a file: SHA-256 of the files of the tree, by path
	Changes []configChangeView `json:"changes"`
	Tickets []struct {
		Number  string     `json:"number"`
		Effect  string     `json:"effect"`
		Section string     `json:"section,omitempty"`
		ID      string     `json:"id,omitempty"`
		Clocks  []string   `json:"clocks,omitempty"`
		Before  *time.Time `json:"due_before,omitempty"`
		After   *time.Time `json:"due_after,omitempty"`
	} `json:"tickets"`
	Totals []struct {
		Effect string `json:"effect"`
		Count  int    `json:"count"`
	} `json:"totals"`
	Notices []string          `json:"notices"`
	Names   map[string]string `json:"names"`
	Keys    []configNewKey    `json:"keys,omitempty"`
}

// configChangeView is an entry that becomes another.
type configChangeView struct {
	Action  string                `json:"action"`
	Section string                `json:"section"`
	ID      string                `json:"id"`
	Name    string                `json:"name,omitempty"`
	Fields  []catalog.FieldChange `json:"fields"`
}

// configNewKey is an access key that an apply made.
type configNewKey struct {
	ID     string `json:"id"`
	Domain string `json:"domain_id"`
	User   string `json:"user_id"`
	Secret string `json:"secret"`
}

// value is a value on one line, with the name of what it stands for.
func (p configPlanView) value(s string) string {
	if n := p.Names[s]; n != "" {
		return short(s) + " (" + n + ")"
	}
	return short(s)
}

// field is the path of a field as the files have it, with the names of the ids in it.
func (p configPlanView) field(path string) string {
	steps := strings.Split(path, ".")
	for i, s := range steps {
		if n := p.Names[s]; n != "" && i > 0 {
			steps[i] = s + " (" + n + ")"
		}
	}
	return strings.Join(steps, ".")
}

// effectWords are what happens to open tickets, in both languages.
var effectWords = map[string][2]string{
	"clocks":         {"时限改为现在的承诺", "its targets become those promised now"},
	"clocks_kept":    {"保留原时限（同类新工单将不同；--clocks move 可改变）", "keeps its targets (new ones like it get others; --clocks move changes it)"},
	"queue_in":       {"进入", "comes into"},
	"queue_out":      {"离开", "leaves"},
	"queue_served":   {"未分派，其队列的分派方式改变", "nobody handles it, and its queue gives tickets otherwise"},
	"retired":        {"保留已停用的条目", "keeps an entry that is offered no more:"},
	"rule_candidate": {"处于按时间触发的规则所等待的状态", "is in the state that the rule waits in:"},
}

// short is a value on one line.
func short(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "..."
	}
	return strconv.Quote(s)
}

func (p configPlanView) print(o *output) {
	signs := map[string]string{"added": "+", "changed": "~", "removed": "-", "retired": "-", "restored": "+", "reordered": "~"}
	counts := map[string]int{}
	for _, n := range p.Notices {
		o.printf("! %s\n", n)
	}
	for _, c := range p.Changes {
		counts[signs[c.Action]]++
		line := fmt.Sprintf("%s %s %s", signs[c.Action], c.Section, c.ID)
		if c.Name != "" {
			line += " (" + c.Name + ")"
		}
		o.printf("%s\n", strings.TrimRight(line, " "))
		for _, f := range c.Fields {
			f.Field = p.field(f.Field)
			line := f.Line(p.value)
			if c.Action == "added" { // all of it came
				line = strings.TrimPrefix(line, "+ ")
			}
			o.printf("    %s\n", line)
		}
	}
	switch {
	case len(p.Changes) > 0:
		o.printf(o.say("新增 %d，修改 %d，移除 %d\n", "%d added, %d changed, %d removed\n"), counts["+"], counts["~"], counts["-"])
	case p.Layout:
		o.printf("%s\n", o.say("仅注释或文件划分不同", "only comments or the layout of files differ"))
	default:
		o.printf("%s\n", o.say("没有差异", "no difference"))
	}
	listed := map[string]int{}
	for _, t := range p.Tickets {
		listed[t.Effect]++
		words := effectWords[t.Effect]
		line := fmt.Sprintf("  %s %s", t.Number, o.say(words[0], words[1]))
		if t.ID != "" {
			line += " " + t.Section + " " + t.ID
		}
		if len(t.Clocks) > 0 {
			due := func(at *time.Time) string {
				if at == nil {
					return "-"
				}
				return o.when(*at)
			}
			line += fmt.Sprintf(" [%s] %s -> %s", strings.Join(t.Clocks, ", "), due(t.Before), due(t.After))
		}
		o.printf("%s\n", line)
	}
	for _, t := range p.Totals {
		words := effectWords[t.Effect]
		o.printf(o.say("未关闭工单：%d 个（列出 %d 个）%s\n", "open tickets: %d (%d listed) - %s\n"), t.Count, listed[t.Effect], strings.TrimSuffix(o.say(words[0], words[1]), ":"))
	}
}

// Run writes the files.
func (c *configExportCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	query := url.Values{}
	if c.Version > 0 {
		query.Set("version", strconv.FormatInt(c.Version, 10))
	}
	for _, w := range c.With {
		query.Set(w, "true")
	}
	var raw json.RawMessage
	if err := cl.get(ctx, configPath, query, &raw); err != nil {
		return err
	}
	var got struct {
		Version int64             `json:"version"`
		Hash    string            `json:"hash"`
		Files   map[string]string `json:"files"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if err := writeFolder(c.Dir, got.Files, c.Force); err != nil {
		return err
	}
	if c.JSON {
		return o.json(raw)
	}
	if got.Version == 0 {
		o.printf(o.say("尚无配置版本（%.12s；首次 apply 会把现有配置记为版本 1），已写入 %d 个文件：%s\n", "no configuration version yet (%.12s; the first apply records what is there as version 1), %d files written to %s\n"), got.Hash, len(got.Files), c.Dir)
		return nil
	}
	o.printf(o.say("配置版本 %d（%.12s），已写入 %d 个文件：%s\n", "configuration version %d (%.12s), %d files written to %s\n"), got.Version, got.Hash, len(got.Files), c.Dir)
	return nil
}

// Run shows the difference.
func (c *configPlanCmd) Run(ctx context.Context, o *output) error {
	files, err := readFolder(c.Dir)
	if err != nil {
		return err
	}
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	secrets, err := configSecrets(files)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.post(ctx, configPath+"/plan", map[string]any{"files": files, "secrets": secrets, "clocks": c.Clocks}, &raw); err != nil {
		return err
	}
	var p configPlanView
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if c.Out != "" {
		p.Clocks, p.Files = c.Clocks, setup.Hashes(files)
		text, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.Out, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	if c.JSON {
		return o.json(raw)
	}
	p.print(o)
	return nil
}

// Run plans, shows the plan, asks, and applies exactly that plan; with --plan only
// when it is the one that was made, and looked at, before.
func (c *configApplyCmd) Run(ctx context.Context, o *output) error {
	files, err := readFolder(c.Dir)
	if err != nil {
		return err
	}
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	secrets, err := configSecrets(files)
	if err != nil {
		return err
	}
	var seen, plan configPlanView
	if c.Plan != "" {
		if seen, err = readPlan(c.Plan); err != nil {
			return err
		}
		c.Clocks = seen.Clocks
	}
	if err := cl.post(ctx, configPath+"/plan", map[string]any{"files": files, "secrets": secrets, "clocks": c.Clocks}, &plan); err != nil {
		return err
	}
	shown := c.Plan == "" && !c.Yes && plan.changes()
	if c.Plan != "" {
		plan.Files = setup.Hashes(files)
		if err := unseen(seen, plan, c.Dir, c.Plan); err != nil {
			return err
		}
		plan.Base = seen.Base
	}
	if shown {
		if !c.JSON {
			plan.print(o)
		}
		if err := o.agreed(ctx, c.Yes, c.JSON, "使以上更改生效？", "Put this in force?"); err != nil {
			return err
		}
	}
	return finish(ctx, cl, o, c.JSON, shown, "/apply", map[string]any{"files": files, "secrets": secrets, "base": plan.Base, "clocks": c.Clocks, "accounts": len(c.With) > 0})
}

// changes tells whether a plan does anything.
func (p configPlanView) changes() bool { return len(p.Changes) > 0 || p.Layout || len(p.Totals) > 0 }

// finish applies or goes back, and prints what was changed unless it was shown.
func finish(ctx context.Context, cl *client, o *output, asJSON, shown bool, path string, body map[string]any) error {
	var raw json.RawMessage
	if err := cl.post(ctx, configPath+path, body, &raw); err != nil || asJSON {
		return orJSON(o, err, raw)
	}
	var done configPlanView
	if err := json.Unmarshal(raw, &done); err != nil {
		return err
	}
	if !shown {
		done.print(o)
	}
	for _, k := range done.Keys {
		o.printf(o.say("新访问密钥 %s 的密钥，仅显示这一次：%s\n", "the secret of the new access key %s, shown this once: %s\n"), k.ID, k.Secret)
	}
	for _, c := range done.Changes {
		if c.Action == "added" && c.Section == "users" {
			o.printf(o.say("新用户 %s 没有密码：经身份提供商登录，或由 casemate user reset-password 设置\n", "the new user %s has no password: he comes in by an identity provider, or casemate user reset-password sets one\n"), strings.ReplaceAll(done.value(c.ID), `"`, ""))
		}
	}
	o.printf(o.say("配置版本 %d（%.12s）已生效\n", "configuration version %d (%.12s) is in force\n"), done.Version, done.Hash)
	return nil
}

// configVersionView is a recorded version.
type configVersionView struct {
	Version   int64     `json:"version"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	From      int64     `json:"from"`
	ActorKind string    `json:"actor_kind"`
	Actor     string    `json:"actor"`
	Hash      string    `json:"hash"`
	Changes   int       `json:"changes"`
}

// Run lists versions.
func (c *configHistoryCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, configPath+"/versions", url.Values{"limit": {strconv.Itoa(c.Limit)}}, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var got struct {
		Items []configVersionView `json:"items"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	people, err := listEngineers(ctx, cl, "")
	if err != nil {
		return err
	}
	by := func(v configVersionView) string {
		switch v.ActorKind {
		case "local":
			return o.say("本机命令", "local command")
		case "system":
			return o.say("系统", "system")
		}
		for _, e := range people {
			if e.ID == v.Actor {
				return clean(e.Name)
			}
		}
		return v.Actor
	}
	kinds := map[string][2]string{"apply": {"生效", "applied"}, "rollback": {"回退", "rolled back"}, "found": {"此前已被其他方式更改", "changed otherwise before"}}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, o.say("版本\t时间\t方式\t变更\t操作者\t哈希", "VERSION\tAT\tHOW\tCHANGES\tBY\tHASH"))
	for _, v := range got.Items {
		how := o.say(kinds[v.Kind][0], kinds[v.Kind][1])
		if v.Version == 1 && v.Kind == "found" { // nothing was recorded that it could have changed
			how = o.say("首次生效前的配置", "what was there at first")
		}
		if v.From > 0 {
			how += fmt.Sprintf(" -> %d", v.From)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%d\t%s\t%.12s\n", v.Version, o.when(v.At), how, v.Changes, by(v), v.Hash)
	}
	return w.Flush()
}

// Run shows what going back would change, asks, and goes back.
func (c *configRollbackCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if c.Yes && c.DryRun {
		return problem{"--yes 与 --dry-run 只能给出一个", "give --yes or --dry-run, not both"}
	}
	if c.Version == 0 {
		var got struct {
			Items []configVersionView `json:"items"`
		}
		if err := cl.get(ctx, configPath+"/versions", url.Values{"limit": {"2"}}, &got); err != nil {
			return err
		}
		if len(got.Items) < 2 {
			return problem{"没有更早的配置版本", "there is no earlier version of the configuration"}
		}
		c.Version = got.Items[1].Version
	}
	body := map[string]any{"version": c.Version, "clocks": c.Clocks, "dry_run": true, "accounts": len(c.With) > 0}
	var raw json.RawMessage
	if err := cl.post(ctx, configPath+"/rollback", body, &raw); err != nil {
		return err
	}
	var plan configPlanView
	if err := json.Unmarshal(raw, &plan); err != nil {
		return err
	}
	if !c.Yes {
		switch {
		case !c.JSON:
			o.printf(o.say("回退到版本 %d 将会：\n", "going back to version %d would change:\n"), c.Version)
			plan.print(o)
		case c.DryRun:
			return o.json(raw)
		}
		if c.DryRun || !plan.changes() {
			return nil
		}
		if err := o.agreed(ctx, false, c.JSON, "回退？", "Go back?"); err != nil {
			return err
		}
	}
	return finish(ctx, cl, o, c.JSON, !c.Yes, "/rollback", map[string]any{"version": c.Version, "clocks": c.Clocks, "base": plan.Base, "accounts": len(c.With) > 0})
}
