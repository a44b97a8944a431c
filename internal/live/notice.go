package live

import (
	"encoding/json"
	"slices"
	"strings"

	"casemate/internal/event"
	"casemate/internal/principal"
)

// What a notice is about (api/web.yaml, StreamEvents).
const (
	NoticeAssigned   = "assigned"   // a colleague or a queue gave the ticket to the person
	NoticeMentioned  = "mentioned"  // a note names the person
	NoticeAuthorized = "authorized" // the customer answered the person's request for an authorization
	NoticeWarned     = "warned"     // a target of the person's ticket is nearly used up
	NoticeEscalated  = "escalated"  // more of it than supervisors are told of is used up
	NoticeBreached   = "breached"   // it is missed
	NoticeWoken      = "woken"      // the person's snooze of the ticket ended
	NoticeWithheld   = "withheld"   // a message of the person's did not go out
	NoticeBulk       = "bulk"       // a bulk run of the person's is through
	NoticeRuleFailed = "rule.failed"
	NoticeRuleOff    = "rule.off" // it went in circles and was switched off
)

// notice is what an event tells single people of the house, beside what it tells
// of the ticket; ticketID "" = it is about none. What the person did is no news
// to the same person. ok is whether there is one.
func notice(r event.Row) (i Item, ticketID string, ok bool) {
	i = Item{Seq: r.Seq, DomainSeq: r.DomainSeq, At: r.At, Domain: r.Domain, Kind: Notice, house: true, ID: r.SubjectID}
	var data struct {
		Assignee, Engineer, User, Ticket, State string
		Users                                   []string
	}
	if json.Unmarshal(r.Data, &data) != nil {
		return Item{}, "", false
	}
	to := func(what string, users ...string) (Item, string, bool) {
		i.What, i.users = what, slices.DeleteFunc(users, func(u string) bool { return u == "" || u == r.Actor && r.ActorKind == principal.Engineer })
		return i, ticketID, len(i.users) > 0
	}
	if r.Subject == "ticket" {
		ticketID, i.ID = r.SubjectID, ""
		switch {
		case r.Kind == "ticket.assign":
			return to(NoticeAssigned, data.Assignee)
		case r.Kind == "ticket.mention":
			return to(NoticeMentioned, data.Users...)
		case strings.HasPrefix(r.Kind, "ticket.authorization.") && r.ActorKind == principal.Customer:
			return to(NoticeAuthorized, data.Engineer)
		case r.Kind == "sla.warned":
			return to(NoticeWarned, data.Assignee)
		case r.Kind == "sla.escalated":
			return to(NoticeEscalated, data.Assignee)
		case r.Kind == "sla.breached":
			return to(NoticeBreached, data.Assignee)
		case r.Kind == "ticket.wake":
			return to(NoticeWoken, data.Engineer)
		case r.Kind == "ticket.later.withhold":
			return to(NoticeWithheld, data.User)
		}
		return Item{}, "", false
	}
	switch {
	case r.Kind == "bulk.done" && r.ActorKind == principal.Engineer:
		i.What, i.users = NoticeBulk, []string{r.Actor} // asked for perhaps in another browser
		return i, "", true
	case r.Kind == "rule.off" && r.ActorKind == principal.System:
		i.What, i.bosses = NoticeRuleOff, true
		return i, "", true
	case r.Kind == "rule.run" && data.State == "failed":
		i.What, i.bosses = NoticeRuleFailed, true
		return i, data.Ticket, true
	}
	return Item{}, "", false
}

// still are kinds of a ticket's events that move it in no queue.
var still = map[string]bool{
	"ticket.reveal": true, "ticket.follow": true, "ticket.unfollow": true, "ticket.mention": true, "ticket.export": true, "ticket.read": true,
	"ticket.later": true, "ticket.later.change": true, "ticket.later.cancel": true, "ticket.later.withhold": true,
}

// counts tells whether an event may change what queues and views hold.
func counts(r event.Row) bool {
	family, _, _ := strings.Cut(r.Kind, ".")
	switch family {
	case "queue", "view", "team":
		return r.Domain == principal.House
	case "ticket", "sla":
		return r.Subject == "ticket" && !still[r.Kind]
	}
	return false
}
