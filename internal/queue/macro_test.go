package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

func words(zh, en string) *locale.Texts { return &locale.Texts{ZH: zh, EN: en} }

// lead is a supervisor of the house.
func (w *world) lead() principal.Principal {
	return w.Engineer("zhao", "赵主管", principal.RoleSupervisor)
}

// field wants a refusal that names the field.
func (w *world) field(err error, field string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Field != field {
		w.t.Errorf("error %v, want one that names %s", err, field)
	}
}

// once is the context of a request with an idempotency key.
func (w *world) once(key string) context.Context {
	return db.WithRequestKey(w.t.Context(), db.RequestKey{ID: key, Domain: principal.House, Until: w.Clock.Now().Add(time.Hour).UnixMilli()})
}

// show is a ticket on the desk.
func (w *world) show(number string) ticket.DeskTicket {
	w.t.Helper()
	t, err := w.Tickets.DeskShow(w.t.Context(), w.Chen, number)
	w.OK(err)
	return t
}

// said are a ticket's messages and notes.
func (w *world) said(number string) (all []string) {
	w.t.Helper()
	messages, err := w.Tickets.DeskMessages(w.t.Context(), w.Chen, number)
	w.OK(err)
	for _, m := range messages {
		kind := "message "
		if m.Internal {
			kind = "note "
		}
		all = append(all, kind+m.Text)
	}
	return all
}

// TestActionRules: every rule of actions refuses by the path of the bad field,
// and nothing is stored.
func TestActionRules(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		long := strings.Repeat("长", 10000)
		reply := func(zh, en string) queue.Action { return queue.Action{Do: "reply", Text: words(zh, en)} }
		for i, c := range []struct {
			acts  []queue.Action
			field string // "" = taken
		}{
			{nil, "actions"},
			{slices.Repeat([]queue.Action{{Do: "pause"}}, 10), ""},
			{slices.Repeat([]queue.Action{{Do: "pause"}}, 11), "actions"},
			{[]queue.Action{{Do: "explode"}}, "actions[0].do"},
			{[]queue.Action{{Do: "accept"}}, "actions[0].do"},
			{[]queue.Action{{}}, "actions[0].do"},
			{[]queue.Action{reply("好", ""), {Do: "reply"}}, "actions[1].text"},
			{[]queue.Action{reply(" ", "\n")}, "actions[0].text"},
			{[]queue.Action{reply(long, "")}, ""},
			{[]queue.Action{reply(long+"长", "")}, "actions[0].text.zh"},
			{[]queue.Action{reply("", long+"长")}, "actions[0].text.en"},
			{[]queue.Action{reply("您好 {{customer.name}}", "")}, ""},
			{[]queue.Action{reply("您好 {{customer.password}}", "")}, "actions[0].text.zh"},
			{[]queue.Action{reply("x", "hello {{ ticket.number")}, "actions[0].text.en"},
			{[]queue.Action{reply("x", "hello }}")}, "actions[0].text.en"},
			{[]queue.Action{reply("单括号 {x} 可以", "")}, ""},
			{[]queue.Action{{Do: "tag", Text: words("x", "")}}, "actions[0].text"},
			{[]queue.Action{{Do: "tag"}}, "actions[0].tags"},
			{[]queue.Action{{Do: "tag", Tags: []string{"a,b"}}}, "actions[0].tags"},
			{[]queue.Action{{Do: "tag", Tags: []string{strings.Repeat("签", 33)}}}, "actions[0].tags"},
			{[]queue.Action{{Do: "tag", Tags: []string{strings.Repeat("签", 32)}}}, ""},
			{[]queue.Action{{Do: "severity"}}, "actions[0].severity"},
			{[]queue.Action{{Do: "severity", Severity: "nope"}}, "actions[0].severity"},
			{[]queue.Action{{Do: "pause", Severity: "1"}}, "actions[0].severity"},
			{[]queue.Action{{Do: "assign"}}, "actions[0].to"},
			{[]queue.Action{{Do: "assign", To: "me"}}, ""},
			{[]queue.Action{{Do: "assign", To: "emma"}}, ""},
			{[]queue.Action{{Do: "assign", To: "nobody-here"}}, "actions[0].to"},
			{[]queue.Action{{Do: "assign", To: "audit"}}, "actions[0].to"},
			{[]queue.Action{{Do: "assign", To: "emma", Handler: "chen"}}, "actions[0].handler"},
			{[]queue.Action{{Do: "transfer", To: "mars"}}, "actions[0].to"},
			{[]queue.Action{{Do: "transfer", To: "partner"}}, ""},
			{[]queue.Action{{Do: "transfer", To: "house", Handler: "none-such"}}, "actions[0].handler"},
			{[]queue.Action{{Do: "notify", To: "supervisors"}, {Do: "notify", To: "handler"}, {Do: "notify", To: w.Emma.User}}, ""},
			{[]queue.Action{{Do: "notify", To: "the cat"}}, "actions[0].to"},
		} {
			m, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: locale.Texts{ZH: "宏"}, Actions: c.acts})
			if c.field == "" {
				w.OK(err)
				w.OK(w.q.DeleteMacro(ctx, w.Chen, m.ID, 1))
				continue
			}
			if err == nil {
				t.Errorf("case %d was taken", i)
				continue
			}
			w.field(err, c.field)
		}
		for _, n := range []locale.Texts{{}, {ZH: strings.Repeat("名", 65)}, {EN: strings.Repeat("n", 65)}} {
			if _, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: n, Actions: []queue.Action{{Do: "pause"}}}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("name %v: %v", n, err)
			}
		}
		all, err := w.q.Macros(ctx, w.Chen)
		w.OK(err)
		if len(all) != 0 {
			t.Errorf("%d macros were stored", len(all))
		}
	})
}

