package ticket_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/notify"
	"casemate/internal/ticket"
)

var surveyToken = regexp.MustCompile(`survey\?token=([^\s"<]+)`)

// surveys are the tokens of the surveys that were mailed.
func (w *world) surveys() (tokens []string) {
	w.t.Helper()
	w.work()
	w.post.Mu.Lock()
	defer w.post.Mu.Unlock()
	for _, m := range w.post.Got {
		if found := surveyToken.FindStringSubmatch(m.Text); found != nil {
			token, err := url.QueryUnescape(found[1])
			w.ok(err)
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// completed is a ticket of li's that was just closed.
func (w *world) completed() string {
	n := w.create(w.li, "x")
	w.ok(w.step(w.chen, n, ticket.StepAccept, ""))
	w.ok(w.act(w.li, n, ticket.Close))
	return n
}

// TestSurvey: the submitter of a completed ticket is asked once, by mail; the
// link rates without log-in, once, for 30 days.
func TestSurvey(t *testing.T) {
	each(t, ticket.Options{Config: config.Ticket{SurveyAfter: time.Hour}}, func(w *world) {
		ctx := w.t.Context()
		n := w.completed()
		w.clock.Add(59 * time.Minute)
		if got := w.surveys(); len(got) != 0 {
			t.Errorf("asked early: %v", got)
		}
		w.clock.Add(2 * time.Minute)
		tokens := w.surveys()
		if len(tokens) != 1 {
			t.Fatalf("asked %d times", len(tokens))
		}
		token := tokens[0]
		seen, err := w.s.Survey(ctx, token)
		w.ok(err)
		if seen.Number != n {
			t.Errorf("the link is for %s, not %s", seen.Number, n)
		}
		body, mac, _ := strings.Cut(token, ".")
		for _, bad := range []string{"", "x", body, body + ".", body + "x." + mac, strings.Repeat("x", 3000)} {
			_, err := w.s.Survey(ctx, bad)
			w.refused(err, ".01010001")
		}
		w.refused(w.s.AnswerSurvey(ctx, w.foreign, token, "", nil), ".01010001")
		w.refused(w.s.AnswerSurvey(ctx, w.foreign, token, "", []ticket.Score{{Dimension: 1, Points: 6}}), ".01010001")
		w.refused(w.s.AnswerSurvey(ctx, w.foreign, token, strings.Repeat("x", 401), []ticket.Score{{Dimension: 1, Points: 5}}), ".01010001")
		w.ok(w.s.AnswerSurvey(ctx, w.foreign, token, "good", []ticket.Score{{Dimension: 1, Points: 5}}))
		w.refused(w.s.AnswerSurvey(ctx, w.foreign, token, "bad", []ticket.Score{{Dimension: 1, Points: 1}}), ticket.ErrScored.Code[len("OSM"):])
		got, scores, err := w.s.Show(ctx, w.li, n, "")
		w.ok(err)
		if got.Judgement != "good" || len(scores) != 1 || scores[0].Points != 5 {
			t.Errorf("rated %q %v", got.Judgement, scores)
		}

		// Who has rated is not asked; a link ends after 30 days.
		rated := w.completed()
		w.ok(w.s.Rate(ctx, w.li, rated, "", "", []ticket.Score{{Dimension: 1, Points: 5}}))
		w.completed()
		w.clock.Add(61 * time.Minute)
		if tokens = w.surveys(); len(tokens) != 2 {
			t.Fatalf("asked %d times", len(tokens))
		}
		w.clock.Add(30 * 24 * time.Hour)
		_, err = w.s.Survey(ctx, tokens[1])
		w.refused(err, ".01010001")

		// Who wants no more of them gets no more of them, of any ticket.
		w.post.Mu.Lock()
		stop := ""
		for _, m := range w.post.Got {
			if surveyToken.MatchString(m.Text) {
				stop = m.Stop
			}
		}
		w.post.Mu.Unlock()
		link, err := url.Parse(stop)
		w.ok(err)
		w.ok(w.out.Unsubscribe(ctx, w.li, link.Query().Get("token")))
		w.completed()
		w.clock.Add(61 * time.Minute)
		if tokens = w.surveys(); len(tokens) != 2 {
			t.Errorf("asked after all: %d", len(tokens))
		}
		w.ok(w.step(w.chen, w.create(w.li, "y"), ticket.StepReply, "another mail"))
		w.work()
		all, _, err := w.out.Deliveries(ctx, w.chen, notify.DeliveryFilter{States: []string{"dropped"}})
		w.ok(err)
		if len(all) != 1 || all[0].Cause != "unsubscribed" || all[0].Template != notify.TemplateSurvey {
			t.Errorf("dropped: %+v", all)
		}
	})
}

// TestNoSurvey: nobody is asked unless the configuration says so.
func TestNoSurvey(t *testing.T) {
	each(t, ticket.Options{}, func(w *world) {
		w.completed()
		w.clock.Add(40 * 24 * time.Hour)
		if got := w.surveys(); len(got) != 0 {
			t.Errorf("asked %v", got)
		}
	})
}
