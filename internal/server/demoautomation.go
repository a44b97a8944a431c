package server

import (
	"context"
	"fmt"

	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

// fillAutomation gives the demo world's desk macros, texts to write with and a
// rule in shadow.
func (s *Server) fillAutomation(ctx context.Context, lead principal.Principal) error {
	both := func(zh, en string) *locale.Texts { return &locale.Texts{ZH: zh, EN: en} }
	for _, m := range []queue.NewMacro{
		{Name: *both("受理并索取日志", "Take and ask for logs"), Actions: []queue.Action{
			{Do: "assign", To: queue.ToMe},
			{Do: "tag", Tags: []string{"待日志"}},
			{Do: "ask", Text: both("{{customer.user}} 您好，我是 {{engineer.alias}}。为尽快定位工单 {{ticket.number}} 的问题，请提供故障时段的日志与实例 ID。",
				"Hello {{customer.user}}, this is {{engineer.alias}}. To find the cause of ticket {{ticket.number}}, please send us the logs of that time and the instance's id.")}}},
		{Name: *both("已解决", "Solved"), Actions: []queue.Action{
			{Do: "resolve", Text: both("{{customer.user}} 您好，问题已处理完毕，请确认。如仍有问题请直接回复本工单。", "Hello {{customer.user}}, the problem is solved; please confirm. If it is not, just reply to this ticket.")},
			{Do: "untag", Tags: []string{"待日志"}}}},
		{Name: *both("等待变更窗口", "Wait for a change window"), Actions: []queue.Action{
			{Do: "reply", Text: both("该操作需在变更窗口内进行，我们会在完成后通知您。", "This has to wait for a change window; we tell you as soon as it is done.")},
			{Do: "pause", Text: both("等待变更窗口", "waits for the change window")}}},
	} {
		m.Shared = true
		made, err := s.queue.CreateMacro(ctx, lead, m)
		if err == nil {
			err = s.markDemo(ctx, identity.DemoMacro, made.ID)
		}
		if err != nil {
			return fmt.Errorf("macro %s: %w", m.Name.EN, err)
		}
	}
	for _, p := range []queue.NewSnippet{
		{Kind: queue.KindSnippet, Shortcut: "hi", Folder: "问候", Title: *both("问候", "Greeting"), Text: *both("{{customer.user}} 您好，", "Hello {{customer.user}},")},
		{Kind: queue.KindSnippet, Shortcut: "bye", Folder: "问候", Title: *both("结束语", "Closing words"), Text: *both("祝您工作顺利！\n{{engineer.alias}}", "Kind regards,\n{{engineer.alias}}")},
		{Kind: queue.KindTemplate, Shortcut: "ssh", Folder: "ECS", Title: *both("无法远程登录", "Cannot log in"), Text: *both(
			"{{customer.user}} 您好，\n\n请依次检查：\n1. 安全组是否放通 22 端口；\n2. 弹性公网 IP 是否绑定；\n3. 通过控制台 VNC 登录后 sshd 是否运行。\n\n详见 {{article:ecs-ssh-login}}。\n\n{{engineer.alias}}",
			"Hello {{customer.user}},\n\nplease check one after another:\n1. Is port 22 open in the security group?\n2. Is a public IP bound?\n3. Does sshd run, seen over the console's VNC?\n\nSee {{article:ecs-ssh-login}} for the details.\n\n{{engineer.alias}}")},
	} {
		p.Shared = true
		made, err := s.queue.CreateSnippet(ctx, lead, p)
		if err == nil {
			err = s.markDemo(ctx, identity.DemoSnippet, made.ID)
		}
		if err != nil {
			return fmt.Errorf("snippet %s: %w", p.Title.EN, err)
		}
	}
	rule, err := s.queue.CreateRule(ctx, lead, queue.NewRule{Name: *both("登录问题标记", "Mark log-in problems"), Mode: queue.ModeShadow, Definition: queue.Definition{
		When: queue.When{Events: []string{"ticket.create", "ticket.reply"}, By: "customer"},
		If: &queue.Condition{All: []queue.Condition{
			{Any: []queue.Condition{{Field: "text", Op: "contains", Value: "登录"}, {Field: "text", Op: "contains", Value: "log in"}}},
			{Not: &queue.Condition{Field: "tags", Op: "contains", Value: "登录"}}}},
		Then: []queue.Action{{Do: "tag", Tags: []string{"登录"}}, {Do: queue.DoNotify, To: queue.ToHandler}}}})
	if err != nil {
		return err
	}
	return s.markDemo(ctx, identity.DemoRule, rule.ID)
}
