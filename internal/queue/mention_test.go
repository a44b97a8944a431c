package queue_test

import (
	"slices"
	"testing"

	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// TestMentions: what names somebody in a note and what does not.
func TestMentions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"@chen please":                        {"chen"},
		"please, @chen. And @emma!":           {"chen", "emma"},
		"(@chen) @chen":                       {"chen"},
		"请@chen看一下":                           {"chen看一下"},
		"@王工 看":                               {"王工"},
		"mail chen@example.com":               nil,
		"git@github.com:a/b":                  nil,
		"npm i @types/node and a/@b":          nil,
		"@me@social.example":                  nil,
		"run `kubectl @chen`":                 nil,
		"```\n@Override\n```\n@chen":          {"chen"},
		"~~~\n@Override\n~~~":                 nil,
		"```\n@never closed":                  nil,
		"``a ` @b`` @chen":                    {"chen"},
		"    @indented code\n@chen":           {"chen"},
		"a lone @ and @@chen and @ chen":      nil,
		"@first.last- @a_b-c.":                {"first.last", "a_b-c"},
		"50% @chen":                           {"chen"},
		"a@":                                  nil,
		"@" + "x":                             {"x"},
		"全角＠chen":                             nil,
		"\u200b@chen":                         {"chen"},
		"one `unclosed and @chen\nnext line`": {"chen"},
	} {
		if got := queue.Mentions(text); !slices.Equal(got, want) {
			t.Errorf("%q names %q, want %q", text, got, want)
		}
	}
}

// TestMentioned: who is named in a note is told, follows, and hears of what
// happens then; nobody hears of himself.
func TestMentioned(t *testing.T) {
	t.Parallel()
	eachTeam(t, func(w *team) {
		ctx := w.t.Context()
		_, err := w.take(w.anna, ticket.StepAccept, "")
		w.OK(err)
		w.told()
		_, err = w.take(w.anna, ticket.StepNote, "请@ben看一下，我是 @anna；ben@example.com, `@nosuch`")
		w.OK(err)
		w.wantTold("named", "ben "+notify.TemplateMentioned)
		team, err := w.q.Teamwork(ctx, w.ben, w.n)
		if err != nil || len(team.Followers) != 1 || team.Followers[0].Name != "ben" || !team.Followers[0].Mentioned || !team.Following {
			t.Errorf("followers %+v, %v", team.Followers, err)
		}
		w.OK(w.Tickets.Reply(ctx, w.Li, w.n, "", "hello?"))
		w.wantTold("anna handles it, ben follows", "anna "+notify.TemplateReplied, "ben "+notify.TemplateFollowed)
		_, err = w.take(w.ben, ticket.StepReply, "hello")
		w.OK(err)
		w.wantTold("ben's own reply")
		// Named again: told again, one follower.
		_, err = w.take(w.anna, ticket.StepNote, "@BEN @ben")
		w.OK(err)
		w.wantTold("named again, and told once", "ben "+notify.TemplateMentioned)
		if n := w.count("SELECT count(*) FROM ticket_followers WHERE domain_id = ?", w.Li.Domain); n != 1 {
			t.Errorf("%d followers", n)
		}
		// Unknown, shut out, an auditor, a customer: refused, nothing is stored.
		before := w.show().Revision
		w.OK(w.Ident.Disable(ctx, principal.AsSystem(principal.House), principal.House, w.Emma.User, true))
		for _, name := range []string{"nosuch", "emma", "audit", "li", "benn"} {
			_, err = w.take(w.anna, ticket.StepNote, "@ben and @"+name)
			w.Refused(err, ".01010001")
		}
		if w.show().Revision != before {
			t.Error("a refused note changed the ticket")
		}
		w.wantTold("refused")
		long := ""
		for range 20 {
			long += "@ben" + string(rune('a'+len(long)%26)) + " "
		}
		_, err = w.take(w.anna, ticket.StepNote, long+" @a @b @c @d @e @f @g @h @i @j @k @l @m @n @o @p @q @r @s @t @u")
		w.Refused(err, ".01010001")
		// Casemate's own notes pass over whom there is not.
		_, err = w.take(principal.AsSystem(principal.House), ticket.StepNote, "@nosuch @ben")
		w.OK(err)
		w.wantTold("Casemate's own", "ben "+notify.TemplateMentioned)
		// A reply names nobody.
		_, err = w.take(w.anna, ticket.StepReply, "ask @nosuch at example")
		w.OK(err)
		w.told()

		// House and partner name their own only; of the house's notes a partner's
		// follower hears nothing.
		nora := w.served()
		_, err = w.take(w.anna, ticket.StepNote, "@nora")
		w.Refused(err, ".01010001")
		_, err = w.take(nora, ticket.StepNote, "@anna")
		w.Refused(err, ".01010001")
		w.OK(w.Tickets.SetFollow(ctx, nora, w.n, true))
		w.OK(w.Tickets.SetFollow(ctx, w.ben, w.n, true))
		_, err = w.take(w.anna, ticket.StepNote, "among us")
		w.OK(err)
		w.wantTold("a note of the house", "ben "+notify.TemplateFollowed)
		_, err = w.take(w.anna, ticket.StepReply, "hello")
		w.OK(err)
		w.wantTold("a reply", "ben "+notify.TemplateFollowed, "nora "+notify.TemplateFollowed)
		_, err = w.Tickets.Take(ctx, w.Chen, ticket.Step{Number: w.n, Action: ticket.StepTransfer, To: ticket.HouseBusiness})
		w.OK(err)
		w.wantTold("it is hers no more", "ben "+notify.TemplateFollowed)
	})
}
