package knowledge_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
)

// TestFiles: what is exported and imported again changes nothing, here or in an
// empty installation; a changed file changes its article and no other.
func TestFiles(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		given := demo(t)
		plan, err := w.k.Import(ctx, w.Chen, given, true)
		w.OK(err)
		if all, err := w.k.Export(ctx, w.Chen); err != nil || len(all) != 0 {
			t.Fatalf("a dry run made %d files: %v", len(all), err)
		}
		done, err := w.k.Import(ctx, w.Chen, given, false)
		w.OK(err)
		if len(plan) != len(done) || len(done) != 12 {
			t.Fatalf("%d planned, %d done", len(plan), len(done))
		}
		for i := range done {
			if done[i].Slug != plan[i].Slug || !slices.Equal(done[i].Do, plan[i].Do) || done[i].Do[0] != "create" {
				t.Errorf("%+v was planned as %+v", done[i], plan[i])
			}
		}
		same := func(files map[string]string) {
			t.Helper()
			done, err := w.k.Import(ctx, w.Chen, files, false)
			w.OK(err)
			for _, d := range done {
				if len(d.Do) > 0 {
					t.Errorf("again: %+v", d)
				}
			}
		}
		out, err := w.k.Export(ctx, w.Auditor)
		w.OK(err)
		if !maps.Equal(out, given) {
			for n := range given {
				if out[n] != given[n] {
					t.Errorf("%s:\n%.300s\nwant\n%.300s", n, out[n], given[n])
				}
			}
		}
		same(out)
		// A newer version that waits stays so, an archived one too.
		a, err := w.k.Article(ctx, w.Chen, "ecs-high-cpu")
		w.OK(err)
		a.Content.ZH.Title = "新标题: \"引号\" # 与 [括号]"
		a.Content.Tags = []string{"a: b", "- c", "true", "1"}
		_, err = w.k.Change(ctx, w.Chen, "ecs-high-cpu", a.Content, "", 0)
		w.OK(err)
		_, err = w.k.Step(ctx, w.Chen, "billing-invoice", knowledge.StepArchive, 0)
		w.OK(err)
		out, err = w.k.Export(ctx, w.Chen)
		w.OK(err)
		same(out)
		now, err := w.k.Article(ctx, w.Chen, "ecs-high-cpu")
		w.OK(err)
		if !now.Pending() || now.State != knowledge.StatePublished {
			t.Errorf("%+v", now)
		}
		// One file alone: one article, published by it, out of the archive.
		text := strings.Replace(strings.Replace(out["billing-invoice.zh-cn.md"], "state: archived", "state: published", 1), "按需资源", "按量资源", 1)
		done, err = w.k.Import(ctx, w.Emma, map[string]string{"billing-invoice.zh-cn.md": strings.ReplaceAll(text, "\n", "\r\n")}, false)
		w.OK(err)
		if len(done) != 1 || !slices.Equal(done[0].Do, []string{"unarchive", "change", "publish"}) || !slices.Contains(done[0].Parts, "zh.body") || !slices.Contains(done[0].Parts, "en.title") {
			t.Errorf("%+v", done)
		}
		if p, err := w.k.Read(ctx, w.Li, "billing-invoice", "", en); err != nil || !p.Fallback || !strings.Contains(p.HTML, "按量资源") {
			t.Errorf("%+v %v", p, err)
		}
	})
}

// TestBrokenFiles: a mistake changes nothing of any file, and is told with file,
// line and reason in both languages.
func TestBrokenFiles(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		good := "---\ntitle: T\nvisibility: customers\nstate: published\n---\n\nbody\n"
		for _, c := range []struct {
			name, text string
			line       int
			reason     string
		}{
			{"x.zh-cn.md", "no front matter", 1, "front matter"},
			{"x.zh-cn.md", "---\ntitle: T\n", 1, "does not end"},
			{"x.zh-cn.md", strings.Replace(good, "title: T", "title: [", 1), 2, "cannot be read"},
			{"x.zh-cn.md", strings.Replace(good, "title: T", "titel: T", 1), 2, "unknown field"},
			{"x.zh-cn.md", strings.Replace(good, "title: T", "title: ''", 1), 2, "no title"},
			{"x.zh-cn.md", strings.Replace(good, "customers", "all", 1), 3, "visibility"},
			{"x.zh-cn.md", strings.Replace(good, "published", "open", 1), 4, "state is"},
			{"x.zh-cn.md", strings.Replace(good, "body", "", 1), 6, "body"},
			{"x.zh-cn.md", strings.Replace(good, "state:", "products: [nonesuch]\nstate:", 1), 4, "nonesuch"},
			{"x.zh-cn.md", strings.Replace(good, "state:", "tags: &a [x]\nstate:", 1), 4, "anchors"},
			{"x.zh-cn.md", "---\ntitle: T\nstate: draft\nvisibility: internal\ntitle: U\n---\n\nb", 5, "already defined"},
			{"X.zh-cn.md", good, 0, "slug.zh-cn.md"},
			{"x.md", good, 0, "slug.zh-cn.md"},
			{"../x.zh-cn.md", good, 0, "slug.zh-cn.md"},
			{"x.zh-cn.md", "---\ntitle: \xff\n---\n", 0, "UTF-8"},
			{"good.en-us.md", strings.Replace(good, "customers", "internal", 1), 3, "visibility"},
		} {
			files := map[string]string{"a-good.zh-cn.md": good, "good.zh-cn.md": good, c.name: c.text}
			if c.name == "good.en-us.md" {
				c.name = "good.zh-cn.md" // the second of the two is told
			}
			_, err := w.k.Import(ctx, w.Chen, files, false)
			var b *knowledge.Broken
			if !errors.As(err, &b) || len(b.Mistakes) != 1 {
				t.Errorf("%s %q: %v", c.name, c.text, err)
				continue
			}
			m := b.Mistakes[0]
			if m.File != c.name || m.Line != c.line || !strings.Contains(m.EN, c.reason) || m.ZH == "" || m.ZH == m.EN {
				t.Errorf("%s %q: %+v", c.name, c.text, m)
			}
			if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || !strings.Contains(locale.Text(zh, f), c.name) || !strings.Contains(locale.Text(en, f), m.EN) {
				t.Errorf("%v", err)
			}
		}
		if all, err := w.k.Export(ctx, w.Chen); err != nil || len(all) > 0 {
			t.Errorf("%d files were taken: %v", len(all), err)
		}
		_, err := w.k.Import(ctx, w.Chen, map[string]string{"a.zh-cn.md": "x", "b.zh-cn.md": "y", "c.zh-cn.md": good}, false)
		var b *knowledge.Broken
		if !errors.As(err, &b) || len(b.Mistakes) != 2 {
			t.Errorf("not all mistakes are told: %v", err)
		}
	})
}

// FuzzFile: no file stops the reader.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "---\n", "---\ntitle: a\n---\n\nb", "---\n[\n---\n", "---\n&a *a\n---\n", "---\n- x\n---\n", "---\n\"\n---\n", "---\ntitle: !!binary x\n---\n"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) { knowledge.ParseFile("x.zh-cn.md", s) })
}
