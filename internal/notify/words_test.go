package notify_test

import (
	"strings"
	"testing"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

var codeWords = notify.Words{Subject: "{product}: your code", Text: "Code:\n\n{code}\n\n{minutes} minutes. 祝好 {product}", SMS: "{product} {code}"}

// TestTemplateChanged: a changed text shows in the next message, on another
// node within a second, and the built-in one comes back.
func TestTemplateChanged(t *testing.T) {
	mails := &recorder{as: "mails"}
	each(t, notify.Options{Mail: []notify.Channel{mails}, SMS: []notify.Channel{&recorder{as: "texts"}}}, func(w *world) {
		ctx := w.t.Context()
		other, err := notify.New(w.db, w.keys, notify.Options{Mail: []notify.Channel{mails}})
		if err != nil {
			w.t.Fatal(err)
		}
		subject := func(s *notify.Service, m notify.Message) string {
			w.t.Helper()
			p, err := notify.Render(s, m)
			if err != nil {
				w.t.Fatal(err)
			}
			return p.Subject
		}
		builtIn := subject(other, codeMail())
		set, err := w.s.SetTemplate(ctx, admin, notify.TemplateCode, locale.EN, codeWords, nil)
		if err != nil || set.Version != 1 || set.Changed != w.clock.Now().UnixMilli() || set.Actor != admin.User || set.Words != codeWords {
			w.t.Fatalf("stored: %+v, %v", set, err)
		}
		if got := subject(w.s, codeMail()); got != "Casemate: your code" {
			w.t.Errorf("on this node: %q", got)
		}
		if got := subject(other, codeMail()); got != builtIn {
			w.t.Errorf("another node read it every time: %q", got)
		}
		w.clock.Add(time.Second)
		if got := subject(other, codeMail()); got != "Casemate: your code" {
			w.t.Errorf("on another node a second later: %q", got)
		}
		zh := codeMail()
		zh.Language = locale.ZH
		if got := subject(w.s, zh); !strings.Contains(got, "验证码") {
			w.t.Errorf("the other language: %q", got)
		}
		p, err := notify.Render(w.s, codeMail())
		if err != nil || !strings.Contains(p.HTML, `font-size:28px;font-weight:bold;letter-spacing:4px">048213<`) {
			w.t.Errorf("the code does not stand out: %v %s", err, p.HTML)
		}
		// Two who change it at once: the second is told.
		seen := int64(0)
		if _, err := w.s.SetTemplate(ctx, admin, notify.TemplateCode, locale.EN, codeWords, &seen); fault.KindOf(err) != fault.Conflict {
			w.t.Errorf("a stale version: %v", err)
		}
		seen = 1
		if set, err = w.s.SetTemplate(ctx, admin, notify.TemplateCode, locale.EN, codeWords, &seen); err != nil || set.Version != 2 {
			w.t.Errorf("the right version: %+v, %v", set, err)
		}
		all, err := w.s.Templates(ctx, admin)
		if err != nil || len(all) != 2*len(notify.AllTemplates()) {
			w.t.Errorf("%d templates, %v", len(all), err)
		}
		changed := 0
		for _, one := range all {
			if one.Version > 0 {
				changed++
			}
		}
		if changed != 1 {
			w.t.Errorf("%d of them are changed", changed)
		}
		for range 2 { // the second time nothing happens
			if err := w.s.ResetTemplate(ctx, admin, notify.TemplateCode, locale.EN); err != nil {
				w.t.Fatal(err)
			}
		}
		if got := subject(w.s, codeMail()); got != builtIn {
			w.t.Errorf("after the reset: %q", got)
		}
		for name, who := range map[string]principal.Principal{"engineer": engineer, "customer": customer} {
			if _, err := w.s.SetTemplate(ctx, who, notify.TemplateCode, locale.EN, codeWords, nil); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s changes templates: %v", name, err)
			}
			if err := w.s.ResetTemplate(ctx, who, notify.TemplateCode, locale.EN); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s resets templates: %v", name, err)
			}
			if _, err := w.s.PreviewTemplate(ctx, who, notify.TemplateCode, locale.EN, nil); fault.KindOf(err) != fault.Forbidden {
				w.t.Errorf("%s previews templates: %v", name, err)
			}
		}
	})
}

