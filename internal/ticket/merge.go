package ticket

import (
	"context"
	"errors"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

var (
	saidMerged   = locale.Texts{ZH: "本工单已并入工单 %[2]s（消息数：%[1]d），请在该工单中继续沟通。", EN: "This ticket was merged into ticket %[2]s (messages: %[1]d): please go on there."}
	saidAbsorbed = locale.Texts{ZH: "工单 %[2]s 已并入本工单（移入消息数：%[1]d）。", EN: "Ticket %[2]s was merged into this one (messages that came here: %[1]d)."}
	mergedRemark = locale.Texts{ZH: "已并入工单 {number}", EN: "Merged into ticket {number}"}
)

// Merge is a ticket that becomes part of another one.
type Merge struct {
	Source, Into         string // numbers
	Version, IntoVersion int64  // revisions the caller saw; 0 = whatever they are
}

// Merge puts the messages and files of one open ticket into another open one of
// the same customer, and answers the other after it (move.go has the rules).
// The source ends: Invalid (12), code 16 in its log, related to the other one
// where both have room, with a last message that names it; so the customer's
// API, which knows no merge, shows where it went on. What else was the
// source's: its description comes as an ordinary message and stays the source's
// own text; users' labels are put on the other one as far as five of a user
// fit; copy addresses are added as far as the limit goes when both are one
// submitter's; engineers' tags as far as there is room; who follows the source
// follows the other one as well. Parameters, relations, ratings and
// authorizations stay with the source (authorizations end with it), and so do
// drafts, marks of its clocks and who was there; a snooze of it ends, and
// messages that waited to be sent go back to their writers as drafts
// (queue.Service.FollowDesk). The counters and the quota follow the
// states. Failures: OSM.01010015 (no such ticket), .48 (two customers; two
// submitters, unless a supervisor does it), .49 (not of one side), .02 (role,
// state, stale version), .01 (itself; more than 1,000 messages). Undo takes it
// back.
func (s *Service) Merge(ctx context.Context, who principal.Principal, in Merge) (Ticket, error) {
	if err := mayWork(who); err != nil {
		return Ticket{}, err
	}
	ctx, from, to, err := s.pairOf(ctx, who, in.Source, in.Into)
	if err != nil {
		return Ticket{}, err
	}
	contact, err := s.joinedContact(ctx, from, to)
	if err != nil {
		return Ticket{}, err
	}
	seen := [2]string{from.contact, to.contact}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		from, to := from, to
		if err := again(tx, &from, &to); err != nil {
			return to, err
		}
		if err := joinable(tx, who, from, to, "into"); err != nil {
			return to, err
		}
		switch {
		case in.Version != 0 && in.Version != from.Revision:
			return to, ErrVersion
		case in.IntoVersion != 0 && in.IntoVersion != to.Revision:
			return to, ErrVersion.In("into_version")
		case !from.Status.Open():
			return to, errState(actMerge, from.Status)
		case !to.Status.Open():
			return to, errState(actMerge, to.Status)
		case seen != [2]string{from.contact, to.contact}:
			return to, errContactMoved
		}
		said, err := messagesOf(tx, from, "1 = 1", 0, maxMerging+1)
		if err != nil {
			return to, err
		}
		if len(said) > maxMerging {
			return to, errMerging
		}
		taken, err := times(tx, to)
		if err != nil {
			return to, err
		}
		there, err := relations(tx, from.Domain, []Ticket{from, to})
		if err != nil {
			return to, err
		}
		labels, err := labelsToGo(tx, from, to)
		if err != nil {
			return to, err
		}
		tags, err := tagsToGo(tx, from, to)
		if err != nil {
			return to, err
		}
		followers, err := followersToGo(tx, from, to)
		if err != nil {
			return to, err
		}
		wait, err := waitingIn(tx, from, "")
		if err != nil {
			return to, err
		}
		op := tx.NewID()
		gone, came := tellBoth(tx, from, to, said, saidMerged, saidAbsorbed)
		ended := from
		ended.Status, ended.Closed = Invalid, tx.Now
		joined := to
		joined.heard, _ = wait.goes(said) // the source's clocks end with it
		a, b := changeBoth(tx, [2]Ticket{from, to}, [2]Ticket{ended, joined})
		if err := relocate(tx, op, a, b, said, taken); err != nil {
			return b, err
		}
		for _, id := range labels { // five of each user at most
			tx.Write(1, "INSERT INTO ticket_labels (domain_id, ticket_id, label_id, creator, status) VALUES (?, ?, ?, ?, ?)", b.Domain, b.ID, id, b.Creator, int(b.Status))
		}
		source, target := was{Notices: []string{gone}, Related: relate(tx, a, b, there)}, was{Notices: []string{came}, Labels: labels, Brought: tags, Followers: followers, FollowedAt: tx.Now}
		putTags(tx, b, tags)
		for _, user := range followers { // MaxFollowers at most
			addFollower(tx, b, user, false)
		}
		if contact != "" {
			tx.Write(1, "UPDATE tickets SET contact = ? WHERE domain_id = ? AND id = ?", contact, b.Domain, b.ID)
			target.Contact = &[2]string{b.contact, contact}
			b.contact = contact
		}
		keep(tx, from, a, op, kindMerge, b.ID, source)
		keep(tx, to, b, op, kindAbsorb, a.ID, target)
		recordJoin(tx, who, a, kindMerge, logInvalid, map[string]any{"from": from.Status, "to": a.Status, "other": b.Number, "messages": len(said)})
		recordJoin(tx, who, b, kindAbsorb, event.NoLog, forClocks(joined, map[string]any{"other": a.Number, "messages": len(said), "labels": labels, "copies": contact != "", "tags_on": names(tags), "followers": len(followers)}))
		return b, nil
	})
}