// TestMacroRights: private ones are their owner's alone, shared ones everybody's
// and changed by supervisors; auditors, partners and customers have none.
func TestMacroRights(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		in := queue.NewMacro{Name: locale.Texts{ZH: "挂起", EN: "Hold"}, Actions: []queue.Action{{Do: "pause"}}}
		mine, err := w.q.CreateMacro(ctx, w.Chen, in)
		w.OK(err)
		in.Shared = true
		_, err = w.q.CreateMacro(ctx, w.Chen, in)
		w.Refused(err, "02")
		shared, err := w.q.CreateMacro(ctx, lead, in)
		w.OK(err)
		for _, c := range []struct {
			who  principal.Principal
			want []string
		}{{w.Chen, []string{shared.ID, mine.ID}}, {w.Emma, []string{shared.ID}}, {lead, []string{shared.ID}}, {principal.Principal{Kind: principal.Local}, []string{shared.ID}}} {
			all, err := w.q.Macros(ctx, c.who)
			w.OK(err)
			var ids []string
			for _, m := range all {
				ids = append(ids, m.ID)
			}
			if !slices.Equal(ids, c.want) {
				t.Errorf("%s sees %v, want %v", c.who.UserName, ids, c.want)
			}
		}
		for _, who := range []principal.Principal{w.Emma, lead} {
			if _, err := w.q.Macro(ctx, who, mine.ID); !isFault(err, queue.ErrNoMacro) {
				t.Errorf("%s reads another's: %v", who.UserName, err)
			}
			if err := w.q.DeleteMacro(ctx, who, mine.ID, 0); !isFault(err, queue.ErrNoMacro) {
				t.Errorf("%s deletes another's: %v", who.UserName, err)
			}
		}
		_, err = w.q.ChangeMacro(ctx, w.Emma, shared.ID, in, 0)
		w.Refused(err, "02")
		partner := w.Emma
		partner.Partner = "p"
		for _, who := range []principal.Principal{w.Auditor, partner, w.Boss, {}} {
			reads := func(err error) {
				t.Helper()
				if who.Role == principal.RoleAuditor { // auditors read
					w.OK(err)
				} else {
					w.Refused(err, "02")
				}
			}
			_, err := w.q.Macros(ctx, who)
			reads(err)
			_, err = w.q.CreateMacro(ctx, who, queue.NewMacro{Name: in.Name, Actions: in.Actions})
			w.Refused(err, "02")
			_, err = w.q.RunMacro(ctx, who, queue.Use{Macro: shared.ID, Number: "TS1"})
			w.Refused(err, "02")
			_, err = w.q.RunBulk(ctx, who, queue.NewBulk{Numbers: []string{"x"}, Actions: in.Actions})
			w.Refused(err, "02")
			_, err = w.q.Snippets(ctx, who, queue.SnippetFilter{})
			reads(err)
			_, err = w.q.Rules(ctx, who)
			reads(err)
		}
		// Versions: who has read an older one is refused.
		changed, err := w.q.ChangeMacro(ctx, lead, shared.ID, in, 1)
		w.OK(err)
		if changed.Version != 2 {
			t.Errorf("version %d", changed.Version)
		}
		if _, err = w.q.ChangeMacro(ctx, lead, shared.ID, in, 1); !isFault(err, queue.ErrAutoStale) {
			t.Errorf("an old version: %v", err)
		}
		if err = w.q.DeleteMacro(ctx, lead, shared.ID, 1); !isFault(err, queue.ErrAutoStale) {
			t.Errorf("an old version: %v", err)
		}
		w.OK(w.q.DeleteMacro(ctx, lead, shared.ID, 2))
		// What is gone is called by its name in the audit, somebody's own is not.
		own, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: named("secret of mine"), Actions: in.Actions})
		w.OK(err)
		w.OK(w.q.DeleteMacro(ctx, w.Chen, own.ID, 1))
		for _, e := range w.events("macro.delete") {
			if tells := strings.Contains(string(e.Data), in.Name.EN); tells != (e.SubjectID == shared.ID) || strings.Contains(string(e.Data), "secret of mine") {
				t.Errorf("the deletion of %s holds %s", e.SubjectID, e.Data)
			}
		}
	})
}

