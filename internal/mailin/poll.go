package mailin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"casemate/internal/db"
)

// Times and measures of a poller.
const (
	pollLease   = 15 * time.Second // a dead node's mailbox is read by another one after it
	firstPause  = 2 * time.Second  // after a failure; it doubles
	longPause   = 5 * time.Minute
	describe    = 100      // mails asked about at once
	markEach    = 20       // mails stored before they are marked
	mostHead    = 64 << 10 // of the header of a mail that is too big
	stuckTries  = 6        // of one mail, over about an hour
	resetLonger = 5 * time.Minute
)

// poller reads one mailbox, on one node of the installation at a time.
type poller struct {
	g *Gate
	a *account
	// again is how often a connection that had worked broke without a round
	// between: the first time is no failure.
	again int
	began bool // the pause after a failure before this node's start does not count
}

func (p *poller) name() string { return p.a.name }

// run reads the mailbox until the context ends, whenever this node holds the
// lease.
func (p *poller) run(ctx context.Context) {
	lease := "mailin." + p.name()
	if p.g.o.Alone {
		err := p.g.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "DELETE FROM leases WHERE name = ?", lease)
			return nil
		})
		if err != nil {
			p.g.log.Warn("leasing a mailbox", "mailbox", p.name(), "error", err)
		}
	}
	for ctx.Err() == nil {
		mine, err := p.g.db.Lease(ctx, lease, p.g.node, pollLease)
		if err != nil && ctx.Err() == nil {
			p.g.log.Warn("leasing a mailbox", "mailbox", p.name(), "error", err)
		}
		if !mine {
			pause(ctx, 2*p.g.o.Pause)
			continue
		}
		p.lead(ctx, lease)
	}
}

// lead reads while the lease lasts, and gives it back at the end.
func (p *poller) lead(ctx context.Context, lease string) {
	work, stop := context.WithCancel(ctx)
	defer stop()
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		defer stop()
		tick := time.NewTicker(pollLease / 3)
		defer tick.Stop()
		held := time.Now()
		for {
			select {
			case <-work.Done():
				return
			case <-tick.C:
			}
			mine, err := p.g.db.Lease(work, lease, p.g.node, pollLease)
			switch {
			case err == nil && mine:
				held = time.Now()
			case err == nil, time.Since(held) > pollLease:
				return // another node has it, or may have it
			}
		}
	}()
	for work.Err() == nil {
		if wait := p.turn(work); !pause(work, wait) {
			break
		}
	}
	stop()
	<-kept
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := p.g.db.Release(end, lease, p.g.node); err != nil {
		p.g.log.Warn("leasing a mailbox", "mailbox", p.name(), "error", err)
	}
}

// turn is one connection's time, and what to wait before the next.
func (p *poller) turn(ctx context.Context) (wait time.Duration) {
	b, err := p.g.state(ctx, p.name())
	if err == nil {
		if rest := time.Duration(b.Next-p.g.db.Now().UnixMilli()) * time.Millisecond; rest > 0 && p.began {
			return min(rest, 2*p.g.o.Pause) // the failures of another node count
		}
		p.began = true
		rounds := 0
		rounds, err = p.session(ctx)
		if ctx.Err() != nil {
			return 0
		}
		if err == nil {
			return p.a.c.Every
		}
		if rounds > 0 && p.again == 0 {
			p.again++ // servers end connections: that is no failure
			return p.g.o.Pause / 2
		}
	}
	if ctx.Err() != nil {
		return 0
	}
	return p.failed(ctx, err)
}

// failed notes a failure and tells how long to wait.
func (p *poller) failed(ctx context.Context, err error) time.Duration {
	t := trouble("读取邮箱失败", "reading the mailbox failed", err)
	var wait time.Duration
	spread := 1 + rand.Float64()/5 // mailboxes of one server drift apart
	_, stored := p.g.change(ctx, p.name(), func(tx *db.Tx, b *boxState) {
		b.Failures++
		wait = time.Duration(spread * float64(min(p.g.o.Pause<<min(b.Failures-1, 10), longPause)))
		b.Failed, b.ErrorZH, b.ErrorEN, b.Node, b.Next = tx.Now, t.ZH, t.EN, p.g.node, tx.Now+wait.Milliseconds()
	})
	p.g.log.Warn("a mailbox cannot be read", "mailbox", p.name(), "error", t.EN)
	if stored != nil {
		return p.g.o.Pause + rand.N(p.g.o.Pause)
	}
	return wait
}

