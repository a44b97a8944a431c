package queue_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestRunsTold: the run of a rule and of a macro says in the audit which it was,
// on which ticket, and what was done, by the same words as its steps.
func TestRunsTold(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx := w.t.Context()
		tell := func(kind string) ticket.Told {
			w.t.Helper()
			all := w.events(kind)
			if len(all) == 0 {
				w.t.Fatalf("no %s", kind)
			}
			told, err := w.Tickets.Tell(ctx, all[len(all)-1:])
			w.OK(err)
			return told[0]
		}
		r := w.rule(queue.ModeOn, queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "tag", Tags: []string{"新"}}, {Do: "resolve", Text: words("好了", "done")}, {Do: "tag", Tags: []string{"旧"}}}})
		n := w.Create(w.Li, "a new one")
		w.follow()
		runs := w.runs(r)
		if len(runs) != 1 {
			w.t.Fatalf("%+v", runs)
		}
		via := &principal.Via{Kind: "rule", ID: r.ID, Run: runs[0].ID, NameZH: "规则"}
		if got, want := tell("rule.run"), (ticket.Told{Ticket: n, Subject: locale.Texts{ZH: "规则"}, Via: via, Words: locale.Texts{ZH: "操作：加标记、提交方案；有操作被拒绝", EN: "actions: tag, resolve; an action was refused"}}); !reflect.DeepEqual(got, want) {
			w.t.Errorf("%+v, want %+v", got, want)
		}
		if got := tell("ticket.tag"); !reflect.DeepEqual(got.Via, via) {
			w.t.Errorf("its step: %+v", got.Via)
		}
		m, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: locale.Texts{ZH: "宏一", EN: "Macro one"}, Actions: []queue.Action{{Do: "tag", Tags: []string{"宏"}}}})
		w.OK(err)
		used, err := w.q.RunMacro(w.once("m"), w.Chen, queue.Use{Number: n, Macro: m.ID})
		w.OK(err)
		via = &principal.Via{Kind: "macro", ID: m.ID, Run: used.ID, NameZH: "宏一", NameEN: "Macro one"}
		if got, want := tell("macro.run"), (ticket.Told{Ticket: n, Subject: locale.Texts{ZH: "宏一", EN: "Macro one"}, Via: via, Words: locale.Texts{ZH: "操作：加标记", EN: "actions: tag"}}); !reflect.DeepEqual(got, want) {
			w.t.Errorf("%+v, want %+v", got, want)
		}
		if got := tell("ticket.tag"); !reflect.DeepEqual(got.Via, via) {
			w.t.Errorf("its step: %+v", got.Via)
		}
		// A run over many names as many tickets as any event does.
		var numbers []string
		for i := range event.MaxNumbers + 2 {
			numbers = append(numbers, w.Create(w.Li, fmt.Sprint("ticket ", i)))
		}
		_, err = w.q.RunBulk(w.once("b"), w.Chen, queue.NewBulk{Numbers: numbers, Actions: []queue.Action{{Do: "tag", Tags: []string{"批"}}}})
		w.OK(err)
		all := w.events("bulk.create")
		var d struct{ Numbers []string }
		w.OK(json.Unmarshal(all[len(all)-1].Data, &d))
		if !reflect.DeepEqual(d.Numbers, numbers[:event.MaxNumbers]) {
			w.t.Errorf("named: %v", d.Numbers)
		}
	})
}
