package knowledge

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Filter of lists. Zero values do not filter.
type Filter struct {
	Text          string          // words that all occur in one language of an article, at most 256 characters
	State         string          // the house's people only; "" = all but archived
	Visibility    string          // the house's people only; of the newest version
	Tag           string          // whatever case and width
	Product, Type string          // ids of the catalogue
	Lacks         locale.Language // the house's people only; the newest version is not there in it
	Pending       bool            // the house's people only; readers see an older version
	ChangedBefore int64           // the house's people only; ms, the last change of any sort was before
	After         string          // cursor of the page before
	Limit         int             // 1..100, 0 = 50
	Language      locale.Language
}

// Found is an article in a list: with words, what was found of it.
type Found struct {
	Article
	Title, Summary string
	Language       locale.Language
	Fallback       bool           // it is not in the reader's language
	Head           bool           // found in title, summary or tags
	Pieces         []search.Piece // around the place, with words only
}

const maxText = 256

// scope is which articles a caller sees, as a condition on articles a, with the
// stage and kinds of documents he searches. Customers see what is published for
// them and nothing else, whatever they ask for.
type scope struct {
	stage, cond string
	kinds       []string // head, whole
	version     string   // column of the version that is shown
}

func scopeOf(who principal.Principal) (scope, error) {
	if who.Kind == principal.Customer {
		return scope{stageOut, "a.state = 'published' AND a.audience = 'customers'", []string{search.KindAnswer, search.KindAnswerText}, "a.published"}, nil
	}
	return scope{stageNow, "1 = 1", []string{search.KindArticle, search.KindArticleText}, "a.version"}, mayRead(who)
}

// conditions are those of a filter on articles a.
func (f Filter) conditions(sc scope) (cond string, args []any) {
	cond = sc.cond
	add := func(sql string, v ...any) { cond, args = cond+" AND "+sql, append(args, v...) }
	if sc.stage == stageNow {
		switch f.State {
		case "":
			add("a.state <> 'archived'")
		default:
			add("a.state = ?", f.State)
		}
		if f.Visibility != "" {
			add("v.visibility = ?", f.Visibility)
		}
		switch f.Lacks {
		case locale.ZH:
			add("v.title_zh = ''")
		case locale.EN:
			add("v.title_en = ''")
		}
		if f.Pending {
			add("a.state = 'published' AND a.published <> a.version")
		}
		if f.ChangedBefore > 0 {
			add("a.changed_at < ?", f.ChangedBefore)
		}
	}
	for _, l := range []struct{ kind, value string }{{"tag", search.Folded(strings.TrimSpace(f.Tag))}, {"product", f.Product}, {"problem_type", f.Type}} {
		if l.value != "" {
			add("EXISTS (SELECT 1 FROM article_links AS l WHERE l.article_id = a.id AND l.stage = ? AND l.kind = ? AND l.value = ?)", sc.stage, l.kind, l.value)
		}
	}
	return cond, args
}

