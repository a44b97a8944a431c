package ticket

import (
	"context"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Entry is a line of a ticket's operation log as its customer sees it.
type Entry struct {
	ID       string
	Code     int // operate_type.csv
	Side     Side
	Actor    string // user id of a customer, public id of an engineer, "" for the system
	Name     string
	Remark   string // what the actor wrote, else what was done, in the reader's language
	At       int64  // milliseconds UTC
	Revision int64
}

var logNames = map[int]locale.Texts{
	logCreate: {ZH: "创建工单", EN: "Ticket created"}, logUrge: {ZH: "催单", EN: "Urged"}, logClose: {ZH: "关闭工单", EN: "Closed"},
	logCancel: {ZH: "撤销工单", EN: "Canceled"}, logScore: {ZH: "评价", EN: "Rated"}, logDelete: {ZH: "删除工单", EN: "Deleted"},
	logInvalid: {ZH: "判为无效", EN: "Judged invalid"},
	logReply:   {ZH: "反馈信息", EN: "Replied to a question"}, logRevoke: {ZH: "撤回消息", EN: "Message withdrawn"},
	LogGrant: {ZH: "同意授权", EN: "Authorization granted"}, LogReject: {ZH: "拒绝授权", EN: "Authorization rejected"},
	LogWithdraw: {ZH: "取消授权", EN: "Authorization withdrawn"},
	logExport:   {ZH: "导出工单", EN: "Exported"},
	logContact:  {ZH: "修改联系方式", EN: "Contact changed"}, logNoContact: {ZH: "删除联系方式", EN: "Contact cleared"},
}

// Log is a page of the operation log, newest first (semantics.md D21), and how
// many entries there are. Limit 0 = 10.
func (s *Service) Log(ctx context.Context, who principal.Principal, number, group string, lang locale.Language, offset, limit int) (page []Entry, total int, err error) {
	if limit == 0 {
		limit = defaultLimit
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page = nil
		t, err := visible(tx, who, number, group)
		if err != nil {
			return err
		}
		var rows []event.Row
		if rows, total, err = event.OfSubject(tx, t.Domain, "ticket", t.ID, true, true, offset, limit); err != nil {
			return err
		}
		remarks, err := remarksOf(tx, t)
		if err != nil {
			return err
		}
		for _, r := range rows {
			e := Entry{ID: r.ID, Code: r.LogCode, Side: sideOf(r.ActorKind), Actor: r.Actor, Remark: remarks[r.ID], At: r.At, Revision: r.Revision}
			switch {
			case e.Remark != "":
			case r.Kind == kindAutoClose:
				e.Remark = autoClosed.In(lang)
			case r.Kind == kindMerge:
				e.Remark = strings.ReplaceAll(mergedRemark.In(lang), "{number}", stepOf(r).Other)
			default:
				e.Remark = logNames[e.Code].In(lang)
			}
			switch e.Side {
			case EngineerSide:
				if e.Name, e.Actor, err = identity.PublicEngineer(tx, r.Actor); err != nil {
					return err
				}
			case SystemSide:
				e.Actor, e.Name = "", systemName.In(lang)
			}
			page = append(page, e)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	var ids []string
	for _, e := range page {
		if e.Side == CustomerSide {
			ids = append(ids, e.Actor)
		}
	}
	names, err := s.ident.Names(ctx, who.Domain, ids)
	for i := range page {
		if page[i].Side == CustomerSide {
			page[i].Name = names[page[i].Actor]
		}
	}
	return page, total, err
}

var systemName = locale.Texts{ZH: "系统", EN: "System"}

func remarksOf(tx *db.Tx, t Ticket) (map[string]string, error) {
	all := map[string]string{}
	err := tx.List(func(r db.Row) error {
		var id, text string
		err := r.Scan(&id, &text)
		all[id] = text
		return err
	}, "SELECT event_id, text FROM ticket_remarks WHERE domain_id = ? AND ticket_id = ?", t.Domain, t.ID)
	return all, err
}

// until is how long to wait, at least a second.
func until(now, then int64) time.Duration {
	return max(time.Duration(then-now)*time.Millisecond, time.Second)
}