func isFault(err error, want *fault.Error) bool { f, ok := fault.As(err); return ok && f.Is(want) }

// fault ticket of the domain with a plan, so that it has severities.
func (w *world) faultTicket(text, severity string, lang locale.Language) string {
	w.t.Helper()
	w.Clock.Add(time.Millisecond)
	draft := w.Draft(text)
	draft.ProblemType, draft.Severity, draft.Region = w.Fault, severity, w.Catalog.Now().Regions(0)[0].ID
	draft.Locale.Language = lang
	n, err := w.Tickets.Create(w.t.Context(), w.Li, draft)
	w.OK(err)
	return n
}

func (w *world) severities() (ids []string) {
	kind, _ := w.Catalog.Now().ProblemType(w.Fault)
	for _, s := range w.Catalog.Now().SeveritiesOf("Business", kind) {
		ids = append(ids, s.ID)
	}
	return ids
}

// TestPreviewIsRun: a run has exactly the effects its preview told: state,
// handler, severity, tags and versions action by action, texts as written, the
// customer's notices and the engineers'. In both languages.
func TestPreviewIsRun(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		severities := w.severities()
		_, err := w.Ident.CreateUser(ctx, principal.AsSystem(principal.House), newPerson("mailed", principal.RoleEngineer, "mailed@house.example"))
		w.OK(err)
		m, err := w.q.CreateMacro(ctx, lead, queue.NewMacro{Name: locale.Texts{ZH: "转二线"}, Shared: true, Actions: []queue.Action{
			{Do: "assign", To: "me"},
			{Do: "assign", To: "chen"},
			{Do: "reply", Text: words("{{customer.user}} 您好，{{engineer.alias}} 正在处理 {{ticket.number}}（{{status}}，{{severity}}）", "")},
			{Do: "severity", Severity: severities[0]},
			{Do: "tag", Tags: []string{"VIP", "二线"}},
			{Do: "tag", Tags: []string{"vip"}},
			{Do: "note", Text: words("", "escalated for {{customer.name}} by {{handler.alias}}, plan {{plan}}, {{ticket.product}}, {{ticket.problem_type}} of {{ticket.created}}")},
			{Do: "assign", To: "mailed"},
			{Do: "notify", To: "handler"},
			{Do: "ask", Text: words("请提供日志", "please send the log")},
		}})
		w.OK(err)
		for _, lang := range []locale.Language{locale.ZH, locale.EN} {
			n := w.faultTicket("无法登录", severities[len(severities)-1], lang)
			w.Work()
			before := w.show(n)
			p, err := w.q.PreviewMacro(ctx, w.Chen, queue.Use{Macro: m.ID, Number: n})
			w.OK(err)
			if now := w.show(n); now.Revision != before.Revision || len(w.said(n)) != 1 {
				t.Fatal("the preview changed the ticket")
			}
			w.Post.Mu.Lock()
			w.Post.Got = nil
			w.Post.Mu.Unlock()
			ran, err := w.q.RunMacro(ctx, w.Chen, queue.Use{Macro: m.ID, Number: n, Version: p.Version})
			w.OK(err)
			if !ran.Done || len(ran.Outcomes) != len(p.Effects) {
				t.Fatalf("%d of %d actions: %+v", len(ran.Outcomes), len(p.Effects), ran.Outcomes)
			}
			mails := map[string]int{}
			var texts []string
			for i, e := range p.Effects {
				o := ran.Outcomes[i]
				if e.Refusal != nil || e.Same != o.Same || o.Version != 0 && o.Version != e.Version {
					t.Errorf("action %d: foreseen %+v, done %+v", i, e, o)
				}
				if e.Text != "" {
					texts = append(texts, e.Text)
				}
				for _, c := range e.Customer {
					mails["customer "+string(c.Way)]++
				}
				for _, name := range e.Engineers {
					mails["engineer "+name]++
				}
			}
			last, now := p.Effects[len(p.Effects)-1], w.show(n)
			if now.Status != last.Status || now.Assignee != last.Assignee || now.Severity != last.Severity || now.Revision != last.Version || !slices.Equal(now.Tags, last.Tags) {
				t.Errorf("the ticket is %d %s %s %d %v, foreseen %+v", now.Status, now.Assignee, now.Severity, now.Revision, now.Tags, last)
			}
			if now.Status != ticket.Feedback || now.AssigneeName != "mailed" || now.Severity != severities[0] || !slices.Equal(now.Tags, []string{"VIP", "二线"}) {
				t.Errorf("the ticket is %d %s %s %v", now.Status, now.AssigneeName, now.Severity, now.Tags)
			}
			if !p.Effects[5].Same || !p.Effects[1].Same {
				t.Error("a tag that is there is told as a change")
			}
			said := w.said(n)[1:]
			if len(said) != len(texts) {
				t.Fatalf("written %v, foreseen %v", said, texts)
			}
			for i := range said {
				if !strings.HasSuffix(said[i], texts[i]) || texts[i] == "" {
					t.Errorf("written %q, foreseen %q", said[i], texts[i])
				}
			}
			if want := "message li 您好，工程师小陈 正在处理 " + n; !strings.HasPrefix(said[0], want) || !strings.Contains(said[0], "待受理") {
				t.Errorf("the reply is %q", said[0])
			}
			if !strings.Contains(said[1], "escalated for 云帆科技 by our engineer, plan ") {
				t.Errorf("the note is %q", said[1])
			}
			if want := map[locale.Language]string{locale.ZH: "message 请提供日志", locale.EN: "message please send the log"}[lang]; said[2] != want {
				t.Errorf("the question is %q", said[2])
			}
			if miss := p.Effects[6].Missing; !slices.Equal(miss, []string{"handler.alias"}) {
				t.Errorf("missing values %v", miss)
			}
			// Who was notified: the notices queued by the run and by those who follow.
			w.seal()
			w.OK(w.Tickets.Follow(ctx))
			w.Work()
			got := map[string]int{}
			for _, m := range w.Post.Got {
				switch {
				case m.To == "mailed@house.example":
					got["engineer mailed"]++
				case strings.HasPrefix(m.Template, "desk."):
					got["engineer "+m.To]++
				default:
					got["customer "+string(m.Way)]++
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(mails) {
				t.Errorf("notified %v, foreseen %v", got, mails)
			}
			if mails["customer "+string(notify.Mail)] != 2 || mails["engineer mailed"] != 2 {
				t.Errorf("foreseen %v", mails)
			}
		}
	})
}

