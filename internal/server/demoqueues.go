package server

import (
	"context"
	"fmt"

	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// fillQueues makes the demo's teams, skills, queues and a view through the
// nouns. Nobody has said that he is at work, so the queues that give tickets by
// themselves wait until somebody does (casemate team shift chen online).
func (s *Server) fillQueues(ctx context.Context, engineers []principal.Principal) error {
	who, byName := principal.AsSystem(principal.House), map[string]principal.Principal{}
	for _, e := range engineers {
		byName[e.UserName] = e
	}
	chen, emma, zhao := byName["chen"], byName["emma"], byName["zhao"]
	capacity := 15
	for user, skills := range map[string]queue.Skills{chen.User: {Languages: []string{string(locale.ZH)}}, emma.User: {Languages: []string{string(locale.ZH), string(locale.EN)}}} {
		if _, err := s.queue.SetEngineer(ctx, who, user, queue.EngineerChange{Capacity: &capacity, Skills: &skills}); err != nil {
			return fmt.Errorf("skills: %w", err)
		}
	}
	first, err := s.queue.CreateTeam(ctx, who, queue.Team{Name: locale.Texts{ZH: "一线支持", EN: "First line"}, Members: []string{chen.User, emma.User}, Lead: emma.User})
	if err != nil {
		return fmt.Errorf("team: %w", err)
	}
	if err := s.markDemo(ctx, identity.DemoTeam, first.ID); err != nil {
		return err
	}
	second, err := s.queue.CreateTeam(ctx, who, queue.Team{Name: locale.Texts{ZH: "专家组", EN: "Experts"}, Members: []string{emma.User, zhao.User}, Lead: zhao.User})
	if err == nil {
		err = s.markDemo(ctx, identity.DemoTeam, second.ID)
	}
	if err != nil {
		return fmt.Errorf("team: %w", err)
	}
	fresh := []ticket.Status{ticket.Submitted, ticket.Processing}
	open := append([]ticket.Status{ticket.ToConfirm, ticket.Paused, ticket.Feedback}, fresh...)
	urged := true
	for i, q := range []queue.Queue{
		{Name: locale.Texts{ZH: "中文新工单", EN: "New in Chinese"}, Way: queue.RoundRobin, Team: first.ID,
			Filter: ticket.RowFilter{Statuses: fresh, Languages: []string{string(locale.ZH)}, Teams: []string{ticket.Nobody}, Assignee: ticket.Nobody}},
		{Name: locale.Texts{ZH: "英文新工单", EN: "New in English"}, Way: queue.LeastLoaded, Team: first.ID,
			Filter: ticket.RowFilter{Statuses: fresh, Languages: []string{string(locale.EN)}, Teams: []string{ticket.Nobody}, Assignee: ticket.Nobody}},
		{Name: locale.Texts{ZH: "专家组待办", EN: "For the experts"}, Team: second.ID, Hard: true, Filter: ticket.RowFilter{Statuses: open, Teams: []string{second.ID}}},
		{Name: locale.Texts{ZH: "客户已催单", EN: "Urged"}, Filter: ticket.RowFilter{Statuses: open, Urged: &urged}, Sort: ticket.SortChanged},
	} {
		q.Place = 50 + 10*i
		made, err := s.queue.CreateQueue(ctx, who, q)
		if err == nil {
			err = s.markDemo(ctx, identity.DemoQueue, made.ID)
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", q.Name.EN, err)
		}
	}
	view, err := s.queue.CreateView(ctx, zhao, queue.View{Name: locale.Texts{ZH: "一天未更新", EN: "Untouched for a day"}, Shared: queue.WithAll, Sort: ticket.SortOldest,
		Filter: ticket.RowFilter{Statuses: open, Unchanged: 24 * 60}, Columns: []string{"number", "status", "severity", "domain", "assignee", "updated_at"}})
	if err != nil {
		return err
	}
	return s.markDemo(ctx, identity.DemoView, view.ID)
}
