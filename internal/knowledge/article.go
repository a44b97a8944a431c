package knowledge

import (
	"context"
	"errors"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Article reads one by id or slug; the house's people only. ErrNoArticle.
func (s *Service) Article(ctx context.Context, who principal.Principal, key string) (a Article, err error) {
	if err := mayRead(who); err != nil {
		return a, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if a, err = articleIn(tx, key); err != nil {
			return err
		}
		return tally(tx, []*Article{&a})
	})
	return a, err
}

// Create makes an article, a draft of version 1. The slug, at most 80 lower-case
// letters, digits and hyphens, is its name for ever. Failures: OSM.01010001
// naming the field, .02 (right), ErrSlug, and 5,000 articles are the most.
func (s *Service) Create(ctx context.Context, who principal.Principal, slug string, c Content, note string) (Article, error) {
	if err := mayWrite(who); err != nil {
		return Article{}, err
	}
	note, err := s.checkNew(&slug, &c, note)
	if err != nil {
		return Article{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Article, error) { return s.create(tx, who, slug, c, note) })
}

func (s *Service) checkNew(slug *string, c *Content, note string) (string, error) {
	if *slug == "" {
		return "", fault.Missing.In("slug")
	}
	if !IsSlug(*slug) {
		return "", errSlugForm.In("slug")
	}
	if err := c.check(s.catalog.Now(), Content{}); err != nil {
		return "", err
	}
	return checkNote(note)
}

func checkNote(note string) (string, error) {
	if utf8.RuneCountInString(note) > MaxNote {
		return "", fault.TooLong.In("note").With("max", MaxNote)
	}
	return lineEnds(note), nil
}

func (s *Service) create(tx *db.Tx, who principal.Principal, slug string, c Content, note string) (Article, error) {
	tx.Lock(principal.House, "articles")
	var n int
	if err := tx.Get("SELECT count(*) FROM articles").Scan(&n); err != nil {
		return Article{}, err
	}
	if n >= MaxArticles {
		return Article{}, errFull
	}
	var other string
	switch err := tx.Get("SELECT id FROM articles WHERE slug = ? OR id = ?", slug, slug).Scan(&other); {
	case err == nil:
		return Article{}, ErrSlug.With("slug", slug)
	case !errors.Is(err, db.ErrNone):
		return Article{}, err
	}
	return s.insert(tx, who, slug, c, note), nil
}

func (s *Service) insert(tx *db.Tx, who principal.Principal, slug string, c Content, note string) Article {
	a := Article{ID: tx.NewID(), Slug: slug, State: StateDraft, Revision: 1, Version: 1, Content: c, Created: tx.Now, Changed: tx.Now, Actor: who.User}
	tx.Write(1, "INSERT INTO articles (id, slug, state, revision, version, published, audience, created_at, changed_at, published_at, actor) VALUES (?, ?, ?, ?, ?, 0, '', ?, ?, 0, ?)",
		a.ID, a.Slug, a.State, a.Revision, a.Version, a.Created, a.Changed, a.Actor)
	s.addVersion(tx, a, note)
	s.record(tx, who, "article.create", a, nil)
	return a
}

// addVersion writes the words of an article as its newest version.
func (s *Service) addVersion(tx *db.Tx, a Article, note string) {
	tx.Write(1, `INSERT INTO article_versions (article_id, version, revision, note, at, actor, published_at, visibility, title_zh, title_en, summary_zh, summary_en, body_zh, body_en, links)
		VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)`, append([]any{a.ID, a.Version, a.Revision, note, tx.Now, a.Actor}, a.Content.args()...)...)
	link(tx, a.ID, stageNow, a.Content)
	putDocs(tx, a.ID, stageNow, &a.Content)
}

// Stages of what articles are found by.
const (
	stageNow = "now" // the newest version
	stageOut = "out" // the published one
)

// link writes what an article is found by beside its words.
func link(tx *db.Tx, id, stage string, c Content) {
	tx.Write(db.Any, "DELETE FROM article_links WHERE article_id = ? AND stage = ?", id, stage)
	for kind, values := range map[string][]string{"tag": c.Tags, "product": c.Products, "problem_type": c.Types} {
		for _, v := range values {
			if kind == "tag" {
				v = search.Folded(v)
			}
			tx.Write(1, "INSERT INTO article_links (article_id, stage, kind, value) VALUES (?, ?, ?, ?)", id, stage, kind, v)
		}
	}
}

// Change makes a new version of an article's words. seen is the revision the
// caller has read, 0 = whatever is there; another one is refused with what was
// changed meanwhile. Words that are the same make no version. Failures: those of
// Create, ErrNoArticle, and ErrState for an archived one.
func (s *Service) Change(ctx context.Context, who principal.Principal, key string, c Content, note string, seen int64) (Article, error) {
	if err := mayWrite(who); err != nil {
		return Article{}, err
	}
	note, err := checkNote(note)
	if err != nil {
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
		c := c // a repeat begins anew
		if err := c.check(s.catalog.Now(), a.Content); err != nil {
			return a, err
		}
		if err := tally(tx, []*Article{&a}); err != nil {
			return a, err
		}
		return s.change(tx, who, a, c, note, nil)
	})
}

