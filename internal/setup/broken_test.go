package setup_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"casemate/internal/locale"
	"casemate/internal/setup"
	"casemate/internal/yamlfile"
)

// broken are files that make no configuration: the file, its text in the place
// of what is exported, where the mistake is and words of the reason.
var broken = []struct {
	name, file, text string
	at               string // file:line:column
	word             string
}{
	{"not yaml", "teams.yaml", "teams:\n  - id: a\n   name: b\n", "teams.yaml:3:", "cannot be read"},
	{"unknown key of the file", "teams.yaml", "teams: []\ngroups: []\n", "teams.yaml:2:1", `"groups"`},
	{"a list at the root", "teams.yaml", "- id: a\n", "teams.yaml", "teams:"},
	{"unknown key of an entry", "teams.yaml", "teams:\n  - id: a\n    name: {en: A}\n    colour: red\n", "teams.yaml:4:5", "colour"},
	{"repeated key", "teams.yaml", "teams:\n  - id: a\n    id: b\n    name: {en: A}\n", "teams.yaml:3:5", "id"},
	{"a text for a number", "queues.yaml", "queues:\n  - id: a\n    name: {en: A}\n    place: first\n", "queues.yaml:4:12", "place must be a whole number"},
	{"a tag", "teams.yaml", "teams:\n  - id: !!str a\n", "teams.yaml:2:9", "tags"},
	{"an anchor", "teams.yaml", "teams: &all []\n", "teams.yaml:1:8", "anchors"},
	{"two documents", "macros.yaml", "macros: []\n---\nmacros: []\n", "macros.yaml", "one YAML document"},
	{"no such section", "kittens.yaml", "kittens: []\n", "kittens.yaml", "there are: agreements, catalog, domains"},
	{"not utf-8", "teams.yaml", "teams: []\n# \xff\n", "teams.yaml", "UTF-8"},
	{"no name", "teams.yaml", "teams:\n  - id: a\n    name: {}\n", "teams.yaml:3:5", "name"},
	{"a bad id", "teams.yaml", "teams:\n  - id: \"a b/c\"\n    name: {en: A}\n", "teams.yaml:2:5", `"a b/c"`},
	{"an id twice", "macros.yaml", "macros:\n  - {id: m, name: {en: A}, actions: [{do: tag, tags: [a]}]}\n  - {id: m, name: {en: B}, actions: [{do: tag, tags: [a]}]}\n", "macros.yaml:3:6", "first in macros.yaml:2"},
	{"an unknown member", "teams.yaml", "teams:\n  - id: a\n    name: {en: A}\n    members:\n      - nobody\n", "teams.yaml:5:9", `"nobody"`},
	{"a lead who is no member", "teams.yaml", "teams:\n  - id: a\n    name: {en: A}\n    lead: {chen}\n", "teams.yaml:4:5", "member"},
	{"a team that is not there", "queues.yaml", "queues:\n  - id: a\n    name: {en: A}\n    place: 1\n    filter: {}\n    team_id: tier9\n", "queues.yaml:6:5", `"tier9"`},
	{"a severity that is not there", "queues.yaml", "queues:\n  - id: a\n    name: {en: A}\n    place: 1\n    filter:\n      severities: [sev-1, sev-9]\n", "queues.yaml:6:27", `"sev-9"`},
	{"an account that is not there", "queues.yaml", "queues:\n  - id: a\n    name: {en: A}\n    place: 1\n    filter:\n      domain_ids:\n        - acme\n", "queues.yaml:7:11", `"acme"`},
	{"a place out of range", "queues.yaml", "queues:\n  - id: a\n    name: {en: A}\n    place: 100001\n    filter: {}\n", "queues.yaml:4:5", "between 0 and 100000"},
	{"an automatic queue without a team", "queues.yaml", "queues:\n  - id: a\n    name: {en: A}\n    place: 1\n    filter: {}\n    assignment: round_robin\n", "queues.yaml:2:5", "needs a team"},
	{"a private view", "views.yaml", "views:\n  - id: a\n    name: {en: A}\n    place: 1\n    shared: private\n    filter: {}\n", "views.yaml:5:5", "shared"},
	{"an unknown column", "views.yaml", "views:\n  - id: a\n    name: {en: A}\n    place: 1\n    shared: all\n    filter: {}\n    columns: [number, colour]\n", "views.yaml:7:5", "columns"},
	{"an unknown action", "macros.yaml", "macros:\n  - id: a\n    name: {en: A}\n    actions:\n      - do: tag\n        tags: [x]\n      - do: dance\n", "macros.yaml:7:9", "actions[1].do"},
	{"an unknown placeholder", "macros.yaml", "macros:\n  - id: a\n    name: {en: A}\n    actions:\n      - do: reply\n        text:\n          zh: 好\n          en: 'hi {{colour}}'\n", "macros.yaml:8:11", "colour"},
	{"a shortcut twice", "snippets.yaml", "snippets:\n  - {id: a, kind: snippet, shortcut: /x, title: {en: A}, text: {en: a}}\n  - {id: b, kind: snippet, shortcut: /X, title: {en: B}, text: {en: b}}\n", "snippets.yaml:3:28", "/X is taken"},
	{"an unknown kind", "snippets.yaml", "snippets:\n  - id: a\n    kind: poem\n    title: {en: A}\n    text: {en: a}\n", "snippets.yaml:3:5", "kind"},
	{"a rule without a beginning", "rules.yaml", "rules:\n  - id: a\n    name: {en: A}\n    mode: shadow\n    place: 1\n    when: {}\n    then: [{do: tag, tags: [x]}]\n", "rules.yaml:6:5", "events"},
	{"a condition on nothing", "rules.yaml", "rules:\n  - id: a\n    name: {en: A}\n    mode: shadow\n    place: 1\n    when: {events: [ticket.create]}\n    if:\n      all:\n        - field: weather\n          op: eq\n          value: rain\n    then: [{do: tag, tags: [x]}]\n", "rules.yaml:9:11", "if.all[0].field"},
	{"an action's severity that is not there", "rules.yaml", "rules:\n  - id: a\n    name: {en: A}\n    mode: shadow\n    place: 1\n    when: {events: [ticket.create]}\n    then:\n      - do: severity\n        severity: sev-0\n", "rules.yaml:9:9", `"sev-0"`},
	{"an engineer who is not there", "engineers.yaml", "engineers:\n  - id: ghost\n    capacity: 1\n", "engineers.yaml:2:5", `"ghost"`},
	{"too much capacity", "engineers.yaml", "engineers:\n  - id: {chen}\n    capacity: 1001\n", "engineers.yaml:3:5", "1000"},
	{"a shift that is none", "engineers.yaml", "engineers:\n  - id: {chen}\n    plan:\n      week:\n        - {day: 8, hours: '09:00-10:00'}\n", "engineers.yaml:4:7", "between 1 and 7"},
	{"a webhook to nowhere", "webhooks.yaml", "webhooks:\n  - id: a\n    url: ftp://example.org\n", "webhooks.yaml:3:5", "https"},
	{"a webhook's secret", "webhooks.yaml", "webhooks:\n  - id: a\n    url: https://example.org\n    secret: whsec_AAAA\n", "webhooks.yaml:4:5", "secret"},
	{"a kind of event that is none", "webhooks.yaml", "webhooks:\n  - id: a\n    url: https://example.org\n    kinds: [weather.rain]\n", "webhooks.yaml:4:5", "weather.rain"},
	{"a partner's hours", "partners.yaml", "partners:\n  - id: a\n    name: A\n    whitelisted: true\n    zone: GMT+08:00\n    days: 8\n    hours: 8\n", "partners.yaml:6:5", "between 1 and 7"},
	{"a partner's product", "partners.yaml", "partners:\n  - id: a\n    name: A\n    whitelisted: true\n    zone: GMT+08:00\n    days: 5\n    hours: 8\n    services:\n      - {kind: product, id: teapot}\n", "partners.yaml:9:25", `"teapot"`},
	{"a support plan that is not there", "domains.yaml", "domains:\n  - id: {domain}\n    plan: Golden\n", "domains.yaml:3:5", "Golden"},
	{"an account to configure that is not there", "domains.yaml", "domains:\n  - id: acme\n    plan: Business\n", "domains.yaml:2:5", "acme"},
	{"a template that is not there", "templates/x.yaml", "templates:\n  - id: ticket.fly\n", "templates/x.yaml:2:5", `"ticket.fly"`},
	{"a template without its placeholder", "templates/ticket.close.yaml", "templates:\n  - id: ticket.close\n    en:\n      subject: Closed {number}\n      text: Your ticket is closed.\n      sms: 'closed {number}'\n", "templates/ticket.close.yaml:5:7", "{number}"},
	{"markup in a template", "templates/ticket.close.yaml", "templates:\n  - id: ticket.close\n    zh:\n      subject: 关闭 {number}\n      text: '<b>{number}</b>'\n      sms: 'closed {number}'\n", "templates/ticket.close.yaml:5:7", "HTML"},
	{"the catalogue's own mistakes", "catalog/limits.yaml", "limits:\n  create_case_ccemail_max_count: -1\n  open_tickets_per_problem_type: 50\n", "catalog/limits.yaml:2:3", "between"},
	{"an unknown key of the catalogue", "catalog/limits.yaml", "limits:\n  colour: 1\n", "catalog/limits.yaml:2:3", "colour"},
	{"a team goes that a queue has, whose file is left out", "teams.yaml", "teams: []\n", "queues.yaml: ", "team_id: there is no"},
	{"a published agreement", "agreements/agreements.yaml", "", "agreements/agreements.yaml:", "is published and cannot change"},
}

