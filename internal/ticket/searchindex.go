package ticket

import (
	"context"
	"fmt"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/search"
)

// What of tickets is in the desk's index, and how what an older version left is
// put there.

// contactDocID is the document of a ticket's contacts, which has none of its
// own row.
func contactDocID(ticket string) string { return "c" + ticket }

// contactDoc is by which contacts a ticket is found, as hashes only.
func (s *Service) contactDoc(t Ticket, c Contact) []search.Doc {
	var terms []string
	for _, v := range append([]string{c.E164, c.Mail}, c.Copies...) {
		if v != "" {
			terms = append(terms, s.terms.Contact(v))
		}
	}
	if len(terms) == 0 {
		return nil
	}
	return []search.Doc{{Domain: t.Domain, Kind: search.KindContact, ID: contactDocID(t.ID), Parent: t.ID, Secret: terms}}
}

// judgementDoc is the customer's comment on the service.
func judgementDoc(t Ticket) []search.Doc {
	if t.Judgement == "" {
		return nil
	}
	return []search.Doc{{Domain: t.Domain, Kind: search.KindJudgement, ID: "j" + t.ID, Parent: t.ID, Text: t.Judgement}}
}

// searchSource is one sort of what is in the index.
type searchSource struct {
	name string
	// read makes the documents behind one of them, by domain and id of their rows;
	// at is the last row it looked at, after when there is none.
	read func(ctx context.Context, after [2]string, limit int) (docs []search.Doc, at [2]string, err error)
	// again is a document as it is now, in the transaction that writes it.
	again func(tx *db.Tx, d search.Doc) (search.Doc, bool, error)
}

func (s *Service) searchSources() []searchSource {
	return []searchSource{
		{"tickets", s.searchTickets(descriptionDocs, "1 = 1"), same},
		{"messages", s.searchMessages, s.messageAgain},
		{"judgements", s.searchTickets(func(_ context.Context, t Ticket) ([]search.Doc, error) { return judgementDoc(t), nil }, "judgement <> ''"), same},
		{"contacts", s.searchTickets(s.contactOf, "contact <> ''"), s.contactAgain},
		{"files", s.searchFiles, attachment.FileDoc},
		{"users", s.ident.SearchUsers, same},
		{"domains", s.searchDomains, same},
		{"articles", s.searchArticles, knowledge.SearchDoc},
	}
}

func same(_ *db.Tx, d search.Doc) (search.Doc, bool, error) { return d, true, nil }

func descriptionDoc(t Ticket) search.Doc {
	return search.Doc{Domain: t.Domain, Kind: search.KindTicket, ID: t.ID, Parent: t.ID, Text: t.Description}
}

func descriptionDocs(_ context.Context, t Ticket) ([]search.Doc, error) {
	return []search.Doc{descriptionDoc(t)}, nil
}

func (s *Service) contactOf(ctx context.Context, t Ticket) ([]search.Doc, error) {
	c, err := s.Contact(ctx, t)
	return s.contactDoc(t, c), err
}

// searchTickets reads documents that are made of a ticket's row.
func (s *Service) searchTickets(docsOf func(ctx context.Context, t Ticket) ([]search.Doc, error), cond string) func(ctx context.Context, after [2]string, limit int) ([]search.Doc, [2]string, error) {
	return func(ctx context.Context, after [2]string, limit int) (docs []search.Doc, at [2]string, err error) {
		var all []Ticket
		err = s.db.View(ctx, func(tx *db.Tx) error {
			all = nil
			return tx.List(func(r db.Row) error {
				t, err := scan(r)
				all = append(all, t)
				return err
			}, "SELECT "+columns+" FROM tickets /* all domains: building the index */ WHERE "+cond+" AND (domain_id, id) > (?, ?) ORDER BY domain_id, id LIMIT ?", after[0], after[1], limit)
		})
		at = after
		for _, t := range all {
			at = [2]string{t.Domain, t.ID}
			some, err := docsOf(ctx, t)
			if err != nil {
				return nil, at, err
			}
			docs = append(docs, some...)
		}
		return docs, at, err
	}
}

