package ticket

import (
	"context"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Codes of the customer's operation log (operate_type.csv).
const (
	logCreate  = 0
	logUrge    = 2
	logClose   = 3
	logCancel  = 4
	logScore   = 5
	logDelete  = 13
	logInvalid = 16 // the house judges that it is no ticket
	logReply   = 85

	logRevoke = 86 // ours: the documents have no code for it
)

// Customer's actions as the wire spells them (contract: action_id).
const (
	Cancel = "cancel"
	Close  = "close"
	Press  = "press"
	Delete = "delete"
)

// Faults of steps.
var (
	ErrAction    = fault.New(fault.Invalid, "OSM.01010013", "操作类型必须为 cancel、close、press 或 delete", "The operation must be canceled or closed or pressed or deleted.").In("action_id")
	ErrJustNew   = fault.New(fault.TooMany, "OSM.01010023", "工单刚刚创建，请稍后再催单", "The case was just created, please urge it later.")
	ErrUrged     = fault.New(fault.TooMany, "OSM.01010004", "您已催过单，请稍后再试", "You have asked for the order. Please ask for it later.")
	ErrScored    = fault.New(fault.Conflict, fault.CodeInvalid, "该工单已评价，不能重复评价", "this ticket has been rated already")
	errStateText = fault.New(fault.Conflict, fault.CodeNoPermission, "工单当前状态为“{state.zh}”，不能{step.zh}", "a ticket that is \"{state.en}\" cannot be {step.en}")
	errNoScores  = fault.New(fault.Invalid, fault.CodeInvalid, "请至少评价一项满意度", "rate at least one dimension").In("incident_satisfaction_list")
)

var (
	actCancel  = locale.Texts{ZH: "撤销", EN: "cancelled"}
	actClose   = locale.Texts{ZH: "关闭", EN: "closed"}
	actPress   = locale.Texts{ZH: "催单", EN: "urged"}
	actDelete  = locale.Texts{ZH: "删除", EN: "deleted"}
	actReply   = locale.Texts{ZH: "回复", EN: "replied to"}
	actScore   = locale.Texts{ZH: "评价", EN: "rated"}
	actAccept  = locale.Texts{ZH: "受理", EN: "accepted"}
	actAsk     = locale.Texts{ZH: "要求补充信息", EN: "put back to the customer with a question"}
	actResolve = locale.Texts{ZH: "提交解决方案", EN: "resolved"}
	actPause   = locale.Texts{ZH: "暂停", EN: "paused"}
	actResume  = locale.Texts{ZH: "恢复", EN: "resumed"}
	actInvalid = locale.Texts{ZH: "判为无效", EN: "judged invalid"}
	actAssign  = locale.Texts{ZH: "转派", EN: "assigned"}
)

func errState(step locale.Texts, s Status) error {
	n := statusNames[s]
	return errStateText.With("state.zh", n.ZH).With("state.en", n.EN).With("step.zh", step.ZH).With("step.en", step.EN)
}

// Score is a rating in one dimension.
type Score struct{ Dimension, Points int }

// Act is a customer's action on a ticket.
type Act struct {
	Number, Group string
	Action        string // Cancel, Close, Press or Delete
	Remark        string // operate_desc, at most 400 characters
	Judgement     string // with Close: comment on the service, at most 400
	Scores        []Score
}

// checkScores holds ratings against the dimensions that are offered: each known,
// once, from one step to the most points, in whole steps.
func checkScores(cat *catalog.Catalog, judgement string, scores []Score) error {
	const field = "incident_satisfaction_list"
	if utf8.RuneCountInString(judgement) > maxRemark {
		return fault.TooLong.In("judgement").With("max", maxRemark)
	}
	seen := map[int]bool{}
	for _, s := range scores {
		d, ok := cat.Dimension(s.Dimension)
		switch {
		case !ok:
			return fault.Unknown.In(field + ".satisfaction_id")
		case seen[s.Dimension]:
			return fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 中同一评价项重复", "{field} names a dimension twice").In(field + ".satisfaction_id")
		case s.Points < 1 || s.Points > d.Value:
			return fault.OutOfRange.In(field+".satisfaction_value").With("min", 1).With("max", d.Value)
		case d.PerValue > 1 && s.Points%d.PerValue != 0:
			return fault.Unknown.In(field + ".satisfaction_value")
		}
		seen[s.Dimension] = true
	}
	return nil
}

// Do takes a customer's action (semantics.md section 3.2, D2, D20): cancel in
// 0, close in 1, 2 and 17, press in 0 and 1, delete in 3, 4 and 12. Failures:
// OSM.01010013 (unknown action), .15 (no such ticket), .02 (state), .23 and .04
// (urged too early, too often), .01 (ratings).
func (s *Service) Do(ctx context.Context, who principal.Principal, a Act) error {
	if a.Action != Cancel && a.Action != Close && a.Action != Press && a.Action != Delete {
		return ErrAction
	}
	if utf8.RuneCountInString(a.Remark) > maxRemark {
		return fault.TooLong.In("operate_desc").With("max", maxRemark)
	}
	if a.Action != Close {
		a.Judgement, a.Scores = "", nil
	}
	if err := checkScores(s.catalog.Now(), a.Judgement, a.Scores); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := visible(tx, who, a.Number, a.Group)
		if err != nil {
			return err
		}
		t, kind, code := before, "", 0
		var others []Related
		var revisions map[string]int64
		switch a.Action {
		case Cancel:
			if before.Status != Submitted {
				return errState(actCancel, before.Status)
			}
			t.Status, kind, code = Canceled, "ticket.cancel", logCancel
			t.Closed = tx.Now
		case Close:
			if before.Status != Processing && before.Status != ToConfirm && before.Status != Feedback {
				return errState(actClose, before.Status)
			}
			t.Status, kind, code = Completed, "ticket.close", logClose
			t.Closed = tx.Now
			if t.Resolved == 0 {
				t.Resolved = tx.Now
			}
		case Press:
			if err := s.mayUrge(before, tx.Now); err != nil {
				return err
			}
			t.Urges, t.UrgedAt, kind, code = before.Urges+1, tx.Now, "ticket.urge", logUrge
		case Delete:
			if before.Status != Completed && before.Status != Canceled && before.Status != Invalid {
				return errState(actDelete, before.Status)
			}
			t.Status, kind, code = Deleted, "ticket.delete", logDelete
			if others, revisions, err = relatedOf(tx, t.Domain, t.ID); err != nil {
				return err
			}
			attachment.Hide(tx, t.Domain, t.ID, "")
		}
		rated := len(a.Scores) > 0 || a.Judgement != ""
		if rated {
			t.Judgement, t.Scored = a.Judgement, tx.Now
		}
		t = change(tx, before, t)
		id := event.Record(tx, who, event.Event{Domain: t.Domain, Kind: kind, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: code,
			Data: map[string]any{"from": before.Status, "to": t.Status}})
		remark(tx, t, id, a.Remark)
		dropRelations(tx, who, t, others, revisions)
		if rated {
			s.rate(tx, who, t, a.Scores)
		}
		s.askLater(tx, t)
		return nil
	})
}

