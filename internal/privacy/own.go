package privacy

import (
	"context"
	"strconv"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/personal"
	"casemate/internal/principal"
)

// ClearContacts clears the contacts a customer's user gave with his tickets, those
// he proved and those he copied to (semantics.md section 14), and answers how many
// rows it cleared. Registered ones go when the account is erased. Notices of his
// open tickets go to them alone from then on. The store's own leftovers are
// overwritten by a job about a minute later, once for all who cleared in that
// minute. It fails with ErrHeld, and with
// OSM.01010011 for who is no customer.
func (s *Service) ClearContacts(ctx context.Context, who principal.Principal) (n int, err error) {
	if who.Kind != principal.Customer {
		return 0, fault.NoPermission
	}
	sub := subject{Subject: personal.Subject{Domain: who.Domain, User: who.User}}
	var holds []Hold
	err = s.db.View(ctx, func(tx *db.Tx) error {
		_, on, err := s.count(tx, sub)
		if err == nil {
			holds, err = s.inTheWay(tx, sub, on)
		}
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case len(holds) > 0:
		return 0, ErrHeld.With("n", len(holds))
	}
	ctx = db.WithoutRequestKey(ctx) // each batch can be done again
	for _, r := range s.n.Rules {
		if r.Kind != "contacts" && r.Kind != "proofs" {
			continue
		}
		cond, args := personal.Expand(whole(r), sub.Subject, 0)
		var after []any
		for {
			var page []personal.Found
			err := s.db.View(ctx, func(tx *db.Tx) (err error) { page, err = r.Page(tx, cond, args, after, batch); return err })
			if err != nil {
				return n, err
			}
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].Key
			err = s.db.Update(ctx, func(tx *db.Tx) error {
				apply(tx, r, page, true)
				scrubSoon(tx)
				return nil
			})
			if err != nil {
				return n, err
			}
			n += len(page)
		}
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		event.Record(tx, who, event.Event{Domain: who.Domain, Kind: "privacy.contacts.clear", Subject: "user", SubjectID: who.User, LogCode: event.NoLog, Data: map[string]any{"rows": n}})
		return nil
	})
	return n, err
}

const kindScrub = "privacy.scrub"

// scrubSlack is how long a transaction of a minute may take before the minute's
// job runs.
const scrubSlack = 5 * time.Second

// scrubSoon queues the overwriting of what ClearContacts leaves. A job's name is
// its minute and it runs when that is over, so that it comes behind all it stands
// for.
func scrubSoon(tx *db.Tx) {
	minute := tx.Real / time.Minute.Milliseconds()
	wait := (minute+1)*time.Minute.Milliseconds() - tx.Real + scrubSlack.Milliseconds()
	job.Enqueue(tx, job.Job{Kind: kindScrub, Args: struct{}{}, Unique: strconv.FormatInt(minute, 10), At: tx.Now + wait})
}

func (s *Service) scrubJob(ctx context.Context, _ job.Running) error {
	return s.scrub(ctx, []personal.Rule{{Table: "tickets"}, {Table: "copy_addresses"}, {Table: "verify_proofs"}, {Table: "ticket_changes"}})
}