// session reads over one connection until it breaks, or once when nothing is
// gained by keeping it.
func (p *poller) session(ctx context.Context) (rounds int, err error) {
	l, err := p.a.open(ctx)
	if err != nil {
		return 0, err
	}
	defer l.close()
	for {
		if err := p.round(ctx, l); err != nil {
			return rounds, err
		}
		rounds++
		p.again = 0
		switch {
		case l.idles():
			if err = l.idle(ctx, p.a.c.Every); err != nil && brokenLink(err) == nil {
				l.silent, err = true, nil // it offers what it refuses
				pause(ctx, p.a.c.Every)
			}
		case p.a.c.Every > resetLonger:
			l.logout()
			return rounds, nil
		default:
			pause(ctx, p.a.c.Every)
		}
		if ctx.Err() != nil {
			l.logout()
			return rounds, nil
		}
		if err != nil {
			return rounds, err
		}
	}
}

// round takes what lies in the mailbox.
func (p *poller) round(ctx context.Context, l *link) error {
	b, err := l.selectFolder()
	if err != nil {
		return err
	}
	st, err := p.begin(ctx, b)
	if err != nil {
		return err
	}
	stuck, err := p.g.stuck(ctx, p.name(), st.Validity)
	if err != nil {
		return err
	}
	var unmarked error
	if st.Marked < st.Last { // the last round ended before it could mark
		unmarked = p.markUpTo(ctx, l, &st)
	}
	now := p.g.db.Now().UnixMilli()
	var again []int64
	slices.SortStableFunc(stuck, func(a, b stuckMail) int { return cmp.Compare(a.Tries, b.Tries) })
	for _, s := range stuck {
		if s.Next > 0 && s.Next <= now {
			again = append(again, s.UID)
		}
	}
	fresh, err := l.since(st.Last)
	if err != nil {
		return err
	}
	if _, err := p.g.change(ctx, p.name(), func(_ *db.Tx, b *boxState) { b.Waiting, b.Node = int64(len(fresh)), p.g.node }); err != nil {
		return err
	}
	// Those that were trouble before come last: one that breaks the connection
	// holds up nothing else.
	all := append(fresh, again...)
	for part := range slices.Chunk(all, describe) {
		about, err := l.describe(part)
		if err != nil {
			return p.a.trouble("无法列出邮件", "the mails cannot be listed", err)
		}
		for i, uid := range part {
			if err := ctx.Err(); err != nil {
				return err
			}
			m, there := about[uid]
			if err := p.one(ctx, l, &st, uid, m, there); err != nil {
				return err
			}
			if (i+1)%markEach == 0 || i == len(part)-1 {
				if err := p.markUpTo(ctx, l, &st); err != nil {
					unmarked = err
				}
			}
		}
	}
	if err := brokenLink(unmarked); err != nil {
		return err
	}
	_, err = p.g.change(ctx, p.name(), func(tx *db.Tx, b *boxState) {
		b.OK, b.Node, b.Waiting, b.Next = tx.Now, p.g.node, 0, 0
		if unmarked == nil {
			b.Failures, b.ErrorZH, b.ErrorEN = 0, "", ""
			return
		}
		t := trouble("", "", unmarked)
		b.Failures, b.Failed, b.ErrorZH, b.ErrorEN = b.Failures+1, tx.Now, t.ZH, t.EN
	})
	return err
}

// brokenLink is the error, unless the server only said no.
func brokenLink(err error) error {
	if refused := (*imap.Error)(nil); errors.As(err, &refused) {
		return nil
	}
	return err
}

