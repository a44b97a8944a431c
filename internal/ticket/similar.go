package ticket

import (
	"cmp"
	"context"
	"math"
	"slices"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/search"
)

// Similar is a ticket whose text is like another one.
type Similar struct {
	Number, Description string
	Status              Status
	Created             int64 // milliseconds UTC

	problem string
	words   map[string]bool
	score   float64
}

// Limits of similar tickets.
const (
	maxSimilar     = 5
	maxSimilarText = 2000
	similarAmong   = 300 // newest tickets looked at
	similarWords   = 40
	similarLeast   = 0.4  // of the weight of what the text is about
	sameProblem    = 1.25 // times the score
	wordWeight     = 2    // of a word of letters beside two Han, which are often but a part of one
)

// Similar are those of the caller's newest 300 tickets, as he sees them without
// a group, whose text is most like the given one, the likest first, at most
// five. A thing the text is about counts the more the fewer tickets hold it.
// Fails with OSM.01010001 naming text.
func (s *Service) Similar(ctx context.Context, who principal.Principal, text, problem string) (best []Similar, err error) {
	if len([]rune(text)) > maxSimilarText {
		return nil, fault.TooLong.In("text").With("max", maxSimilarText)
	}
	keys := search.Keywords(text, similarWords)
	var all []Similar
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		scope, err := privilege.ScopeOf(tx, who, "")
		if err != nil || len(keys) == 0 {
			return err
		}
		cond, args := scope.Where("creator")
		return tx.List(func(r db.Row) error {
			var o Similar
			var status int64
			err := r.Scan(&o.Number, &o.Description, &status, &o.problem, &o.Created)
			o.Status = Status(status)
			all = append(all, o)
			return err
		}, "SELECT number, description, status, problem_type, created_at FROM tickets WHERE domain_id = ? AND "+cond+" AND status <> ? ORDER BY id DESC LIMIT ?",
			append(append([]any{scope.Domain}, args...), int(Deleted), similarAmong)...)
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	in := map[string]int{}
	for i := range all {
		all[i].words = map[string]bool{}
		for _, k := range search.Keywords(all[i].Description, 10*similarWords) {
			all[i].words[k.Text] = true
		}
		for _, k := range keys {
			if all[i].words[k.Text] {
				in[k.Text]++
			}
		}
	}
	weight := func(k search.Keyword) float64 {
		w := math.Log(1 + float64(len(all))/float64(max(in[k.Text], 1)))
		if k.Word {
			w *= wordWeight
		}
		return w
	}
	sum := 0.0
	for _, k := range keys {
		sum += weight(k)
	}
	for _, o := range all {
		for _, k := range keys { // in this order: sums of floats are the same everywhere
			if o.words[k.Text] {
				o.score += weight(k)
			}
		}
		if o.score < similarLeast*sum {
			continue
		}
		if problem != "" && o.problem == problem {
			o.score *= sameProblem
		}
		best = append(best, o)
	}
	slices.SortStableFunc(best, func(a, b Similar) int { return cmp.Compare(b.score, a.score) })
	return best[:min(len(best), maxSimilar)], nil
}