// contactAgain drops a document that was made of a contact since changed: the
// change has written its own.
func (s *Service) contactAgain(tx *db.Tx, d search.Doc) (search.Doc, bool, error) {
	var n int
	err := tx.Get("SELECT count(*) FROM search_docs WHERE domain_id = ? AND doc = ?", d.Domain, d.ID).Scan(&n)
	return d, n == 0, err
}

// searchMessages leaves out the lines that told of an undone operation: they are
// in no ticket.
func (s *Service) searchMessages(ctx context.Context, after [2]string, limit int) (docs []search.Doc, at [2]string, err error) {
	at = after
	err = s.db.View(ctx, func(tx *db.Tx) error {
		docs, at = nil, after
		return tx.List(func(r db.Row) error {
			d, err := scanMessageDoc(r)
			at = [2]string{d.Domain, d.ID}
			docs = append(docs, d)
			return err
		}, "SELECT domain_id, id, ticket_id, internal, text FROM messages /* all domains: building the index */ WHERE opening = 0 AND withdrawn_at = 0 AND ticket_id <> '' AND (domain_id, id) > (?, ?) ORDER BY domain_id, id LIMIT ?",
			after[0], after[1], limit)
	})
	return docs, at, err
}

func scanMessageDoc(r db.Row) (d search.Doc, err error) {
	var internal int64
	err = r.Scan(&d.Domain, &d.ID, &d.Parent, &internal, &d.Text)
	if d.Kind = search.KindMessage; internal == 1 {
		d.Kind = search.KindNote
	}
	return d, err
}

func (s *Service) messageAgain(tx *db.Tx, d search.Doc) (search.Doc, bool, error) {
	found := false
	err := tx.List(func(r db.Row) (err error) { d, err = scanMessageDoc(r); found = true; return err },
		"SELECT domain_id, id, ticket_id, internal, text FROM messages WHERE opening = 0 AND withdrawn_at = 0 AND ticket_id <> '' AND domain_id = ? AND id = ?", d.Domain, d.ID)
	return d, found, err
}

func (s *Service) searchFiles(ctx context.Context, after [2]string, limit int) ([]search.Doc, [2]string, error) {
	if s.files == nil {
		return nil, after, nil
	}
	return s.files.SearchFiles(ctx, after, limit)
}

func (s *Service) searchArticles(ctx context.Context, after [2]string, limit int) ([]search.Doc, [2]string, error) {
	return knowledge.SearchDocs(ctx, s.db, after, limit)
}

func (s *Service) searchDomains(ctx context.Context, after [2]string, limit int) (docs []search.Doc, at [2]string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error { docs, err = identity.SearchDomains(tx, after[0], limit); return err })
	at = after
	for _, d := range docs {
		at = [2]string{d.Domain, d.ID}
	}
	return docs, at, err
}

// indexBatch is how many documents one transaction indexes: some milliseconds.
const indexBatch = 40

// indexFor is how long one run goes on: other nodes may take the next.
const indexFor = 8 * time.Second

// Reindex goes on putting into the desk's index what an older version left out
// of it, for some seconds or until nothing is left. It may be cut off at any
// place and goes on there the next time; meanwhile searches say how far it is.
func (s *Service) Reindex(ctx context.Context) error {
	began := time.Now()
	for _, source := range s.searchSources() {
		for {
			if time.Since(began) > indexFor {
				return nil
			}
			more, err := s.reindex(ctx, source)
			if err != nil {
				return fmt.Errorf("index of %s: %w", source.name, err)
			}
			if !more {
				break
			}
		}
	}
	return s.reindexLate(ctx)
}

