package queue

import (
	"context"
	"fmt"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Reason is why a ticket of an automatic queue has no handler yet, as of now.
type Reason struct {
	Code  string // empty, skill, refused, shift, full, soon
	Queue string // the queue's id
	Text  locale.Texts
}

// reasons tells of each ticket that an automatic queue holds why nobody has it,
// by ticket id. The reason is worked out when it is asked for, so it is never
// stale. Partners' people are told none.
func (s *Service) reasons(ctx context.Context, who principal.Principal, rows []ticket.Row) (map[string]Reason, error) {
	out := map[string]Reason{}
	waits := false
	for _, t := range rows {
		waits = waits || t.Assignee == "" && t.Status.Open() && t.Ownership == ticket.HouseBusiness
	}
	if !waits || who.Partner != "" {
		return out, nil
	}
	var b board
	var now int64
	var refused refusals
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		now = tx.Real
		if b, err = s.board(tx); err == nil {
			refused, err = refusalsOf(tx, rows...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	changes := map[string]int64{} // worked out once, for those who are off shift
	begins := func(e Engineer) int64 {
		at, ok := changes[e.ID]
		if !ok {
			if next := e.Plan.Next(time.UnixMilli(now)); !next.IsZero() {
				at = next.UnixMilli()
			}
			changes[e.ID] = at
		}
		return at
	}
	for _, t := range rows {
		for _, q := range b.queues {
			f, ok := q.free()
			if !ok || t.Ownership != ticket.HouseBusiness || !f.Matches(t, "", now) {
				continue
			}
			r := s.reason(q, b.teams[q.Team], t, refused, begins)
			if first, ok := out[t.ID]; !ok || r.Code == "soon" && first.Code != "soon" {
				out[t.ID] = r
			}
		}
	}
	return out, nil
}

// Waiting is why a ticket has no handler yet; ok is false when it has one, or
// waits in no automatic queue.
func (s *Service) Waiting(ctx context.Context, who principal.Principal, number string) (r Reason, ok bool, err error) {
	var row ticket.Row
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) { row, err = ticket.RowByNumber(tx, who, number); return err }); err != nil {
		return r, false, err
	}
	if row.Sandbox {
		return r, false, nil
	}
	all, err := s.reasons(ctx, who, []ticket.Row{row})
	r, ok = all[row.ID]
	return r, ok, err
}

func (s *Service) reason(q Queue, team []Engineer, t ticket.Row, refused refusals, begins func(e Engineer) int64) Reason {
	r := Reason{Queue: q.ID}
	var skilled, willing, present, free int
	lacks := map[string]bool{}
	var next int64
	for _, e := range team {
		if missing := e.Skills.lacks(t); missing != "" {
			lacks[missing] = true
			continue
		}
		skilled++
		if refused[t.ID][e.ID] {
			continue
		}
		willing++
		if !e.Available {
			if e.Presence != Away && !e.OnShift {
				if at := begins(e); at > 0 && (next == 0 || at < next) {
					next = at
				}
			}
			continue
		}
		present++
		if e.room() {
			free++
		}
	}
	skill := s.wanted(t, lacks)
	switch {
	case len(team) == 0:
		r.Code, r.Text = "empty", locale.Texts{ZH: "该队列的团队中没有可处理工单的成员", EN: "the queue's team has no member who can take tickets"}
	case skilled == 0:
		r.Code, r.Text = "skill", locale.Texts{ZH: "没有具备所需技能的成员：" + skill.ZH, EN: "nobody in the team with skill " + skill.EN}
	case willing == 0:
		r.Code, r.Text = "refused", locale.Texts{ZH: "能处理该工单的成员都已将其退回", EN: "everybody who could take it has given it back"}
	case present == 0:
		r.Code, r.Text = "shift", locale.Texts{ZH: "当前无人当班", EN: "nobody on shift"}
		if len(lacks) > 0 {
			r.Text = locale.Texts{ZH: "当前没有具备所需技能的当班成员：" + skill.ZH, EN: "nobody on shift with skill " + skill.EN}
		}
		if next > 0 {
			at := time.UnixMilli(next).UTC().Format("2006-01-02 15:04 UTC")
			r.Text.ZH += "（下一班次 " + at + "）"
			r.Text.EN += " (the next shift begins " + at + ")"
		}
	case free == 0:
		r.Code, r.Text = "full", locale.Texts{ZH: fmt.Sprintf("当班的 %d 名成员均已达到容量上限", present), EN: fmt.Sprintf("all %d who are on shift have as many tickets as they can handle", present)}
		if len(lacks) > 0 {
			r.Text = locale.Texts{ZH: fmt.Sprintf("具备所需技能（%s）的 %d 名当班成员均已达到容量上限", skill.ZH, present),
				EN: fmt.Sprintf("all %d on shift with skill %s have as many tickets as they can handle", present, skill.EN)}
		}
	default:
		r.Code, r.Text = "soon", locale.Texts{ZH: "即将自动分派", EN: "is about to be assigned"}
	}
	return r
}

// wanted names the skills of which somebody lacks one.
func (s *Service) wanted(t ticket.Row, lacks map[string]bool) (out locale.Texts) {
	c := s.catalog.Now()
	add := func(zh, en string) {
		if out.EN != "" {
			out.ZH, out.EN = out.ZH+"、", out.EN+", "
		}
		out.ZH, out.EN = out.ZH+zh, out.EN+en
	}
	named := func(kind catalog.Kind, id string) (zh, en string) {
		if zh, en = c.Name(kind, id, locale.ZH), c.Name(kind, id, locale.EN); zh == "" {
			zh, en = id, id
		}
		return zh, en
	}
	if lacks["product"] {
		add(named(catalog.KindProduct, t.Product))
	}
	if lacks["language"] {
		if t.Language == string(locale.EN) {
			add("英语", "English")
		} else {
			add("中文", "Chinese")
		}
	}
	if lacks["region"] {
		add(named(catalog.KindRegion, t.Region))
	}
	return out
}