// begin holds what is known of the mailbox against what the server says.
func (p *poller) begin(ctx context.Context, b box) (boxState, error) {
	account := p.g.accountID(p.a.c)
	return p.g.change(ctx, p.name(), func(_ *db.Tx, st *boxState) {
		if st.Account == account && st.Validity == b.Validity {
			return
		}
		// Numbered anew, all is looked at again: the service knows by their content
		// the mails it has.
		anew := st.Account == account && st.Validity != 0
		st.Account, st.Validity, st.Last, st.Marked = account, b.Validity, 0, 0
		if p.a.c.NewOnly && !anew {
			st.Last, st.Marked = b.Next-1, b.Next-1
		}
	})
}

// one takes one mail. An error ends the round; what is wrong with the mail
// alone is noted, so that the next ones are not held up.
func (p *poller) one(ctx context.Context, l *link, st *boxState, uid int64, m meta, there bool) error {
	if !there {
		return p.done(ctx, st, uid, false) // somebody removed it
	}
	most := p.g.max
	r := Received{Mailbox: p.name(), UID: fmt.Sprintf("imap:%.12s:%d:%d", st.Account, st.Validity, uid), At: m.At}
	if m.Size > most+most/2 { // sizes are guesses on some servers
		return p.tooBig(ctx, l, st, uid, r, m.Size)
	}
	raw, err := l.fetch(uid, m.Size, most+1, false)
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		refused := brokenLink(err) == nil
		t := p.a.trouble("邮件无法从服务器读取", "the mail cannot be read from the server", err)
		if err := p.stick(ctx, st, uid, r, t); err != nil || refused {
			return err
		}
		return t // the connection is of no use any more
	case raw == nil:
		return p.done(ctx, st, uid, false)
	case int64(len(raw)) > most:
		return p.tooBig(ctx, l, st, uid, r, m.Size)
	}
	r.Raw = raw
	_, err = p.g.accept(ctx, r)
	switch {
	case err == nil:
		return p.done(ctx, st, uid, true)
	case ctx.Err() != nil:
		return err
	case errors.Is(err, ErrTooBig):
		return p.tooBig(ctx, l, st, uid, r, m.Size)
	case errors.Is(err, ErrEmpty):
		return p.done(ctx, st, uid, false)
	case isOurs(err):
		return trouble("邮件无法入库", "mails cannot be stored", err) // ours, and not the mail's: all would fail
	}
	return p.stick(ctx, st, uid, r, trouble("邮件无法入库", "the mail cannot be stored", err))
}

// accept is the noun's Accept; what makes it panic is a bad mail and no more.
func (g *Gate) accept(ctx context.Context, r Received) (id string, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("storing a mail", "mailbox", r.Mailbox, "uid", r.UID, "panic", p, "stack", string(debug.Stack()))
			err = errors.New("storing it failed")
		}
	}()
	return g.o.Accept(ctx, r)
}

// done notes that a mail was taken, or that there was nothing to take.
func (p *poller) done(ctx context.Context, st *boxState, uid int64, taken bool) error {
	after, err := p.g.change(ctx, p.name(), func(tx *db.Tx, b *boxState) {
		if b.Account != st.Account || b.Validity != st.Validity {
			return // another node found it numbered anew
		}
		b.Last, b.Waiting = max(b.Last, uid), max(b.Waiting-1, 0)
		tx.Write(db.Any, "DELETE FROM mail_stuck WHERE mailbox = ? AND validity = ? AND uid = ?", p.name(), b.Validity, uid)
		if uid <= b.Marked { // one that was stuck: it is marked with the next ones
			b.Marked = uid - 1
		}
		if taken {
			b.Taken, b.TakenAt = b.Taken+1, tx.Now
		}
	})
	if err == nil {
		st.Last, st.Marked = after.Last, after.Marked
	}
	return err
}

// tooBig leaves a mail over the limit where it is and notes it in quarantine.
func (p *poller) tooBig(ctx context.Context, l *link, st *boxState, uid int64, r Received, size int64) error {
	head, err := l.fetch(uid, mostHead, mostHead, true)
	if err != nil && brokenLink(err) != nil {
		return p.a.trouble("邮件无法从服务器读取", "the mail cannot be read from the server", err)
	}
	r.Raw = head
	most := p.g.o.Config.MaxMB
	return p.leave(ctx, st, uid, left{r, size, CauseTooBig, fmt.Sprintf("邮件大小超过 %d MB，已留在邮箱中", most), fmt.Sprintf("the mail is larger than %d MB; it was left in the mailbox", most)})
}