// TestTemplateRules: what is refused, with which words, and that nothing of it
// is stored.
func TestTemplateRules(t *testing.T) {
	each(t, notify.Options{Mail: []notify.Channel{&recorder{as: "m"}}}, func(w *world) {
		ctx := w.t.Context()
		for name, c := range map[string]struct {
			template  string
			change    func(*notify.Words)
			field, en string // "" = accepted
			zh        string
		}{
			"longest": {notify.TemplateCode, func(x *notify.Words) {
				x.Subject, x.SMS, x.Text = strings.Repeat("主", 200), "{code}"+strings.Repeat("x", 494), "{code}"+strings.Repeat("长", 4994)
			}, "", "", ""},
			"subject too long": {notify.TemplateCode, func(x *notify.Words) { x.Subject = strings.Repeat("主", 201) }, "subject", "at most 200", "最多 200"},
			"text too long":    {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}" + strings.Repeat("x", 4995) }, "text", "at most 5000", "最多 5000"},
			"sms too long":     {notify.TemplateCode, func(x *notify.Words) { x.SMS = "{code}" + strings.Repeat("x", 495) }, "sms", "at most 500", "最多 500"},
			"blank subject":    {notify.TemplateCode, func(x *notify.Words) { x.Subject = " \t" }, "subject", "blank", "不能为空"},
			"blank sms":        {notify.TemplateCode, func(x *notify.Words) { x.SMS = "" }, "sms", "blank", "不能为空"},
			"no code":          {notify.TemplateCode, func(x *notify.Words) { x.Text = "hello" }, "text", "{code}", "{code}"},
			"no code in sms":   {notify.TemplateCode, func(x *notify.Words) { x.SMS = "hello" }, "sms", "{code}", "{code}"},
			"code in subject":  {notify.TemplateCode, func(x *notify.Words) { x.Subject = "码 {code}" }, "subject", "character 3", "第 3 个"},
			"foreign":          {notify.TemplateCode, func(x *notify.Words) { x.Text = "验证码 {code} {number}" }, "text", "character 12: this template has no placeholder {number}", "第 12 个字符：此模板没有占位符 {number}"},
			"spelled wrong":    {notify.TemplateCode, func(x *notify.Words) { x.Text = "{Code} {code}" }, "text", "character 1: braces", "第 1 个字符"},
			"open brace":       {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code} {" }, "text", "character 8: braces", "第 8 个字符"},
			"two braces":       {notify.TemplateCode, func(x *notify.Words) { x.Text = "{{code}}" }, "text", "character 1: braces", "第 1 个字符"},
			"line in subject":  {notify.TemplateCode, func(x *notify.Words) { x.Subject = "a\nBcc: x" }, "subject", "character 2: control", "第 2 个字符"},
			"line in sms":      {notify.TemplateCode, func(x *notify.Words) { x.SMS = "{code}\nx" }, "sms", "character 7: control", "第 7 个字符"},
			"NUL":              {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}\x00" }, "text", "character 7: control", "第 7 个字符"},
			"escape":           {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}\x1b[1m" }, "text", "control", "控制字符"},
			"bidi":             {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}\u202e" }, "text", "control", "控制字符"},
			"no UTF-8":         {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}\xff" }, "text", "control", "控制字符"},
			"HTML":             {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}<b>x</b>" }, "text", "character 7: HTML", "第 7 个字符：不允许 HTML"},
			"entity":           {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code}&nbsp;" }, "text", "HTML", "HTML"},
			"smaller than":     {notify.TemplateCode, func(x *notify.Words) { x.Text = "{code} < 5 & more" }, "", "", ""},
			"Windows lines":    {notify.TemplateCode, func(x *notify.Words) { x.Text = "a\r\n\r\n{code}" }, "", "", ""},
			"mails only":       {notify.TemplateAssigned, func(x *notify.Words) { x.Text, x.SMS = "{number}", "{number}" }, "sms", "mail only", "仅用于邮件"},
			"mails only, good": {notify.TemplateAssigned, func(x *notify.Words) { x.Text, x.SMS = "{number}", "" }, "", "", ""},
		} {
			x := codeWords
			c.change(&x)
			_, err := w.s.SetTemplate(ctx, admin, c.template, locale.EN, x, nil)
			_, preview := w.s.PreviewTemplate(ctx, admin, c.template, locale.EN, &x)
			if (err == nil) != (preview == nil) {
				w.t.Errorf("%s: set says %v, preview %v", name, err, preview)
			}
			if c.field == "" {
				if err != nil {
					w.t.Errorf("%s: %v", name, err)
				}
				if err := w.s.ResetTemplate(ctx, admin, c.template, locale.EN); err != nil {
					w.t.Fatal(err)
				}
				continue
			}
			f, ok := fault.As(err)
			if !ok || f.Kind != fault.Invalid || f.Code != fault.CodeInvalid || f.Field != c.field {
				w.t.Errorf("%s: %v", name, err)
				continue
			}
			if en, zh := locale.Text(locale.EN, f), locale.Text(locale.ZH, f); !strings.Contains(en, c.en) || !strings.Contains(zh, c.zh) {
				w.t.Errorf("%s: %q, %q", name, en, zh)
			}
			if now, err := w.s.Template(ctx, admin, c.template, locale.EN); err != nil || now.Version != 0 {
				w.t.Errorf("%s: stored nevertheless: %+v, %v", name, now, err)
			}
		}
		if _, err := w.s.SetTemplate(ctx, admin, "no.such", locale.EN, codeWords, nil); fault.KindOf(err) != fault.NotFound {
			w.t.Errorf("an unknown template: %v", err)
		}
		for _, name := range notify.AllTemplates() {
			for _, lang := range []locale.Language{locale.ZH, locale.EN} {
				// The built-in texts keep our own rules, and a preview shows them.
				built, err := w.s.Template(ctx, admin, name, lang)
				if err != nil {
					w.t.Fatal(err)
				}
				p, err := w.s.PreviewTemplate(ctx, admin, name, lang, &built.Words)
				if err != nil || p.Subject == "" || p.Text == "" || p.HTML == "" || (p.SMS != "") != notify.SMSToo(name) || strings.Contains(p.Text+p.Subject+p.SMS, "{") {
					w.t.Errorf("%s %s: %+v, %v", name, lang, p, err)
				}
				// There is no console of ours to send anybody to.
				if text := p.Text + p.Subject + p.SMS; strings.Contains(text, "console") || strings.Contains(text, "控制台") {
					w.t.Errorf("%s %s sends people to a console: %s", name, lang, text)
				}
			}
		}
	})
}
