package setup_test

import (
	"testing"

	"casemate/internal/setup"
)

var dumped []string

// TestNothing: what is exported is what is in force, and applying it changes nothing.
func TestNothing(t *testing.T) {
	each(t, func(w *world) {
		files := w.export()
		if testing.Verbose() {
			for _, p := range []string{"teams.yaml", "queues.yaml", "views.yaml", "macros.yaml", "snippets.yaml", "rules.yaml", "engineers.yaml", "webhooks.yaml", "partners.yaml", "domains.yaml", "templates/ticket.reply.yaml", "server.yaml"} {
				w.t.Logf("%s\n%s", p, files[p])
			}
		}
		w.nothing(files, "an export")
		p := w.apply(files, setup.KeepClocks)
		if p.Version != 1 || !p.Empty() {
			w.t.Errorf("applying an export: %+v", p)
		}
		w.same(files, w.export(), "after applying an export")
	})
}
