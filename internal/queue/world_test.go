package queue_test

import (
	"testing"

	"casemate/internal/knowledge"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// world is an installation with its desk.
type world struct {
	*tickettest.World
	t    *testing.T
	q    *queue.Service
	know *knowledge.Service
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, test func(w *world)) {
	t.Helper()
	tickettest.Each(t, ticket.Options{}, func(inner *tickettest.World) {
		w := &world{World: inner, t: inner.T.(*testing.T)}
		w.know = knowledge.New(w.DB, w.Catalog, w.Ident, knowledge.Options{URL: "https://desk.example"})
		var err error
		w.q, err = queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets, Knowledge: w.know}, queue.Options{})
		w.OK(err)
		test(w)
	})
}
