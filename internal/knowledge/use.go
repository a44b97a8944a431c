package knowledge

import (
	"context"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// tally reads how often articles helped and in how many tickets they were used.
func tally(tx *db.Tx, all []*Article) error {
	if len(all) == 0 {
		return nil
	}
	byID, args := map[string]*Article{}, []any{}
	for _, a := range all {
		a.Helpful, a.NotHelpful, a.UsedIn = 0, 0, 0
		byID[a.ID], args = a, append(args, a.ID)
	}
	in := "(?" + strings.Repeat(", ?", len(all)-1) + ")"
	return tx.List(func(r db.Row) error {
		var id, what string
		var n int64
		if err := r.Scan(&id, &what, &n); err != nil {
			return err
		}
		switch a := byID[id]; what {
		case "1":
			a.Helpful = n
		case "0":
			a.NotHelpful = n
		default:
			a.UsedIn = n
		}
		return nil
	}, "SELECT article_id, CASE WHEN helpful = 1 THEN '1' ELSE '0' END, count(*) FROM article_votes /* all domains: what readers say of the house's articles */ WHERE article_id IN "+in+" GROUP BY article_id, helpful UNION ALL SELECT article_id, 'used', count(*) FROM article_tickets /* all domains: as above */ WHERE article_id IN "+in+" GROUP BY article_id",
		append(args, args...)...)
}

// Use is an article that was of use in a ticket.
type Use struct {
	Article Article
	Version int64 // of the article then
	At      int64 // milliseconds UTC
	Actor   string
}

// UseIn notes that an article was of use in a ticket, whose rights the caller has
// checked: for the nouns above. What is noted already stays. ErrNoArticle, and
// ErrState for an archived one.
func UseIn(tx *db.Tx, who principal.Principal, domain, ticket, key string) (Use, error) {
	if err := mayWrite(who); err != nil {
		return Use{}, err
	}
	a, err := articleIn(tx, key)
	if err != nil {
		return Use{}, err
	}
	if a.State == StateArchived {
		return Use{}, stateFault(a)
	}
	all, err := UsesIn(tx, domain, ticket)
	if err != nil {
		return Use{}, err
	}
	for _, u := range all {
		if u.Article.ID == a.ID {
			return u, nil
		}
	}
	u := Use{Article: a, Version: a.Version, At: tx.Now, Actor: who.User}
	tx.Write(1, "INSERT INTO article_tickets (domain_id, ticket_id, article_id, version, at, actor) VALUES (?, ?, ?, ?, ?, ?)", domain, ticket, a.ID, u.Version, u.At, u.Actor)
	event.Record(tx, who, event.Event{Domain: domain, Kind: "article.use", Subject: "article", SubjectID: a.ID, LogCode: event.NoLog, Data: map[string]any{"ticket": ticket, "version": a.Version}})
	return u, nil
}

// UnuseIn takes the note back; ErrNoArticle when there is none.
func UnuseIn(tx *db.Tx, who principal.Principal, domain, ticket, key string) error {
	if err := mayWrite(who); err != nil {
		return err
	}
	a, err := articleIn(tx, key)
	if err != nil {
		return err
	}
	var n int
	if err := tx.Get("SELECT count(*) FROM article_tickets WHERE domain_id = ? AND ticket_id = ? AND article_id = ?", domain, ticket, a.ID).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return ErrNoArticle
	}
	tx.Write(1, "DELETE FROM article_tickets WHERE domain_id = ? AND ticket_id = ? AND article_id = ?", domain, ticket, a.ID)
	event.Record(tx, who, event.Event{Domain: domain, Kind: "article.unuse", Subject: "article", SubjectID: a.ID, LogCode: event.NoLog, Data: map[string]any{"ticket": ticket}})
	return nil
}

// UsesIn are the articles that were of use in a ticket, in the order they were
// noted.
func UsesIn(tx *db.Tx, domain, ticket string) (all []Use, err error) {
	err = tx.List(func(r db.Row) error {
		var u Use
		var c rawContent
		if err := r.Scan(append(append([]any{&u.Version, &u.At, &u.Actor}, u.Article.fields()...), c.fields()...)...); err != nil {
			return err
		}
		var err error
		u.Article.Content, err = c.content()
		all = append(all, u)
		return err
	}, "SELECT t.version, t.at, t.actor, "+articleColumns+", "+contentColumns+` FROM article_tickets AS t JOIN articles AS a ON a.id = t.article_id JOIN article_versions AS v ON v.article_id = a.id AND v.version = a.version
		WHERE t.domain_id = ? AND t.ticket_id = ? ORDER BY t.at, a.id`, domain, ticket)
	return all, err
}

