package server

import (
	"context"
	"fmt"
	"math"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// demoStory is what a demo ticket is about: the customer's words and those of
// the engineer.
type demoStory struct {
	fault             bool   // else a question
	about             string // part of a product's name or acronym, "" = any
	zh, en            string
	answerZH, answerE string
}

var demoStories = []demoStory{
	{true, "ECS", "云服务器无法远程登录，提示连接超时，实例已重启一次仍未恢复。", "Cannot log in to a cloud server: the connection times out, also after a restart.", "安全组未放通 22 端口，已协助放通，请再试。", "Port 22 was closed in the security group; we opened it, please try again."},
	{false, "Billing", "请问企业实名认证后，增值税发票的抬头可以修改吗？", "Can the company name on an invoice be changed after verification?", "可以，在费用中心的发票信息里修改，次月生效。", "Yes: in the billing centre under invoice details, from next month on."},
	{true, "RDS", "数据库主备切换后应用报错“连接数已满”，业务受影响。", "After a fail-over the application reports \"too many connections\".", "旧连接未释放，已清理会话，建议调小连接池。", "Old connections were not released; we ended them. Please make the pool smaller."},
	{false, "EIP", "弹性公网 IP 按流量计费与按带宽计费如何选择？", "Should we pay a public IP by traffic or by bandwidth?", "流量波动大选按流量，持续稳定选按带宽。", "By traffic when it varies, by bandwidth when it is steady."},
	{true, "OBS", "对象存储上传大文件经常失败，返回 RequestTimeout。", "Uploads of large objects often fail with RequestTimeout.", "建议使用分段上传，并检查出口带宽。", "Please use multipart uploads and check your outgoing bandwidth."},
	{false, "QUOTA", "申请将本账号云服务器实例配额由 20 提升到 60，用于季度促销。", "Please raise our quota of instances from 20 to 60 for a campaign.", "已提升，请在控制台查看。", "It is raised; please see the console."},
	{true, "ELB", "负载均衡健康检查间歇性失败，后端实例 CPU 正常。", "Health checks of the load balancer fail now and then, the back ends are idle.", "检查端口与监听端口不一致，已指导修改。", "The check used another port than the listener; corrected."},
	{false, "Billing", "子账号如何只读访问账单？", "How can a sub-user read bills but nothing else?", "为其用户组授予账单只读权限即可。", "Give its group the read-only right on billing."},
	{true, "DNS", "域名解析在部分地区返回旧记录，已超过 24 小时。", "Some regions still resolve our name to the old record after 24 hours.", "运营商缓存未刷新，已提交刷新，预计 2 小时内生效。", "A provider's cache was stale; a refresh is under way and takes two hours."},
	{false, "Billing", "续费后资源到期时间没有变化，请帮忙确认。", "We renewed but the end date has not changed, please check.", "订单处理中，十分钟后刷新即可。", "The order is in progress; please look again in ten minutes."},
}

// demoLives are the ways a demo ticket goes: the steps, in order. The forty
// tickets go through them in turn, so that every state is there.
var demoLives = [][]string{
	{},                                // to be processed
	{"accept", "reply"},               // processing
	{"accept", "ask"},                 // pending feedback
	{"accept", "reply", "resolve"},    // to be confirmed
	{"reply", "resolve", "close"},     // completed, scored
	{"cancel"},                        // canceled
	{"accept", "pause"},               // paused
	{"invalid"},                       // invalid
	{"accept", "ask", "answer"},       // processing again
	{"accept", "reply", "press"},      // urged
	{"cancel", "delete"},              // deleted: gone from the customer's eyes
	{"reply", "resolve", "writeon"},   // the solution did not help
	{"accept", "note", "assign"},      // given to a colleague
	{"reply", "resolve", "closeonly"}, // completed, not scored yet
}

// demoTickets is how many tickets the demo world has.
const demoTickets = 40

// demoGaps are how long the demo's people take for a step, in minutes.
var demoGaps = map[string]int{"accept": 5, "reply": 14, "ask": 11, "resolve": 130, "close": 520, "closeonly": 410, "cancel": 45, "pause": 35, "invalid": 12,
	"answer": 55, "press": 170, "delete": 900, "writeon": 190, "note": 9, "assign": 16}

// demoAge is how long ago a demo ticket with a life was made, from and to, in
// hours: nobody waits for his first answer for days, and a solution is not yet
// old enough to count as confirmed.
func demoAge(life []string) (from, to float64) {
	last := ""
	if len(life) > 0 {
		last = life[len(life)-1]
	}
	switch last {
	case "":
		return 0.2, 5
	case "close", "closeonly", "cancel", "invalid", "delete":
		return 26, 160
	case "answer", "writeon", "press":
		return 4, 16
	}
	return 2, 44
}

// fillTickets makes the demo's tickets through the nouns, over the last days.
func (s *Server) fillTickets(ctx context.Context, customers [][]principal.Principal, engineers []principal.Principal, languages []locale.Language) error {
	problems := s.demoProblems()
	var all []happening
	for i := range demoTickets {
		d := i % len(customers)
		who := customers[d][i/len(customers)%len(customers[d])]
		// Each customer meets every story and every life.
		story, life := demoStories[(i/len(customers)+5*d)%len(demoStories)], demoLives[(i/len(customers)+7*d)%len(demoLives)]
		loc := locale.Default()
		loc.Language = languages[d]
		choice := problems.pick(story, i)
		draft := ticket.NewTicket{Source: ticket.Source, Locale: loc, Description: locale.Texts{ZH: story.zh, EN: story.en}.In(loc.Language),
			Choice: choice, Params: problems.form(choice), RemindTime: "0", Claims: verify.Claims{Mail: who.UserName + "@example.com"}}
		// Even and without a pattern to see: steps of the golden ratio.
		_, part := math.Modf(float64(i) * 0.618034)
		from, to := demoAge(life)
		before := time.Duration((from + (to-from)*part) * float64(time.Hour))
		var number string
		all = append(all, happening{before, func(ctx context.Context) (err error) {
			if number, err = s.ticket.Create(ctx, who, draft); err != nil {
				return fmt.Errorf("ticket %d: %w", i, err)
			}
			return nil
		}})
		whole := time.Duration(0)
		for _, step := range life {
			whole += time.Duration(demoGaps[step]) * time.Minute
		}
		pace := min(0.6+part, 0.9*float64(before)/float64(max(whole, 1)))
		engineer := engineers[i%2]
		told := telling{answer: locale.Texts{ZH: story.answerZH, EN: story.answerE}.In(loc.Language), colleague: engineers[(i+1)%2].UserName, minus: demoMinus[i%len(demoMinus)], language: loc.Language}
		for _, step := range life {
			before -= time.Duration(pace * float64(demoGaps[step]) * float64(time.Minute))
			all = append(all, happening{before, func(ctx context.Context) error {
				if err := s.demoStep(ctx, who, engineer, number, step, told); err != nil {
					return fmt.Errorf("ticket %d, %s: %w", i, step, err)
				}
				return nil
			}})
		}
	}
	past, err := s.demoPast(problems, customers, engineers, languages)
	if err != nil {
		return err
	}
	return s.relive(ctx, append(past, all...))
}

// telling is how the people of a demo ticket put it.
type telling struct {
	reply, answer string // of the engineer; reply "" = what he always says
	colleague     string // to whom he gives it
	minus         int    // points that the customer takes off
	language      locale.Language
}

func (s *Server) demoStep(ctx context.Context, who, engineer principal.Principal, number, step string, told telling) error {
	lang, answer, colleague := told.language, told.answer, told.colleague
	say := func(zh, en string) string { return locale.Texts{ZH: zh, EN: en}.In(lang) }
	take := func(action, text, assignee string) error {
		_, err := s.ticket.Take(ctx, engineer, ticket.Step{Number: number, Action: action, Text: text, Assignee: assignee})
		return err
	}
	act := func(a ticket.Act) error {
		a.Number = number
		return s.ticket.Do(ctx, who, a)
	}
	switch step {
	case "answer":
		return s.ticket.Reply(ctx, who, number, "", say("实例 ID 为 i-7f3a，发生时间为今天上午 10 点。", "The instance is i-7f3a, it happened at ten this morning."))
	case "writeon":
		return s.ticket.Reply(ctx, who, number, "", say("按建议操作后问题依旧，请继续协助。", "We did as you said and it still fails, please go on."))
	case "press", "cancel", "delete":
		return act(ticket.Act{Action: step})
	case "close":
		var scores []ticket.Score
		for _, dim := range s.catalog.Now().Dimensions() {
			scores = append(scores, ticket.Score{Dimension: dim.ID, Points: max(1, dim.Value-told.minus)})
		}
		judgement := demoJudgements[min(told.minus, len(demoJudgements)-1)]
		return act(ticket.Act{Action: ticket.Close, Judgement: say(judgement.ZH, judgement.EN), Scores: scores})
	case "closeonly":
		return act(ticket.Act{Action: ticket.Close})
	case "ask":
		return take(step, say("请提供实例 ID 与问题发生的时间。", "Which instance is it, and when did it happen?"), "")
	case "invalid":
		return take(step, say("与另一工单重复。", "A duplicate of another ticket."), "")
	case "note":
		return take(step, say("疑似网络侧问题，先查安全组。", "Looks like the network; check the security group first."), "")
	case "pause":
		return take(step, say("等待今晚变更窗口。", "Waits for tonight's change window."), "")
	case "assign":
		return take(step, "", colleague)
	case "resolve":
		return take(step, answer, "")
	case "reply":
		if told.reply != "" {
			return take(step, told.reply, "")
		}
		return take(step, say("您好，已收到您的问题，正在为您核实。", "Hello, we have your question and look into it."), "")
	}
	return take(step, "", "")
}

// demoChoices are problem types and a region to make demo tickets of.
type demoChoices struct {
	catalog *catalog.Catalog
	region  string
}

func (s *Server) demoProblems() demoChoices {
	c := demoChoices{catalog: s.catalog.Now()}
	c.region = c.catalog.Regions(0)[0].ID
	return c
}

// pick chooses a problem type of the story's product, and for a fault a region
// and a severity in turn.
func (c demoChoices) pick(story demoStory, i int) catalog.Choice {
	kind := catalog.Consultation
	if story.fault {
		kind = catalog.Fault
	}
	var found []catalog.ProblemType
	for _, p := range c.catalog.FindProducts(story.about) {
		for _, t := range c.catalog.ProblemTypesOf(p.ID) {
			if t.CaseType == kind {
				found = append(found, t)
			}
		}
	}
	t := found[i/2%len(found)]
	choice := catalog.Choice{ProblemType: t.ID, Product: t.Product}
	if story.fault {
		choice.Region = c.region
		if offered := c.catalog.SeveritiesOf(demoPlan[0].plan, t); len(offered) > 0 {
			choice.Severity = offered[i/2%len(offered)].ID
		}
	}
	return choice
}
