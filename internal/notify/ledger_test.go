package notify_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/fault"
	"casemate/internal/notify"
)

// TestDidItArrive: one question by contact, ticket, both, customer and state;
// what it cost; when it is tried again.
func TestDidItArrive(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		sms := startSMS(w.t, answer(200, `{"result":{"code":0},"data":[{"sid":"SM-1"}]}`))
		post := startMail(w.t, config.TLSNone)
		gw := sms.config()
		gw.Prices = map[string]int64{"86": 45, "1": 8, "*": 500}
		mx := post.config(w.t, config.TLSNone, "")
		mx.Price = 2
		w.serve(notify.Options{Config: config.Notify{SMS: []config.SMSGateway{gw}, Mail: []config.SMTP{mx}}})
		defer w.s.Close()
		queue := func(domain, to, ref string, way notify.Way) string {
			m := codeMail()
			m.Domain, m.To, m.Ref, m.Way = domain, to, ref, way
			return w.queue(m)
		}
		a := queue("d1", "+8613800138000", "TS1", notify.SMS)
		b := queue("d1", "+14155552671", "TS1", notify.SMS)
		c := queue("d1", "+33612345678", "TS2", notify.SMS)
		d := queue("d2", "li.hua@example.com", "TS1", notify.Mail)
		e := queue("d1", "li.hua@example.com", "TS3", notify.Mail)
		later := codeMail()
		later.To, later.Ref, later.NotBefore = "late@example.com", "TS4", w.db.Now().Add(time.Hour).UnixMilli()
		f := w.queue(later)
		w.work()
		for _, q := range []struct {
			f    notify.DeliveryFilter
			want []string
		}{
			{notify.DeliveryFilter{Ref: "TS1"}, []string{a, b, d}},
			{notify.DeliveryFilter{Ref: "TS1", Domain: "d1"}, []string{a, b}},
			{notify.DeliveryFilter{To: "138 0013 8000"}, []string{a}},
			{notify.DeliveryFilter{To: "li.hua@EXAMPLE.com"}, []string{d, e}},
			{notify.DeliveryFilter{To: "li.hua@example.com", Ref: "TS3"}, []string{e}},
			{notify.DeliveryFilter{To: "li.hua@example.com", Ref: "TS2"}, nil},
			{notify.DeliveryFilter{Ref: "TS"}, nil},
			{notify.DeliveryFilter{States: []string{"queued"}}, []string{f}},
			{notify.DeliveryFilter{Ref: "TS1", States: []string{"queued", "failed"}}, nil},
		} {
			all, _, err := w.s.Deliveries(w.t.Context(), engineer, q.f)
			var got []string
			for _, d := range all {
				got = append(got, d.ID)
			}
			slices.Sort(got)
			slices.Sort(q.want)
			if err != nil || !slices.Equal(got, q.want) {
				w.t.Errorf("%+v: %v, %v; want %v", q.f, got, err, q.want)
			}
		}
		for id, cost := range map[string]int64{a: 45, b: 8, c: 500, d: 2, e: 2, f: 0} {
			if got := w.delivery(id); got.Cost != cost {
				w.t.Errorf("%s cost %d, want %d", got.To, got.Cost, cost)
			}
		}
		if got := w.delivery(f); got.Next != later.NotBefore {
			w.t.Errorf("a message for later: next %d, want %d", got.Next, later.NotBefore)
		}
		if _, _, err := w.s.Deliveries(w.t.Context(), customer, notify.DeliveryFilter{Ref: "TS1"}); fault.KindOf(err) != fault.Forbidden {
			w.t.Errorf("a customer: %v", err)
		}
		if _, _, err := w.s.Deliveries(w.t.Context(), engineer, notify.DeliveryFilter{States: []string{"lost"}}); fault.KindOf(err) != fault.Invalid {
			w.t.Errorf("an unknown state: %v", err)
		}
		w.drop("TS4", "replaced")
		if got := w.wantState(f, "dropped", "replaced"); got.Next != 0 {
			w.t.Errorf("a dropped message is tried at %d", got.Next)
		}
		// A long text costs its parts.
		m := codeSMS()
		m.Template, m.Code, m.Ref, m.To = notify.TemplateReply, "", "TS5", "+8613900139000"
		m.Values = map[string]string{"number": strings.Repeat("工", 100)}
		long := w.queue(m)
		w.work()
		if got := w.delivery(long); got.Cost != 90 || got.Attempts[0].Parts != 2 {
			w.t.Errorf("%+v", got)
		}
	})
}
