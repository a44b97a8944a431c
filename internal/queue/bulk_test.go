package queue_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

func newPerson(name, role, mail string) identity.NewUser {
	return identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1", Role: role, Alias: name, Mail: mail}
}

// TestBulk: one bad ticket does not stop the others; each tells its versions; a
// repeat does nothing twice; the record can be read again.
func TestBulk(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		var numbers []string
		for i := range 5 {
			numbers = append(numbers, w.Create(w.Li, fmt.Sprint("ticket ", i)))
		}
		w.OK(w.Act(w.Li, numbers[2], "cancel"))
		numbers = append(numbers, "TS2601010000000000000")
		acts := []queue.Action{{Do: "tag", Tags: []string{"批量"}}, {Do: "reply", Text: words("已知问题，正在修复", "a known problem, it is being fixed")}, {Do: "tag", Tags: []string{"批量"}}}
		preview, err := w.q.PreviewBulk(ctx, w.Chen, queue.NewBulk{Numbers: numbers, Actions: acts})
		w.OK(err)
		if got := w.show(numbers[0]); got.Revision != 1 {
			t.Error("the preview changed a ticket")
		}
		b, err := w.q.RunBulk(w.once("bulk"), w.Chen, queue.NewBulk{Numbers: numbers, Actions: acts})
		w.OK(err)
		if b.Total != 6 || b.Done != 6 || b.Refused != 2 || b.End == 0 || b.ActorName != "chen" {
			t.Errorf("%+v", b)
		}
		for i, item := range b.Items {
			if fmt.Sprint(item.Outcomes, item.Before, item.After) != fmt.Sprint(preview[i].Outcomes, preview[i].Before, preview[i].After) {
				t.Errorf("ticket %d: foreseen %+v, done %+v", i, preview[i], item)
			}
			switch i {
			case 2: // canceled: the tag is put on, the reply refused
				if item.OK() || item.Outcomes[1].Code != "OSM.01010002" || item.Outcomes[1].ZH == "" || item.Outcomes[1].EN == "" || item.Before != 2 || item.After != 3 || len(item.Outcomes) != 2 {
					t.Errorf("the canceled one: %+v", item)
				}
			case 5:
				if item.OK() || item.ID != "" || item.Outcomes[0].Code != "OSM.01010015" || item.After != 0 {
					t.Errorf("the unknown one: %+v", item)
				}
			default:
				if !item.OK() || item.Before != 1 || item.After != 3 || w.show(item.Number).Revision != 3 || !item.Outcomes[2].Same {
					t.Errorf("ticket %d: %+v", i, item)
				}
			}
		}
		again, err := w.q.RunBulk(w.once("bulk"), w.Chen, queue.NewBulk{Numbers: numbers, Actions: acts})
		w.OK(err)
		if !reflect.DeepEqual(again, b) || w.show(numbers[0]).Revision != 3 {
			t.Errorf("the repeat answers %+v, the first %+v", again, b)
		}
		shown, err := w.q.ShowBulk(ctx, lead, b.ID)
		w.OK(err)
		if !reflect.DeepEqual(shown, b) {
			t.Errorf("shown %+v", shown)
		}
		if _, err := w.q.ShowBulk(ctx, w.Emma, b.ID); !isFault(err, queue.ErrNoBulk) {
			t.Errorf("another engineer reads it: %v", err)
		}
		for _, c := range []struct {
			who  principal.Principal
			want int
		}{{w.Chen, 1}, {w.Emma, 0}, {lead, 1}} {
			all, next, err := w.q.Bulks(ctx, c.who, "", 1)
			w.OK(err)
			if len(all) != c.want || next != "" {
				t.Errorf("%s lists %d runs", c.who.UserName, len(all))
			}
			if len(all) == 1 && (all[0].Done != 6 || all[0].Refused != 2) {
				t.Errorf("listed %+v", all[0])
			}
		}
	})
}

