package ticket_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/ticket"
)

// recordedKinds are all words of the source that are kinds of events, and the
// steps, whose kinds are put together.
func recordedKinds(t *testing.T) (kinds []string) {
	t.Helper()
	form := regexp.MustCompile(`^(ticket|queue|rule|macro|bulk|snippet|team|view|sla|mail|desk|draft|later|authorization|label|user|key|group|domain|agency|agreement|contact|attachment|diagnosis|token|sandbox|catalog|partner|webhook|notify)(\.[a-z_]+)+$`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/oas/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if word, err := strconv.Unquote(lit.Value); err == nil && form.MatchString(word) {
					kinds = append(kinds, word)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{ticket.StepAccept, ticket.StepReply, ticket.StepAsk, ticket.StepResolve, ticket.StepPause, ticket.StepResume, ticket.StepInvalid, ticket.StepNote,
		ticket.StepAssign, ticket.StepTransfer, ticket.StepRelease, ticket.StepSeverity, ticket.StepTag, ticket.StepUntag} {
		kinds = append(kinds, "ticket."+s)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// TestAuditKinds: of all kinds of events that the source records, a customer's
// audit shows none that is the desk's own, nor the undo of one.
func TestAuditKinds(t *testing.T) {
	t.Parallel()
	inner := regexp.MustCompile(`^(queue|rule|macro|bulk|snippet|team|view|sla|mail|desk|draft|later)\.|^ticket\.(follow|unfollow|mention|snooze|unsnooze|wake|later|withheld|draft|note|assign|transfer|release|severity|tag|untag|notify|absorb|receive|remind|read)(\.|$)`)
	kinds := recordedKinds(t)
	for _, must := range []string{"queue.assign", "queue.claim", "sla.warned", "sla.breached", "rule.run", "macro.run", "bulk.create", "bulk.undo", "ticket.snooze", "ticket.follow", "ticket.mention",
		"ticket.later", "ticket.tag", "ticket.severity", "ticket.wake", "mail.handled", "team.shift", "ticket.create"} {
		if !slices.Contains(kinds, must) {
			t.Errorf("%s is not among the kinds that were found", must)
		}
	}
	each(t, ticket.Options{}, func(w *world) {
		n := w.create(w.li, "one")
		show, err := w.s.DeskShow(w.t.Context(), w.chen, n)
		w.ok(err)
		kindOf := map[string]string{}
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			clear(kindOf)
			for _, kind := range kinds {
				id := event.Record(tx, w.chen, event.Event{Domain: w.li.Domain, Kind: kind, Subject: "ticket", SubjectID: show.ID, LogCode: event.NoLog})
				kindOf[id] = kind
				id = event.Record(tx, w.chen, event.Event{Domain: w.li.Domain, Kind: "ticket.undo", Subject: "ticket", SubjectID: show.ID, LogCode: event.NoLog, Data: map[string]any{"kind": kind}})
				kindOf[id] = kind
			}
			return nil
		}))
		seen := map[string]int{}
		for cursor := ""; ; {
			page, next, err := w.s.Audit(w.t.Context(), w.boss, locale.EN, ticket.AuditFilter{Cursor: cursor, Limit: 200})
			w.ok(err)
			for _, a := range page {
				kind := kindOf[a.ID]
				seen[kind]++
				if inner.MatchString(kind) && kind != "ticket.absorb" && kind != "ticket.receive" {
					w.t.Errorf("%s (%s) is shown to the customer", kind, a.Name)
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		// Of people, keys, groups and the account everything is shown but what is
		// the house's own business or nobody's.
		account := regexp.MustCompile(`^(user|group|key|domain|agency|token)\.`)
		elsewhere := []string{"user.preferences", "user.settings", "user.roles", "user.remove", "domain.create", "domain.clock", "domain.reset", "domain.remove", "key.pem"} // the last is a name of a file
		for _, kind := range kinds {
			if account.MatchString(kind) && !slices.Contains(elsewhere, kind) && seen[kind] == 0 {
				w.t.Errorf("%s is not shown to the customer and not said to be the house's", kind)
			}
		}
		for _, kind := range []string{"ticket.create", "ticket.reply", "ticket.merge", "token.issue"} {
			if seen[kind] == 0 {
				w.t.Errorf("%s is not shown", kind)
			}
		}
	})
}