// TestBroken: files that make no configuration change nothing, and the refusal
// names file, line, column and reason, in both languages.
func TestBroken(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		files := w.export()
		before := w.dump()
		fill := strings.NewReplacer("{chen}", w.Chen.User, "{domain}", w.Boss.Domain)
		for _, b := range broken {
			tree := map[string]string{} // sections without a file stay as they are
			if strings.HasPrefix(b.file, "catalog/") || strings.HasPrefix(b.file, "agreements/") {
				maps.Copy(tree, files)
			}
			text := fill.Replace(b.text)
			if text == "" {
				text = strings.Replace(files[b.file], "content:\n      zh: |\n", "content:\n      zh: |\n        改动\n", 1)
				if text == files[b.file] {
					w.t.Fatalf("%s: nothing to change in\n%s", b.name, text)
				}
			}
			tree[b.file] = text
			_, err := w.s.Apply(w.t.Context(), house, bytesOf(tree), setup.How{Clocks: setup.KeepClocks})
			list := (*setup.Broken)(nil)
			if !errors.As(err, &list) {
				w.t.Errorf("%s: %v", b.name, err)
				continue
			}
			found := false
			lines := yamlfile.Lines(list.Mistakes, true, func(m yamlfile.Mistake) string { return m.EN })
			for i, line := range lines {
				if strings.HasPrefix(line, b.at) && strings.Contains(line, b.word) {
					found = true
				}
				if m := list.Mistakes[i]; m.ZH == "" || m.ZH == m.EN {
					w.t.Errorf("%s: no text in Chinese: %q", b.name, m.ZH)
				}
			}
			if !found {
				w.t.Errorf("%s: want %s ... %s, have\n%s", b.name, b.at, b.word, strings.Join(lines, "\n"))
			}
			if said := said(err); !strings.Contains(said, b.at) || !strings.Contains(said, "nothing was changed") {
				w.t.Errorf("%s: the refusal says %q", b.name, said)
			}
		}
		if !maps.Equal(before, w.dump()) {
			w.t.Error("broken files changed something")
		}
		w.same(files, w.export(), "after broken files")
		if len(broken) < 25 {
			w.t.Error("too few")
		}
		_ = locale.ZH
	})
}

// TestBrokenTogether: what cannot be read is told of all files at once, and of
// each entry.
func TestBrokenTogether(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		tree := w.export()
		tree["teams.yaml"] = "teams:\n  - id: a\n    colour: red\n  - id: b\n    colour: blue\n"
		tree["queues.yaml"] = "queues:\n  - id: a\n    place: first\n"
		tree["catalog/regions.yaml"] = strings.Replace(tree["catalog/regions.yaml"], "type: 0", "type: north", 1)
		_, err := w.s.Apply(w.t.Context(), house, bytesOf(tree), setup.How{Clocks: setup.KeepClocks})
		said := said(err)
		for _, want := range []string{"teams.yaml:3:5", "teams.yaml:5:5", "queues.yaml:3:12", "catalog/regions.yaml:"} {
			if !strings.Contains(said, want) {
				w.t.Errorf("%s is not told in %s", want, said)
			}
		}
	})
}