// TestBulkInterrupted: a repeat of a request that was cut off does what is left,
// nothing twice.
func TestBulkInterrupted(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		var numbers []string
		for i := range 3 {
			numbers = append(numbers, w.Create(w.Li, fmt.Sprint("ticket ", i)))
		}
		in := queue.NewBulk{Numbers: numbers, Actions: []queue.Action{{Do: "note", Text: words("甲", "")}, {Do: "note", Text: words("乙", "")}}}
		calls, died := 0, errors.New("the node died")
		w.q.Interrupt(func(string) error {
			if calls++; calls == 4 { // before the second action of the second ticket
				return died
			}
			return nil
		})
		if _, err := w.q.RunBulk(w.once("b"), w.Chen, in); !errors.Is(err, died) {
			t.Fatalf("%v", err)
		}
		all, _, err := w.q.Bulks(t.Context(), w.Chen, "", 0)
		w.OK(err)
		if len(all) != 1 || all[0].Done != 1 || all[0].End != 0 {
			t.Errorf("listed %+v", all)
		}
		w.q.Interrupt(nil)
		b, err := w.q.RunBulk(w.once("b"), w.Chen, in)
		w.OK(err)
		if b.ID != all[0].ID || b.Done != 3 || b.Refused != 0 || b.End == 0 {
			t.Errorf("%+v", b)
		}
		for i, n := range numbers {
			if got := w.said(n); !slices.Equal(got[1:], []string{"note 甲", "note 乙"}) || b.Items[i].Before != 1 || b.Items[i].After != 3 {
				t.Errorf("%s holds %q, %+v", n, got, b.Items[i])
			}
		}
	})
}

// TestBulkFilter: a filter's tickets, with a count before; limits at the most and
// one more.
func TestBulkFilter(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := t.Context()
		w.Unlimited()
		var all []string
		for i := range 101 {
			all = append(all, w.Create(w.Li, fmt.Sprint("ticket ", i)))
		}
		tag := []queue.Action{{Do: "tag", Tags: []string{"x"}}}
		_, err := w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Numbers: all, Actions: tag})
		w.field(err, "numbers")
		_, err = w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Actions: tag})
		w.field(err, "numbers")
		_, err = w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Numbers: []string{all[0], all[0]}, Actions: tag})
		w.field(err, "numbers")
		_, err = w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Numbers: all[:1], Filter: &ticket.DeskFilter{}, Actions: tag})
		w.field(err, "filter")
		mine := ticket.DeskFilter{Domain: w.Li.Domain, Statuses: []ticket.Status{ticket.Submitted}}
		n, err := w.q.CountBulk(ctx, w.Chen, mine)
		w.OK(err)
		if n != 101 {
			t.Errorf("%d match", n)
		}
		_, err = w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Filter: &mine, Actions: tag})
		w.field(err, "filter")
		w.OK(w.Act(w.Li, all[0], "cancel"))
		b, err := w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Filter: &mine, Actions: tag})
		w.OK(err)
		if b.Total != 100 || b.Refused != 0 || b.Done != 100 {
			t.Errorf("%d of %d, %d refused", b.Done, b.Total, b.Refused)
		}
		page, total, _, err := w.Tickets.Desk(ctx, w.Chen, ticket.DeskFilter{Tag: "Ｘ", Limit: 1})
		w.OK(err)
		if total != 100 || len(page) != 1 {
			t.Errorf("%d tickets have the tag", total)
		}
		_, err = w.q.RunBulk(ctx, w.Chen, queue.NewBulk{Filter: &ticket.DeskFilter{Tag: "nobody has it"}, Actions: tag})
		w.field(err, "filter")
	})
}

