package ticket_test

import (
	"slices"
	"testing"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestSearchTagQueue: tag: and queue: find what the tags and the queue's filter
// hold, a partner's people nothing by tags; snoozed tickets are in queues that
// say so only.
func TestSearchTagQueue(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b, c := w.create(w.li, "one disk"), w.create(w.li, "two disk"), w.create(w.wang, "three disk")
		for n, tags := range map[string][]string{a: {"VIP", "慢 网络"}, b: {"vip"}} {
			_, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: ticket.StepTag, Tags: tags})
			w.ok(err)
		}
		w.ok(w.step(w.chen, b, "accept", ""))
		_, err := w.s.Snooze(ctx, w.chen, b, ticket.UntilStirred, 0)
		w.ok(err)
		w.exec(`INSERT INTO desk_queues (id, name_zh, name_en, place, filter, sort, team, way, hard, last_user, turns, version, created_at, changed_at) VALUES
			('q1', '贵宾', 'Valued ones', 1, '{"statuses":[0,1],"tags":["vip"]}', 'due', '', 'manual', 0, '', 0, 1, 0, 0),
			('q2', '休眠', 'Asleep', 2, '{"statuses":[0,1],"snoozed":"only"}', 'due', 'blue', 'manual', 0, '', 0, 1, 0, 0)`)
		find := func(who principal.Principal, q string) []string {
			w.t.Helper()
			numbers := w.hits(who, q)
			slices.Sort(numbers)
			return numbers
		}
		partner := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "p", Partner: "somebody", Role: principal.RoleEngineer}
		for _, x := range []struct {
			q    string
			want []string
		}{{"tag:vip", []string{a, b}}, {"内部标签：ＶＩＰ", []string{a, b}}, {`tag:"慢 网络"`, []string{a}}, {"-tag:vip", []string{c}}, {"disk tag:vip,none status:0", []string{a}},
			{"queue:q1", []string{a}}, {`队列:贵宾`, []string{a}}, {`queue:"valued ones"`, []string{a}}, {"queue:Asleep", []string{b}}, {"queue:asleep,q1", []string{a, b}}, {"queue:gone", nil}, {"-queue:q1 disk", []string{b, c}}} {
			slices.Sort(x.want)
			if got := find(w.chen, x.q); !slices.Equal(got, x.want) {
				w.t.Errorf("%s finds %v, want %v", x.q, got, x.want)
			}
		}
		for _, q := range []string{"tag:vip", "queue:q1", "queue:q2"} {
			if got := find(partner, q); len(got) > 0 {
				w.t.Errorf("a partner's people find %v by %s", got, q)
			}
		}
		for q, want := range map[string]string{"queue:val": `queue:"Valued ones"`, "tag:vi": "tag:VIP"} {
			got, err := w.s.Suggest(ctx, w.chen, q, locale.EN)
			w.ok(err)
			if len(got) != 1 || got[0].Insert != want {
				w.t.Errorf("%s: %+v", q, got)
			}
		}
	})
}
