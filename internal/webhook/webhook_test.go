package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/webhook"
)

var (
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
	admin = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "admin", Role: principal.RoleAdministrator}
)

// receiver is another system: it answers as told and keeps what it got.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []request
	answer func(n int) int // status of the n-th request, from 0
}

type request struct {
	id, stamp, signature string
	body                 string
}

func (r request) kind() string {
	var b struct{ Type string }
	_ = json.Unmarshal([]byte(r.body), &b)
	return b.Type
}

func receive(t *testing.T, answer func(n int) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		n := len(r.got)
		r.got = append(r.got, request{q.Header.Get("webhook-id"), q.Header.Get("webhook-timestamp"), q.Header.Get("webhook-signature"), string(text)})
		r.mu.Unlock()
		w.WriteHeader(r.answer(n))
		fmt.Fprint(w, "thank you")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func always(status int) func(int) int { return func(int) int { return status } }

// world is a service with a history to send.
type world struct {
	*webhook.Service
	t      *testing.T
	d      *db.DB
	clock  *dbtest.Clock
	sealer *event.Sealer
}

func newWorld(t *testing.T, d *db.DB, clock *dbtest.Clock) *world {
	t.Helper()
	keys := sealtest.Keyring(t)
	s, err := webhook.New(d, keys, config.Webhooks{Allow: []string{"127.0.0.1/32"}}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Service: s, t: t, d: d, clock: clock, sealer: event.NewSealer(d, keys.Derive("event-chain"), "test", quiet)}
	for _, domain := range []string{"d1", "d2"} {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(1, "INSERT INTO domains (id, name, project_id, plan, sandbox, disabled, submit_by_permission, created_at) VALUES (?, ?, ?, '', 0, 0, 0, ?)", domain, domain, "p"+domain, tx.Now)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// happen records events and numbers them.
func (w *world) happen(domain string, kinds ...string) {
	w.t.Helper()
	err := w.d.Update(w.t.Context(), func(tx *db.Tx) error {
		for i, k := range kinds {
			event.Record(tx, principal.Principal{Kind: principal.Customer, Domain: domain, User: "u"}, event.Event{Domain: domain, Kind: k, Subject: "ticket", SubjectID: fmt.Sprint("t", i), LogCode: event.NoLog})
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		n, err := w.sealer.SealOnce(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func (w *world) create(in webhook.NewHook) (webhook.Hook, string) {
	w.t.Helper()
	h, secret, err := w.Create(w.t.Context(), admin, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return h, secret
}

func (w *world) deliver(id string) {
	w.t.Helper()
	if err := w.Deliver(w.t.Context(), id); err != nil {
		w.t.Fatal(err)
	}
}

func kindsOf(all []request) (kinds []string) {
	for _, r := range all {
		kinds = append(kinds, r.kind())
	}
	return kinds
}

// TestSignature holds the signature against the example that the Standard
// Webhooks reference libraries test themselves with.
func TestSignature(t *testing.T) {
	got, err := webhook.Signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// valid checks a signature as a receiver does.
func valid(r request, secret string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(r.id + "." + r.stamp + "." + r.body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.Contains(strings.Fields(r.signature), want)
}

// TestWebhook (threats.md D13): signed, in order, retried under the same id,
// switched off after a day of failure, gone on with where it stopped.
func TestWebhook(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		fail := true
		r := receive(t, nil)
		r.answer = func(n int) int {
			if fail && n > 0 {
				return http.StatusInternalServerError
			}
			return http.StatusNoContent
		}
		w.happen("d1", "ticket.create")
		h, secret := w.create(webhook.NewHook{URL: r.URL + "/hook", Kinds: []string{"ticket.*"}, After: 0})
		w.happen("d1", "ticket.reply", "user.create", "ticket.close")
		w.happen("d2", "ticket.urge")
		w.deliver(h.ID)
		if got := kindsOf(r.requests()); !slices.Equal(got, []string{"ticket.create", "ticket.reply"}) {
			t.Fatalf("sent %v", got)
		}
		w.deliver(h.ID) // too early
		if n := len(r.requests()); n != 2 {
			t.Fatalf("%d requests before the pause was over", n)
		}
		tries := 0
		for range 100 {
			clock.Add(2 * time.Hour)
			if h, _ = w.Show(t.Context(), admin, h.ID); h.Off {
				break
			}
			tries++
			w.deliver(h.ID)
		}
		if !h.Off || h.Cause != "24h" || tries > 20 {
			t.Fatalf("after %d tries: %+v", tries, h)
		}
		all := r.requests()
		for _, q := range all {
			if !valid(q, secret) {
				t.Errorf("the signature of %s does not fit", q.id)
			}
		}
		for _, q := range all[2:] {
			if q.id != all[1].id || q.body != all[1].body {
				t.Errorf("a repeat is not the same: %+v", q)
			}
		}
		sent := len(all)
		w.deliver(h.ID)
		if n := len(r.requests()); n != sent {
			t.Error("a webhook that is off sends")
		}
		fail = false
		on := false
		if _, err := w.Update(t.Context(), admin, h.ID, webhook.Change{Off: &on}); err != nil {
			t.Fatal(err)
		}
		w.deliver(h.ID)
		if got := kindsOf(r.requests()[sent:]); !slices.Equal(got, []string{"ticket.reply", "ticket.close", "ticket.urge"}) {
			t.Errorf("after it was switched on: %v", got)
		}
		// The whole history again, with the ids of the first time.
		before := r.requests()
		if _, err := w.Replay(t.Context(), admin, h.ID, 0); err != nil {
			t.Fatal(err)
		}
		w.deliver(h.ID)
		again := r.requests()[len(before):]
		if got := kindsOf(again); !slices.Equal(got, []string{"ticket.create", "ticket.reply", "ticket.close", "ticket.urge"}) {
			t.Errorf("replayed %v", got)
		}
		if again[0].id != before[0].id || again[1].id != before[1].id {
			t.Error("replayed events have other ids")
		}
		log, err := w.Deliveries(t.Context(), admin, h.ID, "", 100)
		if err != nil || len(log) != len(before)+4 {
			t.Fatalf("%d entries in the log, %v", len(log), err)
		}
		if !log[0].OK || log[0].Kind != "ticket.urge" || log[0].Answer != "" || log[len(log)-1].Request == "" {
			t.Errorf("the log says %+v", log[0])
		}
	})
}

// TestNames: what a thing is called in a person's own words does not go out, in
// clear or sealed; the rest of the event does.
func TestNames(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		r := receive(t, always(http.StatusNoContent))
		h, _ := w.create(webhook.NewHook{URL: r.URL + "/hook", Kinds: []string{"label.*", "ticket.*"}, After: 0})
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			who := principal.Principal{Kind: principal.Customer, Domain: "d1", User: "u"}
			event.Record(tx, who, event.Event{Domain: "d1", Kind: "label.create", Subject: "label", SubjectID: "7", LogCode: event.NoLog, Name: "VIP Frau Weber"})
			event.Record(tx, who, event.Event{Domain: "d1", Kind: "ticket.label", Subject: "ticket", SubjectID: "t", LogCode: event.NoLog, Name: "VIP Frau Weber", Data: map[string]any{"labels": []int{7}}})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.happen("d1", "ticket.close")
		w.deliver(h.ID)
		var got []string
		for _, q := range r.requests() {
			var sent struct {
				Data struct{ Data json.RawMessage }
			}
			if err := json.Unmarshal([]byte(q.body), &sent); err != nil {
				t.Fatal(err)
			}
			got = append(got, q.kind()+" "+string(sent.Data.Data))
			if strings.Contains(q.body, "sealed_") || strings.Contains(q.body, "Weber") {
				t.Errorf("sent %s", q.body)
			}
		}
		if want := []string{"label.create {}", `ticket.label {"labels":[7]}`, "ticket.close {}"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

// TestTwoSecrets: after a rotation both secrets fit for a day, then only the new one.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		r := receive(t, always(200))
		h, old := w.create(webhook.NewHook{URL: r.URL, Domain: "d1", After: -1})
		_, fresh, err := w.Rotate(t.Context(), admin, h.ID)
		if err != nil || fresh == old {
			t.Fatal(err)
		}
		w.happen("d2", "ticket.create") // another domain's
		w.happen("d1", "ticket.create")
		w.deliver(h.ID)
		clock.Add(25 * time.Hour)
		w.happen("d1", "ticket.reply")
		w.deliver(h.ID)
		all := r.requests()
		if len(all) != 2 {
			t.Fatalf("%d requests", len(all))
		}
		if !valid(all[0], old) || !valid(all[0], fresh) {
			t.Error("within the day both secrets must fit")
		}
		if valid(all[1], old) || !valid(all[1], fresh) {
			t.Error("after the day only the new secret may fit")
		}
		if _, err := w.Test(t.Context(), admin, h.ID); err != nil {
			t.Fatal(err)
		}
		if got := r.requests(); got[2].kind() != "webhook.test" || !valid(got[2], fresh) {
			t.Errorf("the test was %+v", got[2])
		}
	})
}

// TestCatchUp: a receiver that was down for a day gets everything, once, in
// order, also when two nodes deliver at once.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		down := true
		r := receive(t, nil)
		r.answer = func(int) int {
			if down {
				return http.StatusBadGateway
			}
			return http.StatusOK
		}
		h, _ := w.create(webhook.NewHook{URL: r.URL, Kinds: []string{"ticket.reply"}, After: -1})
		const n = 300
		for i := range n / 10 {
			var kinds []string
			for range 10 {
				kinds = append(kinds, "ticket.reply", "user.noise")
			}
			w.happen("d1", kinds...)
			if i%3 == 0 {
				clock.Add(2 * time.Hour)
				w.deliver(h.ID)
			}
		}
		down = false
		failed := len(r.requests())
		clock.Add(4 * time.Hour) // a day in all
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range 5 {
					if err := w.Deliver(context.WithoutCancel(t.Context()), h.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var ids []string
		var seqs []int64
		seen := map[string]bool{}
		for _, q := range r.requests()[failed:] {
			var b struct{ Data struct{ Seq int64 } }
			if err := json.Unmarshal([]byte(q.body), &b); err != nil {
				t.Fatal(err)
			}
			if !seen[q.id] { // two nodes at once may send one twice, under one id
				seen[q.id] = true
				ids, seqs = append(ids, q.id), append(seqs, b.Data.Seq)
			}
		}
		if len(ids) != n || !slices.IsSorted(seqs) {
			t.Errorf("%d of %d events arrived, in order: %v", len(ids), n, slices.IsSorted(seqs))
		}
		t.Logf("REPORT webhook after a day (%v): %d tries failed, then %d of %d events in order, %d twice under one id by two nodes at once\n", d.Dialect(), failed, len(ids), n, len(r.requests())-failed-len(ids))
	})
}

// TestRefusals: who may, what is accepted, where a webhook may lead.
func TestRefusals(t *testing.T) {
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d, clock)
		for name, tt := range map[string]struct {
			in    webhook.NewHook
			field string
		}{
			"no address":      {webhook.NewHook{}, "url"},
			"another scheme":  {webhook.NewHook{URL: "ftp://example.com/"}, "url"},
			"a user in it":    {webhook.NewHook{URL: "https://a:b@example.com/"}, "url"},
			"too long":        {webhook.NewHook{URL: "https://example.com/" + strings.Repeat("a", 2048)}, "url"},
			"no kind at all":  {webhook.NewHook{URL: "https://example.com/", Kinds: []string{"*", "bogus.kind"}}, "kinds"},
			"half a kind":     {webhook.NewHook{URL: "https://example.com/", Kinds: []string{"ticket"}}, "kinds"},
			"a kind too odd":  {webhook.NewHook{URL: "https://example.com/", Kinds: []string{"ticket.*.x"}}, "kinds"},
			"too many kinds":  {webhook.NewHook{URL: "https://example.com/", Kinds: slices.Repeat([]string{"ticket.*"}, 51)}, "kinds"},
			"a long note":     {webhook.NewHook{URL: "https://example.com/", About: strings.Repeat("注", 201)}, "about"},
			"no such account": {webhook.NewHook{URL: "https://example.com/", Domain: "nobody"}, "domain_id"},
		} {
			_, _, err := w.Create(t.Context(), admin, tt.in)
			if f, ok := fault.As(err); !ok || f.Field != tt.field || f.Code != fault.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, _, err := w.Create(t.Context(), admin, webhook.NewHook{URL: "https://example.com/" + strings.Repeat("a", 2048-20), About: strings.Repeat("注", 200), Kinds: slices.Repeat([]string{"ticket.*"}, 50)}); err != nil {
			t.Errorf("at the limits: %v", err)
		}
		for _, who := range []principal.Principal{{}, {Kind: principal.Customer, Domain: "d1", User: "u", Main: true}, {Kind: principal.Engineer, Role: principal.RoleEngineer, Domain: principal.House}} {
			if _, err := w.List(t.Context(), who); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v lists: %v", who.Kind, err)
			}
		}
		for _, id := range []string{"", "nothing"} {
			if _, err := w.Show(t.Context(), admin, id); fault.KindOf(err) != fault.NotFound {
				t.Errorf("show %q: %v", id, err)
			}
			if _, _, err := w.Rotate(t.Context(), admin, id); fault.KindOf(err) != fault.NotFound {
				t.Errorf("rotate %q: %v", id, err)
			}
			if err := w.Delete(t.Context(), admin, id); fault.KindOf(err) != fault.NotFound {
				t.Errorf("delete %q: %v", id, err)
			}
		}
		// An address of the inner network that is not listed is never connected to.
		h, _ := w.create(webhook.NewHook{URL: "https://127.0.0.2:1/"})
		got, err := w.Test(t.Context(), admin, h.ID)
		if err != nil || got.OK || !strings.Contains(got.Answer, "may not be reached") {
			t.Errorf("%+v, %v", got, err)
		}
		// A receiver that is gone for good ends it at once.
		r := receive(t, always(http.StatusGone))
		h, _ = w.create(webhook.NewHook{URL: r.URL, After: -1})
		w.happen("d1", "ticket.create")
		w.deliver(h.ID)
		if h, err = w.Show(t.Context(), admin, h.ID); err != nil || !h.Off || h.Cause != "410" {
			t.Errorf("%+v, %v", h, err)
		}
	})
}