// joinedContact is the sealed contact of the target with the source's copy
// addresses added, "" when nothing is to be added.
func (s *Service) joinedContact(ctx context.Context, from, to Ticket) (string, error) {
	if from.Domain != to.Domain || from.Creator != to.Creator {
		return "", nil
	}
	theirs, err := s.Contact(ctx, from)
	if err != nil {
		return "", err
	}
	ours, err := s.Contact(ctx, to)
	if err != nil {
		return "", err
	}
	n := len(ours.Copies)
	for _, address := range theirs.Copies {
		if len(ours.Copies) < s.catalog.Now().CopyAddresses() && !slices.Contains(ours.Copies, address) {
			ours.Copies = append(slices.Clone(ours.Copies), address)
		}
	}
	if len(ours.Copies) == n {
		return "", nil
	}
	sealed, err := s.sealContact(ctx, to.Creator, to.ID, ours)
	if errors.Is(err, seal.ErrErased) {
		return "", nil // nobody is there to be told
	}
	return sealed, err
}

// labelsToGo are the labels of one ticket that another one has room for.
func labelsToGo(tx *db.Tx, from, to Ticket) (ids []int64, err error) {
	on, err := labelRows(tx, from.Domain, "", nil, []string{from.ID, to.ID})
	if err != nil {
		return nil, err
	}
	room, has := map[string]int{}, map[int64]bool{}
	for _, l := range on[to.ID] {
		room[l.Owner]--
		has[l.ID] = true
	}
	for _, l := range on[from.ID] {
		if !has[l.ID] && maxTicketLabels+room[l.Owner] > 0 {
			room[l.Owner]--
			ids = append(ids, l.ID)
		}
	}
	return ids, nil
}

// tagsToGo are the tags of one ticket that another one lacks and has room for, as
// they are put on.
func tagsToGo(tx *db.Tx, from, to Ticket) (all []tagged, err error) {
	theirs, err := taggedIn(tx, from)
	if err != nil {
		return nil, err
	}
	has, err := taggedIn(tx, to)
	for _, t := range theirs {
		same := func(h tagged) bool { return foldLabel(h.Tag) == foldLabel(t.Tag) }
		if !slices.ContainsFunc(has, same) && len(has)+len(all) < MaxTags {
			all = append(all, tagged{t.Tag, changedAt(tx, to) + int64(len(all))})
		}
	}
	return all, err
}

func names(all []tagged) []string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = t.Tag
	}
	return out
}

// followersToGo are who follows one ticket and not another, as far as that has
// room.
func followersToGo(tx *db.Tx, from, to Ticket) (users []string, err error) {
	theirs, err := Followers(tx, from)
	if err != nil {
		return nil, err
	}
	has, err := Followers(tx, to)
	for _, f := range theirs {
		if len(has)+len(users) < MaxFollowers && !slices.ContainsFunc(has, func(h Follower) bool { return h.User == f.User }) {
			users = append(users, f.User)
		}
	}
	return users, err
}

// takeBack takes off what a merge brought that is still as it came, and answers
// the tags.
func (c changed) takeBack(tx *db.Tx, t Ticket) (off []string, err error) {
	if len(c.Followers) > 0 {
		tx.Write(db.Any, "DELETE FROM ticket_followers WHERE domain_id = ? AND ticket_id = ? AND since = ? AND user_id IN ("+questions(len(c.Followers))+")",
			append([]any{t.Domain, t.ID, c.FollowedAt}, anys(c.Followers)...)...)
	}
	if len(c.Brought) == 0 {
		return nil, nil
	}
	has, err := taggedIn(tx, t)
	for _, b := range c.Brought {
		if slices.Contains(has, b) { // nobody took it off and put it on again
			off = append(off, b.Tag)
		}
	}
	if len(off) > 0 {
		takeTags(tx, t, off)
	}
	return off, err
}