// TestMacroRefused: what would be refused is previewed with its reason and
// refused by the run before anything is done; a ticket that changed behind the
// preview is refused; a colleague's step in between stops a run, which says so.
func TestMacroRefused(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		n := w.Create(w.Li, "needs help")
		m, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: locale.Texts{EN: "wrong order"}, Actions: []queue.Action{
			{Do: "note", Text: words("", "first")}, {Do: "resume"}, {Do: "tag", Tags: []string{"late"}}}})
		w.OK(err)
		p, err := w.q.PreviewMacro(ctx, w.Chen, queue.Use{Macro: m.ID, Number: n})
		w.OK(err)
		if p.Effects[0].Refusal != nil || p.Effects[1].Refusal == nil || p.Effects[1].Refusal.Code != fault.CodeNoPermission || p.Effects[2].Refusal != nil {
			t.Errorf("foreseen %+v", p.Effects)
		}
		_, err = w.q.RunMacro(ctx, w.Chen, queue.Use{Macro: m.ID, Number: n})
		w.Refused(err, "02")
		w.field(err, "actions[1]")
		if now := w.show(n); now.Revision != p.Version || len(w.said(n)) != 1 {
			t.Error("a refused run changed the ticket")
		}
		// Severity by the plan's rules: a question has none.
		_, err = w.q.RunMacro(ctx, w.Chen, queue.Use{Actions: []queue.Action{{Do: "severity", Severity: w.severities()[0]}}, Number: n})
		w.Refused(err, "09")
		good := []queue.Action{{Do: "reply", Text: words("收到", "got it")}, {Do: "pause"}}
		p, err = w.q.PreviewMacro(ctx, w.Chen, queue.Use{Actions: good, Number: n})
		w.OK(err)
		w.OK(w.Step(w.Chen, n, "note", "in between"))
		_, err = w.q.RunMacro(ctx, w.Chen, queue.Use{Actions: good, Number: n, Version: p.Version})
		w.Refused(err, "02")
		w.field(err, "version")
		_, err = w.q.PreviewMacro(ctx, w.Chen, queue.Use{Macro: m.ID, Number: "TS2601010000000000000"})
		w.Refused(err, "15")
		_, err = w.q.PreviewMacro(ctx, w.Chen, queue.Use{Macro: "nope", Number: n})
		if !isFault(err, queue.ErrNoMacro) {
			t.Errorf("%v", err)
		}
	})
}

