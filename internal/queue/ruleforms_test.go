package queue_test

import (
	"slices"
	"strings"
	"testing"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

// TestRuleForms: every rule of definitions refuses by the path of the bad field.
func TestRuleForms(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		ctx, lead := t.Context(), w.lead()
		then := []queue.Action{{Do: "pause"}}
		seventeen, three, hundred := 17, 3, 100
		leaf := queue.Condition{Field: "status", Op: "eq", Value: "1"}
		nested := func(levels int) *queue.Condition {
			c := leaf
			for range levels - 1 {
				inner := c
				c = queue.Condition{Not: &inner}
			}
			return &c
		}
		for i, c := range []struct {
			d     queue.Definition
			field string
		}{
			{queue.Definition{When: on("ticket.create"), Then: then}, ""},
			{queue.Definition{Then: then}, "when"},
			{queue.Definition{When: on("ticket.explode"), Then: then}, "when.events"},
			{queue.Definition{When: queue.When{Events: []string{"ticket.reply"}, By: "cat"}, Then: then}, "when.by"},
			{queue.Definition{When: queue.When{State: &seventeen, Hours: 1}, Then: then}, ""},
			{queue.Definition{When: queue.When{State: &seventeen, Hours: 8760}, Then: then}, ""},
			{queue.Definition{When: queue.When{State: &seventeen, Hours: 8761}, Then: then}, "when.hours"},
			{queue.Definition{When: queue.When{State: &seventeen}, Then: then}, "when.hours"},
			{queue.Definition{When: queue.When{Hours: 1}, Then: then}, "when.state"},
			{queue.Definition{When: queue.When{State: &three, Hours: 1}, Then: then}, "when.state"},
			{queue.Definition{When: queue.When{State: &hundred, Hours: 1}, Then: then}, "when.state"},
			{queue.Definition{When: queue.When{Events: []string{"ticket.create"}, State: &seventeen, Hours: 1}, Then: then}, "when"},
			{queue.Definition{When: queue.When{State: &seventeen, Hours: 1, By: "customer"}, Then: then}, "when.by"},
			{queue.Definition{When: on("ticket.create")}, "then"},
			{queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "assign", To: "me"}}}, "then[0].to"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{}}, "if"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Not: &leaf, Field: "status"}}, "if"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{All: []queue.Condition{leaf, {Field: "mood", Op: "eq", Value: "1"}}}}, "if.all[1].field"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Any: []queue.Condition{{Not: &queue.Condition{Field: "text", Op: "eq", Value: "1"}}}}}, "if.any[0].not.op"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "status", Op: "eq", Value: "99"}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "status", Op: "in", Values: []string{"1", "x"}}}, "if.values[1]"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "status", Op: "in"}}, "if.values"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "status", Op: "in", Values: slices.Repeat([]string{"1"}, 51)}}, "if.values"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "status", Op: "in", Values: slices.Repeat([]string{"1"}, 50)}}, ""},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "text", Op: "contains", Value: " "}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "text", Op: "contains", Value: strings.Repeat("长", 201)}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "text", Op: "contains", Value: strings.Repeat("长", 200)}}, ""},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "created", Op: "older_than", Value: "soon"}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "created", Op: "older_than", Value: "366d"}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "assignee", Op: "eq", Value: "nobody-here"}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "assignee", Op: "eq", Value: "none"}}, ""},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "owner", Op: "eq", Value: "mars"}}, "if.value"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: nested(5)}, ""},
			{queue.Definition{When: on("ticket.create"), Then: then, If: nested(6)}, "if.not.not.not.not.not"},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{All: slices.Repeat([]queue.Condition{leaf}, 49)}}, ""},
			{queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{All: slices.Repeat([]queue.Condition{leaf}, 50)}}, "if"},
		} {
			r, err := w.q.CreateRule(ctx, lead, queue.NewRule{Name: locale.Texts{EN: "r"}, Definition: c.d})
			if c.field == "" {
				if err != nil {
					t.Errorf("case %d: %v", i, err)
					continue
				}
				w.OK(w.q.DeleteRule(ctx, lead, r.ID, 1))
				continue
			}
			if err == nil {
				t.Errorf("case %d was taken", i)
				continue
			}
			w.field(err, c.field)
		}
		all, err := w.q.Rules(ctx, lead)
		w.OK(err)
		if len(all) != 0 {
			t.Errorf("%d rules are left", len(all))
		}
		for _, who := range []principal.Principal{w.Chen, w.Auditor, w.Boss} {
			_, err := w.q.CreateRule(ctx, who, queue.NewRule{Name: locale.Texts{EN: "r"}, Definition: queue.Definition{When: on("ticket.create"), Then: then}})
			w.Refused(err, "02")
		}
		// By name in, by id kept.
		r, err := w.q.CreateRule(ctx, lead, queue.NewRule{Name: locale.Texts{EN: "r"}, Definition: queue.Definition{When: on("ticket.create"), Then: then, If: &queue.Condition{Field: "assignee", Op: "in", Values: []string{"emma"}}}})
		w.OK(err)
		if r.If.Values[0] != w.Emma.User {
			t.Errorf("kept %v", r.If.Values)
		}
		_, err = w.q.ChangeRule(ctx, lead, r.ID, queue.NewRule{Name: r.Name, Mode: "on", Definition: r.Definition}, 7)
		if !isFault(err, queue.ErrAutoStale) {
			t.Errorf("an old version: %v", err)
		}
		if _, err := w.q.Rule(ctx, lead, "nope"); !isFault(err, queue.ErrNoRule) {
			t.Errorf("%v", err)
		}
	})
}