// TestSnippets: search by shortcut, title and text in both languages, shortcuts
// each once, rendering for a ticket with fallback.
func TestSnippets(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		make := func(who principal.Principal, in queue.NewSnippet) queue.Snippet {
			t.Helper()
			p, err := w.q.CreateSnippet(ctx, who, in)
			w.OK(err)
			return p
		}
		hello := make(lead, queue.NewSnippet{Kind: "snippet", Shared: true, Shortcut: "hi", Folder: "问候", Title: locale.Texts{ZH: "问候语", EN: "Greeting"},
			Text: locale.Texts{ZH: "{{customer.user}} 您好！", EN: "Hello {{customer.user}},"}})
		make(w.Emma, queue.NewSnippet{Kind: "snippet", Shortcut: "hint", Title: locale.Texts{EN: "Hidden"}, Text: locale.Texts{EN: "of Emma"}})
		bye := make(w.Chen, queue.NewSnippet{Kind: "template", Shortcut: "High", Title: locale.Texts{EN: "Closing words"}, Text: locale.Texts{EN: "Say hi to us again"}})
		log := make(lead, queue.NewSnippet{Kind: "template", Shared: true, Title: locale.Texts{ZH: "索取日志"}, Text: locale.Texts{ZH: "请提供故障时段的日志"}})
		for _, c := range []struct {
			f    queue.SnippetFilter
			want []string
		}{
			{queue.SnippetFilter{Text: "hi"}, []string{hello.ID, bye.ID}}, {queue.SnippetFilter{Text: "ＨＩＧＨ"}, []string{bye.ID}}, {queue.SnippetFilter{Text: "日志"}, []string{log.ID}},
			{queue.SnippetFilter{Text: "志"}, []string{log.ID}}, {queue.SnippetFilter{Text: "greet"}, []string{hello.ID}}, {queue.SnippetFilter{Text: "hidden"}, nil},
			{queue.SnippetFilter{Kind: "template"}, []string{bye.ID, log.ID}}, {queue.SnippetFilter{Folder: "问候"}, []string{hello.ID}}, {queue.SnippetFilter{Text: "100%"}, nil},
		} {
			all, err := w.q.Snippets(ctx, w.Chen, c.f)
			w.OK(err)
			var ids []string
			for _, p := range all {
				ids = append(ids, p.ID)
			}
			if !slices.Equal(ids, c.want) {
				t.Errorf("%+v finds %v, want %v", c.f, ids, c.want)
			}
		}
		_, err := w.q.CreateSnippet(ctx, w.Chen, queue.NewSnippet{Kind: "snippet", Shortcut: "ｈigh", Title: locale.Texts{EN: "x"}, Text: locale.Texts{EN: "x"}})
		if !isFault(err, queue.ErrShortcut) {
			t.Errorf("the same shortcut: %v", err)
		}
		for field, bad := range map[string]queue.NewSnippet{
			"kind": {Kind: "poem"}, "shortcut": {Kind: "snippet", Shortcut: "a b"}, "title": {Kind: "snippet"}, "text": {Kind: "snippet", Title: locale.Texts{ZH: "题"}},
			"text.zh": {Kind: "snippet", Title: locale.Texts{ZH: "题"}, Text: locale.Texts{ZH: "{{x}}"}},
		} {
			_, err := w.q.CreateSnippet(ctx, w.Chen, bad)
			w.field(err, field)
		}
		n := w.faultTicket("x", "", locale.EN)
		for id, want := range map[string]string{hello.ID: "Hello li,", log.ID: "请提供故障时段的日志"} {
			r, err := w.q.RenderSnippet(ctx, w.Chen, id, n)
			w.OK(err)
			if r.Text != want {
				t.Errorf("rendered %q, want %q", r.Text, want)
			}
		}
		_, err = w.q.ChangeSnippet(ctx, w.Chen, hello.ID, queue.NewSnippet{Kind: "snippet", Title: hello.Title, Text: hello.Text}, 0)
		w.Refused(err, "02")
		changed, err := w.q.ChangeSnippet(ctx, lead, hello.ID, queue.NewSnippet{Kind: "snippet", Title: hello.Title, Text: hello.Text}, 1)
		w.OK(err)
		if changed.Shortcut != "" || changed.Version != 2 {
			t.Errorf("%+v", changed)
		}
		if err := w.q.DeleteSnippet(ctx, lead, hello.ID, 1); !isFault(err, queue.ErrAutoStale) {
			t.Errorf("an old version: %v", err)
		}
		w.OK(w.q.DeleteSnippet(ctx, lead, hello.ID, 2))
		if _, err := w.q.RenderSnippet(ctx, w.Chen, hello.ID, n); !isFault(err, queue.ErrNoSnippet) {
			t.Errorf("%v", err)
		}
	})
}

// TestBulkNobody: a filter by a handler there is not is told, not taken for one
// that matches nothing; one who left may still be named.
func TestBulkNobody(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		acts := []queue.Action{{Do: "tag", Tags: []string{"x"}}}
		for _, name := range []string{"nobody-of-the-house", "chen", w.Li.User} { // a log-in name is no id
			in := queue.NewBulk{Filter: &ticket.DeskFilter{Assignee: name}, Actions: acts}
			_, counted := w.q.CountBulk(ctx, w.Chen, *in.Filter)
			_, previewed := w.q.PreviewBulk(ctx, w.Chen, in)
			_, ran := w.q.RunBulk(ctx, w.Chen, in)
			for _, err := range []error{counted, previewed, ran} {
				if f, ok := fault.As(err); !ok || f.Field != "filter.assignee" || !errors.Is(err, ticket.ErrAssignee) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		w.OK(w.Ident.Disable(ctx, principal.AsSystem(principal.House), principal.House, w.Emma.User, true))
		for _, who := range []string{w.Emma.User, ticket.Nobody} {
			if n, err := w.q.CountBulk(ctx, w.Chen, ticket.DeskFilter{Assignee: who}); err != nil || n != 0 {
				t.Errorf("%s: %d %v", who, n, err)
			}
		}
	})
}