// TestMacroTyped: a typed text replaces the macro's own and nothing else, as it
// is; without a text to replace it is refused.
func TestMacroTyped(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		n := w.Create(w.Li, "needs help")
		acts := []queue.Action{{Do: "note", Text: words("内部", "internal")}, {Do: "reply", Text: words("宏的文本", "the macro's")}, {Do: "ask", Text: words("第二段", "the second")}}
		_, err := w.q.RunMacro(ctx, w.Chen, queue.Use{Actions: acts, Number: n, Text: "我写的 {{ticket.number}} 不替换"})
		w.OK(err)
		want := []string{"message needs help", "note 内部", "message 我写的 {{ticket.number}} 不替换", "message 第二段"}
		if got := w.said(n); !slices.Equal(got, want) {
			t.Errorf("written %q, want %q", got, want)
		}
		_, err = w.q.RunMacro(ctx, w.Chen, queue.Use{Actions: acts[:1], Number: n, Text: "mine"})
		w.field(err, "text")
		_, err = w.q.RunMacro(ctx, w.Chen, queue.Use{Actions: acts, Number: n, Text: strings.Repeat("字", 10001)})
		w.field(err, "text")
		if got := w.said(n); len(got) != len(want) {
			t.Errorf("written %q", got)
		}
	})
}

// TestMacroOnce: a repeated request answers what the first did and does nothing
// twice, also when the first was cut off in the middle.
func TestMacroOnce(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		n := w.Create(w.Li, "needs help")
		use := queue.Use{Actions: []queue.Action{{Do: "reply", Text: words("一", "one")}, {Do: "note", Text: words("二", "two")}, {Do: "pause"}}, Number: n, Version: w.show(n).Revision}
		first, err := w.q.RunMacro(w.once("k1"), w.Chen, use)
		w.OK(err)
		again, err := w.q.RunMacro(w.once("k1"), w.Chen, use)
		w.OK(err)
		if fmt.Sprint(first) != fmt.Sprint(again) {
			t.Errorf("the repeat answers %+v, the first %+v", again, first)
		}
		if got := w.said(n); len(got) != 3 {
			t.Errorf("written %q", got)
		}
		// Cut off before the second action: the repeat does what is left.
		use = queue.Use{Actions: []queue.Action{{Do: "resume"}, {Do: "note", Text: words("四", "four")}, {Do: "note", Text: words("五", "five")}}, Number: n, Version: w.show(n).Revision}
		calls, died := 0, errors.New("the node died")
		w.q.Interrupt(func(at string) error {
			if calls++; calls == 2 {
				return died
			}
			return nil
		})
		if _, err := w.q.RunMacro(w.once("k3"), w.Chen, use); !errors.Is(err, died) {
			t.Fatalf("%v", err)
		}
		w.q.Interrupt(nil)
		if got := w.said(n); len(got) != 3 {
			t.Errorf("written %q", got)
		}
		ran, err := w.q.RunMacro(w.once("k3"), w.Chen, use)
		w.OK(err)
		if got := w.said(n); !ran.Done || len(got) != 5 || w.show(n).Revision != use.Version+3 || ran.Version != use.Version+3 {
			t.Errorf("written %q, %+v", got, ran)
		}
		use.Version = w.show(n).Revision
		use.Actions = []queue.Action{{Do: "note", Text: words("三", "three")}}
		if _, err = w.q.RunMacro(w.once("k2"), w.Chen, use); err != nil {
			t.Error(err)
		}
	})
}
