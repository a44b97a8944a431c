package ticket_test

import (
	"testing"
	"time"

	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestLastWords: who wrote last, notes and withdrawn messages apart, within the
// caller's reach; engineers by alias.
func TestLastWords(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := t.Context()
		one, two, foreign := w.create(w.li, "第一个"), w.create(w.li, "第二个"), w.create(w.foreign, "别人的")
		w.clock.Add(time.Minute)
		w.ok(w.step(w.chen, one, ticket.StepAccept, ""))
		w.ok(w.step(w.chen, one, ticket.StepReply, "您好"))
		w.ok(w.step(w.chen, one, ticket.StepNote, "内部"))
		w.ok(w.s.Reply(ctx, w.boss, two, "", "主账号来信"))
		got, err := w.s.LastWords(ctx, w.li, []string{one, foreign, two, "TS-none"}, "")
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v %v", got, err)
		}
		if a := got[0]; a.Number != one || a.Side == ticket.CustomerSide || a.Own || a.Unread != 1 || a.Name == "" || a.Name == "chen" {
			t.Errorf("%+v", a)
		}
		if b := got[1]; b.Number != two || b.Side != ticket.CustomerSide || b.Own || b.Name == "" {
			t.Errorf("%+v", b)
		}
		if got, err := w.s.LastWords(ctx, w.wang, []string{one}, ""); err != nil || len(got) != 0 {
			t.Errorf("of another user: %+v %v", got, err)
		}
		if _, err := w.s.LastWords(ctx, w.li, []string{one}, "no such group"); err == nil {
			t.Error("a group that is not there")
		}
		if _, err := w.s.LastWords(ctx, w.chen, []string{one}, ""); err == nil {
			t.Error("an engineer reads as a customer")
		}
		// A notice the submitter switched off is not sent; the others are.
		w.Work()
		before := len(w.post.Got)
		if _, err := w.ident.ChangePreferences(ctx, w.li, identity.Preferences{Notices: map[string]bool{identity.NoticeReplied: false}}); err != nil {
			t.Fatal(err)
		}
		w.ok(w.step(w.chen, one, ticket.StepReply, "再次"))
		w.Work()
		if n := len(w.post.Got) - before; n != 0 {
			t.Errorf("%d notices of a kind that was switched off", n)
		}
		w.ok(w.step(w.chen, one, ticket.StepAsk, "请回答"))
		w.Work()
		if n := len(w.post.Got) - before; n == 0 {
			t.Error("no notice of another kind")
		}
	})
}

// TestUrgeState agrees with what urging does.
func TestUrgeState(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx, number := t.Context(), w.create(w.li, "催")
		agrees := func(who principal.Principal, wait time.Duration) {
			t.Helper()
			u, err := w.s.UrgeStateOf(ctx, who, number, "")
			if err != nil || !u.Possible {
				t.Fatalf("%+v %v", u, err)
			}
			if want := w.clock.Now().Add(wait).UnixMilli(); wait > 0 && u.From != want || wait == 0 && u.From != 0 {
				t.Errorf("from %d, want in %v", u.From, wait)
			}
			if wait > 0 && w.act(who, number, "press") == nil {
				t.Error("urged too early")
			}
		}
		agrees(w.li, 30*time.Minute)
		w.clock.Add(30 * time.Minute)
		agrees(w.li, 0)
		w.ok(w.act(w.li, number, "press"))
		w.clock.Add(10 * time.Minute)
		agrees(w.li, 20*time.Minute)
		w.clock.Add(20 * time.Minute)
		agrees(w.li, 0)
		if _, err := w.s.UrgeStateOf(ctx, w.wang, number, ""); err == nil {
			t.Error("another user's ticket")
		}
		w.ok(w.act(w.li, number, "cancel"))
		if u, err := w.s.UrgeStateOf(ctx, w.li, number, ""); err != nil || u.Possible {
			t.Errorf("cancelled: %+v %v", u, err)
		}
	})
}

// TestSimilar: texts about the same come first, those of others never, and
// nothing is like what no ticket holds.
func TestSimilar(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := t.Context()
		like := w.create(w.li, "云服务器无法远程登录，SSH 连接超时")
		w.create(w.li, "对象存储账单金额与预期不符")
		w.create(w.li, "域名解析不生效")
		other := w.create(w.wang, "云服务器无法远程登录，SSH 连接超时")
		w.create(w.foreign, "云服务器无法远程登录，SSH 连接超时")
		got, err := w.s.Similar(ctx, w.li, "今天早上起 SSH 登录云服务器超时", "")
		if err != nil || len(got) != 1 || got[0].Number != like {
			t.Errorf("%+v %v", got, err)
		}
		if got, err := w.s.Similar(ctx, w.boss, "SSH 登录云服务器超时", ""); err != nil || len(got) != 2 || got[0].Number != other {
			t.Errorf("the main account: %+v %v", got, err)
		}
		for _, text := range []string{"证书续费", "!!!", ""} {
			if got, err := w.s.Similar(ctx, w.li, text, ""); err != nil || len(got) != 0 {
				t.Errorf("%q: %+v %v", text, got, err)
			}
		}
		if _, err := w.s.Similar(ctx, w.chen, "SSH", ""); err == nil {
			t.Error("an engineer has tickets of his own")
		}
	})
}