// stick notes a mail that could not be taken. It is tried again later; at last
// it is left where it is and noted in quarantine.
func (p *poller) stick(ctx context.Context, st *boxState, uid int64, r Received, t *Trouble) error {
	over := false
	after, err := p.g.change(ctx, p.name(), func(tx *db.Tx, b *boxState) {
		over = false
		if b.Account != st.Account || b.Validity != st.Validity {
			return
		}
		var tries int64
		if err := tx.Get("SELECT tries FROM mail_stuck WHERE mailbox = ? AND validity = ? AND uid = ?", p.name(), b.Validity, uid).Scan(&tries); err != nil && !errors.Is(err, db.ErrNone) {
			return // shows at the end of the transaction
		}
		tries++
		if over = tries >= stuckTries; over {
			return
		}
		b.Last, b.Waiting = max(b.Last, uid), max(b.Waiting-1, 0)
		next := tx.Now + (10 * time.Second << (2 * (tries - 1))).Milliseconds() // 10 s, 40 s ... 43 min
		tx.Write(1, "INSERT INTO mail_stuck (mailbox, validity, uid, tries, next_at, cause) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (mailbox, validity, uid) DO UPDATE SET tries = excluded.tries, next_at = excluded.next_at, cause = excluded.cause",
			p.name(), b.Validity, uid, tries, next, t.EN)
	})
	if err != nil {
		return err
	}
	p.g.log.Warn("a mail cannot be taken", "mailbox", p.name(), "uid", uid, "error", t.EN)
	if over {
		return p.leave(ctx, st, uid, left{r, int64(len(r.Raw)), CauseLeft, t.ZH + "；已留在邮箱中", t.EN + "; it was left in the mailbox"})
	}
	st.Last = after.Last
	return nil
}

// leave notes in quarantine a mail that stays in the mailbox for good.
func (p *poller) leave(ctx context.Context, st *boxState, uid int64, m left) error {
	if _, err := p.g.mail.leave(ctx, m); err != nil {
		return trouble("邮件无法入库", "mails cannot be stored", err)
	}
	after, err := p.g.change(ctx, p.name(), func(tx *db.Tx, b *boxState) {
		if b.Account != st.Account || b.Validity != st.Validity {
			return
		}
		b.Last, b.Waiting = max(b.Last, uid), max(b.Waiting-1, 0)
		tx.Write(1, "INSERT INTO mail_stuck (mailbox, validity, uid, tries, next_at, cause) VALUES (?, ?, ?, 0, 0, ?) ON CONFLICT (mailbox, validity, uid) DO UPDATE SET next_at = 0, cause = excluded.cause",
			p.name(), b.Validity, uid, m.en)
	})
	if err == nil {
		st.Last = after.Last
	}
	return err
}

// markUpTo marks the mails that were stored and are not marked yet. Those that
// are stuck or left are not touched.
func (p *poller) markUpTo(ctx context.Context, l *link, st *boxState) error {
	if st.Marked >= st.Last {
		return nil
	}
	stuck, err := p.g.stuck(ctx, p.name(), st.Validity)
	if err != nil {
		return err
	}
	there, err := l.since(st.Marked)
	if err != nil {
		return err
	}
	last := st.Last
	mine := slices.DeleteFunc(there, func(uid int64) bool {
		return uid > last || slices.ContainsFunc(stuck, func(s stuckMail) bool { return s.UID == uid })
	})
	for part := range slices.Chunk(mine, describe) {
		if err := l.mark(part); err != nil {
			return err
		}
	}
	after, err := p.g.change(ctx, p.name(), func(_ *db.Tx, b *boxState) {
		if b.Account == st.Account && b.Validity == st.Validity {
			b.Marked = max(b.Marked, last)
		}
	})
	if err == nil {
		st.Marked = after.Marked
	}
	return err
}

// pause waits, and tells whether it did so to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