// List finds articles: those whose title, summary or tags hold the words first,
// then the newest changed. Latin words match the beginning of words, Han from one
// character up, "..." whole words as they stand. Customers find what is published
// for them only. Failures: OSM.01010001 naming q or cursor, .02 (right).
func (s *Service) List(ctx context.Context, who principal.Principal, f Filter) (all []Found, total int, next string, err error) {
	sc, err := scopeOf(who)
	if err != nil {
		return nil, 0, "", err
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	offset := 0
	if f.After != "" {
		if offset, err = strconv.Atoi(f.After); err != nil || offset < 1 || offset > MaxArticles {
			return nil, 0, "", fault.Unknown.In("cursor")
		}
	}
	if utf8.RuneCountInString(f.Text) > maxText {
		return nil, 0, "", fault.TooLong.In("q").With("max", maxText)
	}
	atom, words := search.Words(f.Text)
	if strings.TrimSpace(f.Text) != "" && !words {
		return []Found{}, 0, "", nil // signs only: nothing holds them
	}
	cond, args := f.conditions(sc)
	from, rank, order, join := "articles AS a JOIN article_versions AS v ON v.article_id = a.id AND v.version = "+sc.version, "0", "", ""
	if words {
		sql, more := search.ArticleDocs(s.db.Dialect(), principal.House, sc.kinds, atom)
		join = " JOIN (SELECT parent, min(CASE WHEN kind = '" + sc.kinds[0] + "' THEN 0 ELSE 1 END) AS place FROM (" + sql + ") AS d GROUP BY parent) AS hit ON hit.parent = a.id"
		rank, order, args = "hit.place", "hit.place, ", append(more, args...)
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		if err := tx.Get("SELECT count(*) FROM "+from+join+" WHERE "+cond, args...).Scan(&total); err != nil {
			return err
		}
		err := tx.List(func(r db.Row) error {
			var found Found
			var c rawContent
			var place int64
			if err := r.Scan(append(append(found.fields(), c.fields()...), &place)...); err != nil {
				return err
			}
			var err error
			found.Content, err = c.content()
			found.Head = words && place == 0
			all = append(all, found)
			return err
		}, "SELECT "+articleColumns+", "+contentColumns+", "+rank+" FROM "+from+join+" WHERE "+cond+" ORDER BY "+order+"a.changed_at DESC, a.id DESC LIMIT ? OFFSET ?",
			append(slices.Clone(args), f.Limit+1, offset)...)
		if err != nil || sc.stage == stageOut {
			return err
		}
		var rows []*Article
		for i := range all {
			rows = append(rows, &all[i].Article)
		}
		return tally(tx, rows)
	})
	if err != nil {
		return nil, 0, "", err
	}
	if len(all) > f.Limit {
		all, next = all[:f.Limit], strconv.Itoa(offset+f.Limit)
	}
	for i := range all {
		all[i].show(f.Language, atom, words)
	}
	return all, total, next, nil
}

// snippetLength is about how many characters a found text is shown with.
const snippetLength = 120

// show fills what a reader of the language is shown. Words are shown in the
// language they were found in.
func (f *Found) show(lang locale.Language, atom search.Atom, words bool) {
	w, is, _ := f.Content.In(lang)
	if words && !atom.In(wholeText(f.Content, w)) {
		for _, l := range f.Content.Languages() {
			if other, _, _ := f.Content.In(l); l != is && atom.In(wholeText(f.Content, other)) {
				w, is = other, l
			}
		}
	}
	f.Title, f.Summary, f.Language, f.Fallback = w.Title, w.Summary, is, is != lang
	if words {
		f.Pieces, _ = search.Snippet(wholeText(f.Content, w), snippetLength, atom)
	}
}

// Ask is what somebody is about to write a ticket about.
type Ask struct {
	Text          string // typed so far, at most 2,000 characters
	Product, Type string // ids of the catalogue, "" = not chosen yet
	Language      locale.Language
	Suggestion    string // id of the suggestion before, as the text grows; "" = the first
}

// Suggested is an article for somebody who writes a ticket.
type Suggested struct {
	ID, Slug, Title, Summary string
	Language                 locale.Language
	Fallback                 bool
	Score                    int // the more the better
}

// Limits of suggestions.
const (
	MaxSuggested = 5
	MaxAsk       = 2000
	maxKeywords  = 40
	wordWeight   = 2    // of a word of letters beside two Han
	leastShare   = 0.25 // of the weight of what the text is about
)

