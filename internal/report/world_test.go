package report_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/report"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// world is an installation with its reports.
type world struct {
	*tickettest.World
	t      *testing.T
	r      *report.Service
	sealer *event.Sealer
	boss   principal.Principal // a supervisor
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	tickettest.Each(t, ticket.Options{}, func(inner *tickettest.World) {
		w := &world{World: inner, t: inner.T.(*testing.T)}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		q, err := queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{})
		w.OK(err)
		w.r, err = report.New(w.DB, report.Nouns{Identity: w.Ident, Catalog: w.Catalog, Tickets: w.Tickets, Queue: q}, report.Options{Log: quiet})
		w.OK(err)
		w.sealer = event.NewSealer(w.DB, []byte("0123456789abcdef0123456789abcdef"), "test", quiet)
		w.boss = w.Engineer("super", "Super", principal.RoleSupervisor)
		test(w)
	})
}

// follow seals what happened and works out its facts.
func (w *world) follow() {
	w.t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = w.sealer.SealOnce(w.t.Context())
		w.OK(err)
	}
	w.OK(w.r.Follow(w.t.Context()))
}

// in is a locale with a zone.
func in(zone string) locale.Locale {
	z, err := locale.ParseZone(zone)
	if err != nil {
		panic(err)
	}
	return locale.Locale{Language: locale.EN, Zone: z}
}

// figures makes a report, or fails the test.
func (w *world) figures(who principal.Principal, q report.Query) report.Report {
	w.t.Helper()
	if q.Locale.Zone == nil {
		q.Locale = in("GMT+8")
	}
	r, err := w.r.Figures(w.t.Context(), who, q)
	if err != nil {
		w.t.Fatalf("%+v: %v", q, err)
	}
	return r
}

// one is the figure of a report that is the only one of its measure and detail.
func one(t *testing.T, r report.Report, measure, detail string) (f report.Figure) {
	t.Helper()
	n := 0
	for _, x := range r.Figures {
		if x.Measure == measure && x.Detail == detail {
			f = x
			n++
		}
	}
	if n != 1 {
		t.Errorf("%s has %d figures %s/%s: %+v", r.Name, n, measure, detail, r.Figures)
	}
	return f
}

func (w *world) later(d time.Duration) { w.Clock.Add(d) }
