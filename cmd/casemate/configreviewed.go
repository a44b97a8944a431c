package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/setup"
)

// readPlan reads what plan --out wrote.
func readPlan(path string) (p configPlanView, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Base == nil || p.Files == nil {
		return p, problem{path + "：不是 plan --out 写出的文件", path + ": not a file that plan --out wrote"}
	}
	return p, nil
}

// mostUnseen is how many differences from a reviewed plan are named.
const mostUnseen = 20

// unseen refuses a plan (now) that is not the one that was looked at (seen, read
// from a file): all that it puts in force must have been shown, and all that was
// shown must be put in force, unless the files are the same and what is in force has
// become what they want. What goes by the hour, such as which open tickets are
// touched, does not count.
func unseen(seen, now configPlanView, dir, path string) error {
	moved, edited := setup.Differing(seen.Base, now.Base), setup.Differing(seen.Files, now.Files)
	var lines []locale.Texts
	type entry struct{ action, section, id string }
	shown := map[entry]configChangeView{}
	for _, c := range seen.Changes {
		shown[entry{c.Action, c.Section, c.ID}] = c
	}
	line := func(c configChangeView, zh, en string) {
		who := strings.TrimRight(c.Section+" "+c.ID, " ")
		if c.Name != "" {
			who += " (" + c.Name + ")"
		}
		lines = append(lines, locale.Texts{ZH: "  " + who + "：" + zh, EN: "  " + who + ": " + en})
	}
	for _, c := range now.Changes {
		key := entry{c.Action, c.Section, c.ID}
		was, ok := shown[key]
		delete(shown, key)
		switch {
		case !ok:
			line(c, "差异中没有", "not in the plan")
		case !slices.Equal(was.Fields, c.Fields):
			fields := strings.Join(fieldsApart(was.Fields, c.Fields), ", ")
			line(c, "与差异所示不同（"+fields+"）", "not as in the plan ("+fields+")")
		}
	}
	for _, c := range seen.Changes {
		if _, left := shown[entry{c.Action, c.Section, c.ID}]; left && len(edited) > 0 {
			line(c, "差异中有，现在不会更改", "in the plan, and would not be changed now")
		}
	}
	if len(lines) == 0 && (seen.Layout || now.Layout) { // the catalogue's files are kept as they are, with what no entry shows
		for _, name := range edited {
			if setup.InCatalog(name) {
				lines = append(lines, locale.Texts{ZH: "  " + name + "：注释或文件划分不同", EN: "  " + name + ": comments or the layout differ"})
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	zh, en := "未作更改："+dir+" 的更改不是 "+path+" 所示的：\n", "nothing was changed: what "+dir+" changes is not what "+path+" shows:\n"
	for i, l := range lines {
		if i == mostUnseen {
			zh += fmt.Sprintf("  还有 %d 处\n", len(lines)-i)
			en += fmt.Sprintf("  and %d more\n", len(lines)-i)
			break
		}
		zh, en = zh+l.ZH+"\n", en+l.EN+"\n"
	}
	if len(edited) > 0 {
		files := strings.Join(edited, ", ")
		zh, en = zh+"此后被修改的文件："+files+"\n", en+"files edited since: "+files+"\n"
	}
	if len(moved) > 0 {
		files := strings.Join(moved, ", ")
		zh, en = zh+"此后当前配置有变："+files+"\n", en+"changed in force since: "+files+"\n"
	}
	return problem{zh + "请重新执行 config plan --out 并审阅", en + "make the plan again (config plan --out) and look at it"}
}

// fieldsApart are the fields that only one of two changes of an entry has as it is.
func fieldsApart(a, b []catalog.FieldChange) (names []string) {
	for _, pair := range [][2][]catalog.FieldChange{{a, b}, {b, a}} {
		for _, f := range pair[0] {
			if !slices.Contains(pair[1], f) && !slices.Contains(names, f.Field) {
				names = append(names, f.Field)
			}
		}
	}
	slices.Sort(names)
	return names
}