func (s *Service) change(tx *db.Tx, who principal.Principal, a Article, c Content, note string, more map[string]any) (Article, error) {
	switch {
	case a.State == StateArchived:
		return a, stateFault(a)
	case c.same(a.Content):
		return a, nil
	case a.Version >= MaxVersions:
		return a, errVersions.With("max", MaxVersions)
	}
	before := a
	a.Content, a.Version = c, a.Version+1
	s.save(tx, who, &a)
	s.addVersion(tx, a, note)
	var parts []string
	for _, p := range compare(before.Content, c) {
		parts = append(parts, p.name)
	}
	data := map[string]any{"parts": parts}
	for k, v := range more {
		data[k] = v
	}
	s.record(tx, who, "article.change", a, data)
	return a, nil
}

// save writes the row of an article that was changed, and makes it a revision.
func (s *Service) save(tx *db.Tx, who principal.Principal, a *Article) {
	before := a.Revision
	a.Revision, a.Changed, a.Actor = before+1, tx.Now, who.User
	tx.Write(1, "UPDATE articles SET state = ?, revision = ?, version = ?, published = ?, audience = ?, changed_at = ?, published_at = ?, actor = ? WHERE id = ? AND revision = ?",
		a.State, a.Revision, a.Version, a.Published, a.Audience, a.Changed, a.PublishedAt, a.Actor, a.ID, before)
}

func stateFault(a Article) error {
	n := stateNames[a.State]
	return ErrState.With("state.zh", n.ZH).With("state.en", n.EN)
}

// fresh refuses a revision that is not the article's, with what was changed since
// and by whom.
func fresh(tx *db.Tx, a Article, seen int64) error {
	if seen == 0 || seen == a.Revision {
		return nil
	}
	var before rawContent
	was := a.Content
	err := tx.Get("SELECT "+contentColumns+" FROM article_versions AS v WHERE v.article_id = ? AND v.revision <= ? ORDER BY v.version DESC LIMIT 1", a.ID, seen).Scan(before.fields()...)
	if err == nil {
		if was, err = before.content(); err != nil {
			return err
		}
	} else if !errors.Is(err, db.ErrNone) {
		return err
	}
	alias, _, err := identity.PublicEngineer(tx, a.Actor)
	if err != nil {
		return err
	}
	if alias == "" {
		alias = "Casemate"
	}
	parts := compare(was, a.Content)
	f := errChanged.With("name", alias).With("revision", a.Revision).With("number", a.Version)
	for lang, end := range map[locale.Language]string{locale.ZH: ".zh", locale.EN: ".en"} {
		f = f.With("state"+end, StateName(a.State, lang)).With("changes"+end, named(parts, lang))
	}
	return f
}

// Steps of an article.
const (
	StepPublish   = "publish"   // the newest version is what readers see
	StepUnpublish = "unpublish" // readers see none
	StepArchive   = "archive"   // put away
	StepUnarchive = "unarchive" // back as a draft
)

// Step does one of the steps; seen as of Change. To publish, every language that
// is there must have title and body. To publish what is published already
// changes nothing. Failures: ErrNoArticle, ErrState, OSM.01010001 naming what is
// missing or an unknown step.
func (s *Service) Step(ctx context.Context, who principal.Principal, key, do string, seen int64) (Article, error) {
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
		if err := tally(tx, []*Article{&a}); err != nil {
			return a, err
		}
		return s.step(tx, who, a, do)
	})
}

func (s *Service) step(tx *db.Tx, who principal.Principal, a Article, do string) (Article, error) {
	switch do {
	case StepPublish:
		if a.State == StateArchived {
			return a, stateFault(a)
		}
		if err := a.Content.ready(); err != nil {
			return a, err
		}
		if a.Published == a.Version {
			return a, nil
		}
		a.State, a.Published, a.Audience, a.PublishedAt = StatePublished, a.Version, a.Content.Visibility, tx.Now
		tx.Write(1, "UPDATE article_versions SET published_at = CASE WHEN published_at = 0 THEN ? ELSE published_at END WHERE article_id = ? AND version = ?", tx.Now, a.ID, a.Version)
		link(tx, a.ID, stageOut, a.Content)
		putDocs(tx, a.ID, stageOut, &a.Content)
		s.save(tx, who, &a)
		s.record(tx, who, "article.publish", a, nil)
	case StepUnpublish:
		if a.State != StatePublished {
			return a, stateFault(a)
		}
		s.hide(tx, &a, StateDraft)
		s.save(tx, who, &a)
		s.record(tx, who, "article.unpublish", a, nil)
	case StepArchive:
		if a.State == StateArchived {
			return a, stateFault(a)
		}
		s.hide(tx, &a, StateArchived)
		s.save(tx, who, &a)
		s.record(tx, who, "article.archive", a, nil)
	case StepUnarchive:
		if a.State != StateArchived {
			return a, stateFault(a)
		}
		a.State = StateDraft
		s.save(tx, who, &a)
		s.record(tx, who, "article.unarchive", a, nil)
	default:
		return a, fault.Unknown.In("do")
	}
	return a, nil
}

// hide takes an article away from readers.
func (s *Service) hide(tx *db.Tx, a *Article, state string) {
	a.State, a.Published, a.Audience, a.PublishedAt = state, 0, "", 0
	link(tx, a.ID, stageOut, Content{})
	putDocs(tx, a.ID, stageOut, nil)
}
