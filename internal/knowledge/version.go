package knowledge

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Version is one state of an article's words.
type Version struct {
	Number      int64
	Content     Content
	Note        string
	At          int64 // milliseconds UTC
	Actor       string
	PublishedAt int64 // first, 0 = never
}

const versionColumns = "v.version, v.note, v.at, v.actor, v.published_at, " + contentColumns

func scanVersion(r db.Row) (v Version, err error) {
	var c rawContent
	if err = r.Scan(append([]any{&v.Number, &v.Note, &v.At, &v.Actor, &v.PublishedAt}, c.fields()...)...); err == nil {
		v.Content, err = c.content()
	}
	return v, err
}

func versionIn(tx *db.Tx, id string, n int64) (Version, error) {
	v, err := scanVersion(tx.Get("SELECT "+versionColumns+" FROM article_versions AS v WHERE v.article_id = ? AND v.version = ?", id, n))
	if errors.Is(err, db.ErrNone) {
		err = ErrNoVersion.With("version", n)
	}
	return v, err
}

// Versions are those of an article, the newest first, at most so many below the
// version before (0 = from the newest), and where to go on, 0 at the end.
func (s *Service) Versions(ctx context.Context, who principal.Principal, key string, before int64, limit int) (a Article, all []Version, next int64, err error) {
	if err := mayRead(who); err != nil {
		return a, nil, 0, err
	}
	if before == 0 {
		before = MaxVersions + 1
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		if a, err = articleIn(tx, key); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			v, err := scanVersion(r)
			all = append(all, v)
			return err
		}, "SELECT "+versionColumns+" FROM article_versions AS v WHERE v.article_id = ? AND v.version < ? ORDER BY v.version DESC LIMIT ?", a.ID, before, limit+1)
	})
	if err == nil && len(all) > limit {
		all = all[:limit]
		next = all[limit-1].Number
	}
	return a, all, next, err
}

// Version is one of an article's; ErrNoArticle, ErrNoVersion.
func (s *Service) Version(ctx context.Context, who principal.Principal, key string, n int64) (a Article, v Version, err error) {
	if err := mayRead(who); err != nil {
		return a, v, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if a, err = articleIn(tx, key); err != nil {
			return err
		}
		v, err = versionIn(tx, a.ID, n)
		return err
	})
	return a, v, err
}

// Restore makes the words of an older version the newest one again, as a version
// of its own; seen as of Change.
func (s *Service) Restore(ctx context.Context, who principal.Principal, key string, n, seen int64) (Article, error) {
	if err := mayWrite(who); err != nil {
		return Article{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Article, error) {
		a, err := articleIn(tx, key)
		if err != nil {
			return a, err
		}
		if err := fresh(tx, a, seen); err != nil {
			return a, err
		}
		v, err := versionIn(tx, a.ID, n)
		if err != nil {
			return a, err
		}
		if err := tally(tx, []*Article{&a}); err != nil {
			return a, err
		}
		return s.change(tx, who, a, v.Content, "← "+strconv.FormatInt(n, 10), map[string]any{"restored": n})
	})
}

// Line is a line of a text: there before (-), there now (+), or both ( ).
type Line struct {
	Sign byte
	Text string
}

// Difference is a part of an article that differs between two versions.
type Difference struct {
	Part     string // visibility, zh.title, zh.summary, zh.body, en..., tags, products, problem_types
	From, To string
	Lines    []Line // of a body
}

// Differences tells what was changed from one version of an article to another.
func (s *Service) Differences(ctx context.Context, who principal.Principal, key string, from, to int64) (all []Difference, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	var a, b Version
	err = s.db.View(ctx, func(tx *db.Tx) error {
		article, err := articleIn(tx, key)
		if err != nil {
			return err
		}
		if a, err = versionIn(tx, article.ID, from); err != nil {
			return in(err, "from")
		}
		if b, err = versionIn(tx, article.ID, to); err != nil {
			return in(err, "to")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range compare(a.Content, b.Content) {
		d := Difference{Part: p.name, From: p.from, To: p.to}
		if p.long {
			d.Lines = diff(strings.Split(p.from, "\n"), strings.Split(p.to, "\n"))
		}
		all = append(all, d)
	}
	return all, nil
}

// in names the field of a fault.
func in(err error, field string) error {
	if f, ok := fault.As(err); ok {
		return f.In(field)
	}
	return err
}

// diffCells bounds the work of a comparison: beyond it the middle is told as
// taken out and put in as a whole.
const diffCells = 4_000_000

// diff compares lines by their longest common subsequence.
func diff(a, b []string) (out []Line) {
	put := func(sign byte, lines []string) {
		for _, l := range lines {
			out = append(out, Line{sign, l})
		}
	}
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	put(' ', a[:head])
	end := a[len(a)-tail:]
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	if len(a)*len(b) > diffCells {
		put('-', a)
		put('+', b)
		put(' ', end)
		return out
	}
	// common[i][j] is how many lines a[i:] and b[j:] share.
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			put(' ', a[i:i+1])
			i++
			j++
		case common[i+1][j] >= common[i][j+1]:
			put('-', a[i:i+1])
			i++
		default:
			put('+', b[j:j+1])
			j++
		}
	}
	put('-', a[i:])
	put('+', b[j:])
	put(' ', end)
	return out
}