func (s *Service) mayUrge(t Ticket, now int64) error {
	if t.Status != Submitted && t.Status != Processing {
		return errState(actPress, t.Status)
	}
	if free := t.Created + ms(s.o.Config.UrgeAfter); s.o.Config.UrgeAfter > 0 && now < free {
		return ErrJustNew.After(until(now, free))
	}
	if free := t.UrgedAt + ms(s.o.Config.UrgeEvery); t.UrgedAt > 0 && now < free {
		return ErrUrged.After(until(now, free))
	}
	return nil
}

func remark(tx *db.Tx, t Ticket, eventID, text string) {
	if text != "" {
		tx.Write(1, "INSERT INTO ticket_remarks (domain_id, event_id, ticket_id, text) VALUES (?, ?, ?, ?)", t.Domain, eventID, t.ID, text)
	}
}

// rate stores ratings; the ticket's own row has the comment already.
func (s *Service) rate(tx *db.Tx, who principal.Principal, t Ticket, scores []Score) {
	search.Put(tx, false, judgementDoc(t)...)
	for _, sc := range scores {
		tx.Write(1, "INSERT INTO ticket_scores (domain_id, ticket_id, dimension, points) VALUES (?, ?, ?, ?)", t.Domain, t.ID, sc.Dimension, sc.Points)
	}
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.score", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: logScore,
		Data: map[string]any{"scores": scores, "comment": t.Judgement != ""}})
}

// Rate scores a finished ticket, once (semantics.md D12). Failures:
// OSM.01010002 unless the ticket is Completed, .01 when it is rated already or
// a rating is wrong.
func (s *Service) Rate(ctx context.Context, who principal.Principal, number, group, judgement string, scores []Score) error {
	if len(scores) == 0 {
		return errNoScores
	}
	if err := checkScores(s.catalog.Now(), judgement, scores); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, err := visible(tx, who, number, group)
		switch {
		case err != nil:
			return err
		case before.Status != Completed:
			return errState(actScore, before.Status)
		case before.Scored > 0:
			return ErrScored
		}
		t := before
		t.Judgement, t.Scored = judgement, tx.Now
		t = change(tx, before, t)
		s.rate(tx, who, t, scores)
		return nil
	})
}

func scoresOf(tx *db.Tx, t Ticket) (all []Score, err error) {
	if t.Scored == 0 {
		return nil, nil
	}
	err = tx.List(func(r db.Row) error {
		var sc Score
		err := r.Scan(&sc.Dimension, &sc.Points)
		all = append(all, sc)
		return err
	}, "SELECT dimension, points FROM ticket_scores WHERE domain_id = ? AND ticket_id = ? ORDER BY dimension", t.Domain, t.ID)
	return all, err
}
