package knowledge

import (
	"context"
	"errors"
	"strings"

	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/markdown"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// The index has four documents of an article in each language: head and whole
// of its newest version, and of the published one.

// docID is a document's: the article's id, the stage, the language, h for the head.
func docID(id, stage string, lang locale.Language, head bool) string {
	s := id + "." + stage + "." + string(lang[:2])
	if head {
		s += ".h"
	}
	return s
}

// headText is what weighs most: title, summary and tags.
func headText(c Content, w Words) string {
	return w.Title + "\n" + w.Summary + "\n" + strings.Join(c.Tags, "\n")
}

// wholeText is all that a search looks at.
func wholeText(c Content, w Words) string { return headText(c, w) + "\n" + markdown.Plain(w.Body) }

func docsOf(id, stage string, c Content) (docs []search.Doc) {
	head, whole := search.KindArticle, search.KindArticleText
	if stage == stageOut {
		head, whole = search.KindAnswer, search.KindAnswerText
	}
	for _, l := range c.Languages() {
		w, _, _ := c.In(l)
		docs = append(docs,
			search.Doc{Domain: principal.House, Kind: head, ID: docID(id, stage, l, true), Parent: id, Text: headText(c, w)},
			search.Doc{Domain: principal.House, Kind: whole, ID: docID(id, stage, l, false), Parent: id, Text: wholeText(c, w)})
	}
	return docs
}

// putDocs indexes an article's stage, or with nil takes it out of the index.
func putDocs(tx *db.Tx, id, stage string, c *Content) {
	var gone []string
	for _, l := range []locale.Language{locale.ZH, locale.EN} {
		gone = append(gone, docID(id, stage, l, true), docID(id, stage, l, false))
	}
	search.Remove(tx, principal.House, gone...)
	if c != nil {
		search.Put(tx, false, docsOf(id, stage, *c)...)
	}
}

// stagesOf are both stages of articles, from a row each: the newest version and
// the published one.
const stagesOf = `SELECT a.id, CASE WHEN v.version = a.version THEN 1 ELSE 0 END, CASE WHEN v.version = a.published THEN 1 ELSE 0 END, ` + contentColumns + `
	FROM articles AS a JOIN article_versions AS v ON v.article_id = a.id AND (v.version = a.version OR v.version = a.published)`

func scanStages(r db.Row) (id string, docs []search.Doc, err error) {
	var c rawContent
	var isNow, out int64
	if err = r.Scan(append([]any{&id, &isNow, &out}, c.fields()...)...); err != nil {
		return id, nil, err
	}
	content, err := c.content()
	if isNow == 1 {
		docs = append(docs, docsOf(id, stageNow, content)...)
	}
	if out == 1 {
		docs = append(docs, docsOf(id, stageOut, content)...)
	}
	return id, docs, err
}

// SearchDocs are the documents behind an article, by its id, for whoever builds
// or proves the index; at is where it ended, after when there is none.
func SearchDocs(ctx context.Context, d *db.DB, after [2]string, limit int) (docs []search.Doc, at [2]string, err error) {
	at = after
	err = d.View(ctx, func(tx *db.Tx) error {
		docs, at = nil, after
		return tx.List(func(r db.Row) error {
			id, some, err := scanStages(r)
			docs, at = append(docs, some...), [2]string{principal.House, id}
			return err
		}, stagesOf+" WHERE a.id IN (SELECT id FROM articles WHERE id > ? ORDER BY id LIMIT ?) ORDER BY a.id", after[1], limit)
	})
	return docs, at, err
}

// SearchDoc is a document as it is now, in the transaction that writes it; false
// when there is none.
func SearchDoc(tx *db.Tx, d search.Doc) (search.Doc, bool, error) {
	var found *search.Doc
	err := tx.List(func(r db.Row) error {
		_, some, err := scanStages(r)
		for i := range some {
			if some[i].ID == d.ID {
				found = &some[i]
			}
		}
		return err
	}, stagesOf+" WHERE a.id = ?", d.Parent)
	if err != nil && !errors.Is(err, db.ErrNone) || found == nil {
		return d, false, err
	}
	return *found, true, nil
}