// IndexAnew builds the whole index from the tables, for a store whose rows came
// from elsewhere, and tells now and then how far it is. Nothing else may use the
// store. Cut off, the next Reindex goes on.
func (s *Service) IndexAnew(ctx context.Context, each func(done, total int64)) error {
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		search.Clear(tx)
		tx.Write(db.Any, "DELETE FROM search_tasks")
		for _, source := range s.searchSources() {
			tx.Write(1, "INSERT INTO search_tasks (name, at_domain, at_id, done, total, finished_at) VALUES (?, '', '', 0, 0, 0)", source.name)
		}
		for name, from := range map[string]string{"tickets": "tickets", "messages": "messages WHERE opening = 0 AND withdrawn_at = 0 AND ticket_id <> ''", "judgements": "tickets WHERE judgement <> ''",
			"contacts": "tickets WHERE contact <> ''", "files": "attachments", "users": "users WHERE domain_id <> 'house'", "domains": "domains WHERE id <> 'house'", "articles": "articles"} {
			tx.Write(db.Any, "UPDATE search_tasks SET total = (SELECT count(*) FROM "+from+") WHERE name = ? /* all domains: how much there is to index */", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, source := range s.searchSources() {
		for more := true; more; {
			if more, err = s.reindex(ctx, source); err != nil {
				return fmt.Errorf("index of %s: %w", source.name, err)
			}
			var done, total int64
			err := s.db.View(ctx, func(tx *db.Tx) error {
				return tx.Get("SELECT coalesce(sum(done), 0), coalesce(sum(total), 0) FROM search_tasks").Scan(&done, &total)
			})
			if err != nil {
				return err
			}
			each(done, total)
		}
	}
	return nil
}

// reindex does one batch of a task and tells whether there is more.
func (s *Service) reindex(ctx context.Context, source searchSource) (more bool, err error) {
	var after [2]string
	open := false
	err = s.db.View(ctx, func(tx *db.Tx) error {
		open = false
		return tx.List(func(r db.Row) error { open = true; return r.Scan(&after[0], &after[1]) },
			"SELECT at_domain, at_id FROM search_tasks WHERE name = ? AND finished_at = 0", source.name)
	})
	if err != nil || !open {
		return false, err
	}
	docs, at, err := source.read(ctx, after, indexBatch)
	if err != nil {
		return false, err
	}
	more = at != after
	return more, s.db.Update(ctx, func(tx *db.Tx) error {
		var now []search.Doc
		for _, d := range docs {
			d, ok, err := source.again(tx, d)
			if err != nil {
				return err
			}
			if ok {
				now = append(now, d)
			}
		}
		search.Put(tx, false, now...)
		finished := int64(0)
		if !more {
			finished = max(tx.Now, 1)
		}
		tx.Write(1, "UPDATE search_tasks SET at_domain = ?, at_id = ?, done = done + ?, finished_at = ? WHERE name = ? AND at_domain = ? AND at_id = ?",
			at[0], at[1], len(docs), finished, source.name, after[0], after[1])
		return nil
	})
}

// reindexLate puts documents into the desk's index that a node of an older
// version wrote beside this one.
func (s *Service) reindexLate(ctx context.Context) error {
	for n := indexBatch; n == indexBatch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			var keys [][3]string
			err := tx.List(func(r db.Row) error {
				var k [3]string
				err := r.Scan(&k[0], &k[1], &k[2])
				keys = append(keys, k)
				return err
			}, "SELECT domain_id, doc, kind FROM search_docs /* all domains: building the index */ WHERE desk = 0 ORDER BY domain_id, doc LIMIT ?", indexBatch)
			if err != nil {
				return err
			}
			n = len(keys)
			var docs []search.Doc
			for _, k := range keys {
				d, ok := search.Doc{Domain: k[0], ID: k[1]}, false
				if k[2] == search.KindTicket {
					var t Ticket
					if t, err = ticketIn(tx, k[0], k[1]); err == nil {
						d, ok = descriptionDoc(t), true
					}
				} else {
					d, ok, err = s.messageAgain(tx, d)
				}
				if err != nil {
					return err
				}
				if ok {
					docs = append(docs, d)
				} else {
					search.Remove(tx, k[0], k[1])
				}
			}
			search.Put(tx, false, docs...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// indexing tells how much of the index is there while it is built; both 0: all.
func indexing(tx *db.Tx) (done, total int64, err error) {
	var open int64
	err = tx.Get("SELECT coalesce(sum(done), 0), coalesce(sum(total), 0), count(*) FILTER (WHERE finished_at = 0) FROM search_tasks").Scan(&done, &total, &open)
	if err != nil || open == 0 {
		return 0, 0, err
	}
	return min(done, total), max(total, 1), nil
}
