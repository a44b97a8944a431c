package knowledge

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
)

// RemoveUnchanged takes an article out for good, with its versions and what
// readers said of it: one that nobody has changed since it had the revision, and
// that was of use in no real customer's ticket. Others stay, and gone is false;
// of one that is gone already it is true. For articles of the demo world.
func (s *Service) RemoveUnchanged(ctx context.Context, who principal.Principal, id string, revision int64) (gone bool, err error) {
	if err := mayWrite(who); err != nil {
		return false, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		tx.Lock(principal.House, "articles")
		a, err := articleIn(tx, id)
		switch {
		case errors.Is(err, ErrNoArticle):
			return true, nil
		case err != nil:
			return false, err
		case a.Revision != revision:
			return false, nil
		}
		var used int
		err = tx.Get(`SELECT count(*) FROM article_tickets /* all domains: whoever it helped */
			WHERE article_id = ? AND domain_id IN (SELECT id FROM domains WHERE sandbox = 0)`, a.ID).Scan(&used)
		if err != nil || used > 0 {
			return false, err
		}
		for _, table := range []string{"article_tickets", "article_votes", "article_opened", "article_links", "article_versions"} {
			tx.Write(db.Any, "DELETE FROM "+table+" /* all domains: the article is gone */ WHERE article_id = ?", a.ID)
		}
		tx.Write(1, "DELETE FROM articles WHERE id = ? AND revision = ?", a.ID, revision)
		putDocs(tx, a.ID, stageNow, nil)
		putDocs(tx, a.ID, stageOut, nil)
		event.Record(tx, who, event.Event{Domain: principal.House, Kind: "article.remove", Subject: "article", SubjectID: a.ID, LogCode: event.NoLog, Data: map[string]any{"slug": a.Slug}})
		return true, nil
	})
}