// suggest ranks articles the caller may see: each thing the text is about counts
// the more the fewer articles hold it, three times where it stands in title,
// summary or tags; the product and the problem type add to what the text finds
// and, without one, find by themselves.
func (s *Service) suggest(tx *db.Tx, sc scope, ask Ask) (best []Suggested, err error) {
	keys := search.Keywords(ask.Text, maxKeywords)
	var of int
	if err := tx.Get("SELECT count(*) FROM articles AS a WHERE " + sc.cond + " AND a.state <> 'archived'").Scan(&of); err != nil || of == 0 {
		return nil, err
	}
	type hits struct {
		head, whole map[int]bool
		links       float64
	}
	found := map[string]*hits{}
	get := func(id string) *hits {
		h := found[id]
		if h == nil {
			h = &hits{map[int]bool{}, map[int]bool{}, 0}
			found[id] = h
		}
		return h
	}
	if len(keys) > 0 {
		sql, args := search.ArticleDocs(s.db.Dialect(), principal.House, sc.kinds, search.KeywordAtoms(keys)...)
		err = tx.List(func(r db.Row) error {
			var n, head int
			var id string
			err := r.Scan(&n, &id, &head)
			h := get(id)
			h.whole[n] = true
			if head == 0 {
				h.head[n] = true
			}
			return err
		}, "SELECT d.n, d.parent, min(CASE WHEN d.kind = '"+sc.kinds[0]+"' THEN 0 ELSE 1 END) FROM ("+sql+") AS d JOIN articles AS a ON a.id = d.parent WHERE "+sc.cond+" AND a.state <> 'archived' GROUP BY d.n, d.parent", args...)
		if err != nil {
			return nil, err
		}
	}
	weight, sum := make([]float64, len(keys)), 0.0
	for n := range keys {
		in := 0
		for _, h := range found {
			if h.whole[n] {
				in++
			}
		}
		weight[n] = math.Log(1 + float64(of)/float64(max(in, 1)))
		if keys[n].Word { // two Han are often but a part of a word
			weight[n] *= wordWeight
		}
		if in > 0 {
			sum += weight[n]
		}
	}
	for _, l := range []struct {
		kind, value string
		counts      float64
	}{{"product", ask.Product, 2}, {"problem_type", ask.Type, 3}} {
		if l.value == "" {
			continue
		}
		err := tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			get(id).links += l.counts
			return err
		}, "SELECT a.id FROM articles AS a JOIN article_links AS l ON l.article_id = a.id WHERE l.kind = ? AND l.value = ? AND l.stage = ? AND "+sc.cond+" AND a.state <> 'archived'", l.kind, l.value, sc.stage)
		if err != nil {
			return nil, err
		}
	}
	scores := map[string]float64{}
	for id, h := range found {
		score, share := 0.0, 0.0
		for n := range keys { // in this order: sums of floats are the same everywhere
			switch {
			case h.head[n]:
				score += 3 * weight[n]
				share += weight[n]
			case h.whole[n]:
				score += weight[n]
				share += weight[n]
			}
		}
		switch {
		case len(keys) == 0:
			score = h.links
		case share < leastShare*sum || share == 0:
			continue
		default:
			score += h.links * score / 6
		}
		if score > 0 {
			scores[id] = score
		}
	}
	return s.best(tx, sc, scores, ask.Language)
}

// best are the articles with the highest scores, as readers see them.
func (s *Service) best(tx *db.Tx, sc scope, scores map[string]float64, lang locale.Language) (best []Suggested, err error) {
	var ids []string
	for id := range scores {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(math.Round(scores[b]*1000), math.Round(scores[a]*1000)), strings.Compare(a, b))
	})
	ids = ids[:min(len(ids), MaxSuggested)]
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	err = tx.List(func(r db.Row) error {
		var id, slug string
		var c rawContent
		if err := r.Scan(append([]any{&id, &slug}, c.fields()...)...); err != nil {
			return err
		}
		content, err := c.content()
		w, is, fallback := content.In(lang)
		best = append(best, Suggested{ID: id, Slug: slug, Title: w.Title, Summary: w.Summary, Language: is, Fallback: fallback, Score: int(math.Round(scores[id] * 100))})
		return err
	}, "SELECT a.id, a.slug, "+contentColumns+" FROM articles AS a JOIN article_versions AS v ON v.article_id = a.id AND v.version = "+sc.version+" WHERE a.id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", args...)
	slices.SortFunc(best, func(a, b Suggested) int { return slices.Index(ids, a.ID) - slices.Index(ids, b.ID) })
	return best, err
}

// SuggestFor are articles of the house for a text, for its people: at most five,
// the best first, drafts among them.
func (s *Service) SuggestFor(ctx context.Context, who principal.Principal, ask Ask) (best []Suggested, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(ask.Text) > MaxAsk {
		return nil, fault.TooLong.In("text").With("max", MaxAsk)
	}
	sc, err := scopeOf(who)
	if err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { best, err = s.suggest(tx, sc, ask); return err })
	return best, err
}