// UsedIn are the tickets in which an article was of use, the newest first: their
// domains and ids, for the nouns above, which know who may see them.
func UsedIn(tx *db.Tx, article string, most int) (tickets [][2]string, err error) {
	a, err := articleIn(tx, article)
	if err != nil {
		return nil, err
	}
	err = tx.List(func(r db.Row) error {
		var t [2]string
		err := r.Scan(&t[0], &t[1])
		tickets = append(tickets, t)
		return err
	}, "SELECT domain_id, ticket_id FROM article_tickets /* all domains: the desk's view of its article */ WHERE article_id = ? ORDER BY at DESC, ticket_id DESC LIMIT ?", a.ID, most)
	return tickets, err
}

// Figures are what suggestions brought, over a span of time.
type Figures struct {
	Suggestions    int64 // times that a customer began to write and was asked for articles
	Shown          int64 // of these: something was shown
	Opened         int64 // of these: something was opened
	OpenedTicket   int64 // opened, and a ticket of his followed
	Deflected      int64 // opened, and none followed
	ShownTicket    int64 // shown and not opened, and a ticket followed
	Helpful        int64 // readers' words in the span
	NotHelpful     int64
	MostOpened     []Opened // at most ten
	FollowedWithin int64    // milliseconds: what counts as following
}

// Opened is how often an article was opened from suggestions.
type Opened struct {
	Slug   string
	Title  Content
	Opened int64
	Ticket int64 // of these: a ticket followed
}

// followed is within which time behind the last suggestion a customer's ticket
// counts as the one he was writing.
const followed = 24 * 60 * 60 * 1000

var errSpan = fault.New(fault.Invalid, fault.CodeInvalid, "统计的时间范围最长 {max} 天", "figures are about at most {max} days").In("from").With("max", int(keepSuggestions/(24*time.Hour)))

// Figures counts suggestions that began from an instant (inclusive) until
// another (exclusive), in milliseconds UTC: whether they were opened before
// submission and whether a ticket of the same user followed within 24 hours. The
// last day of a span that ends now is not final. A span is at most 400 days, which
// is how long counts are kept. The house's people only. Failures: OSM.01010001
// naming from.
func (s *Service) Figures(ctx context.Context, who principal.Principal, from, until int64) (f Figures, err error) {
	if err := mayRead(who); err != nil {
		return f, err
	}
	if from >= until {
		return f, fault.Unknown.In("from")
	}
	if until-from > keepSuggestions.Milliseconds() {
		return f, errSpan
	}
	const each = `SELECT s.domain_id, s.id, s.shown,
			EXISTS (SELECT 1 FROM article_opened AS o WHERE o.domain_id = s.domain_id AND o.suggestion_id = s.id) AS opened,
			EXISTS (SELECT 1 FROM tickets AS t WHERE t.domain_id = s.domain_id AND t.creator = s.user_id AND t.created_at >= s.started_at AND t.created_at < s.asked_at + ?) AS wrote
		FROM article_suggestions AS s /* all domains: the house's figures */ WHERE s.started_at >= ? AND s.started_at < ?`
	err = s.db.View(ctx, func(tx *db.Tx) error {
		f = Figures{FollowedWithin: followed}
		err := tx.Get(`SELECT count(*), count(*) FILTER (WHERE e.shown > 0), count(*) FILTER (WHERE e.opened), count(*) FILTER (WHERE e.opened AND e.wrote), count(*) FILTER (WHERE e.opened AND NOT e.wrote),
			count(*) FILTER (WHERE e.shown > 0 AND NOT e.opened AND e.wrote) FROM (`+each+`) AS e`, followed, from, until).
			Scan(&f.Suggestions, &f.Shown, &f.Opened, &f.OpenedTicket, &f.Deflected, &f.ShownTicket)
		if err != nil {
			return err
		}
		err = tx.Get("SELECT count(*) FILTER (WHERE helpful = 1), count(*) FILTER (WHERE helpful = 0) FROM article_votes /* all domains: the house's figures */ WHERE at >= ? AND at < ? AND domain_id <> 'house'", from, until).Scan(&f.Helpful, &f.NotHelpful)
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var o Opened
			err := r.Scan(&o.Slug, &o.Title.ZH.Title, &o.Title.EN.Title, &o.Opened, &o.Ticket)
			f.MostOpened = append(f.MostOpened, o)
			return err
		}, `SELECT a.slug, v.title_zh, v.title_en, count(*), count(*) FILTER (WHERE e.wrote) FROM (`+each+`) AS e JOIN article_opened AS o ON o.domain_id = e.domain_id AND o.suggestion_id = e.id
			JOIN articles AS a ON a.id = o.article_id JOIN article_versions AS v ON v.article_id = a.id AND v.version = a.version
			GROUP BY a.slug, v.title_zh, v.title_en ORDER BY count(*) DESC, a.slug LIMIT 10`, followed, from, until)
	})
	return f, err
}
