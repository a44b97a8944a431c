package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// demoPastTickets is how many finished tickets lie behind those of the last days,
// so that figures over weeks have something to show.
const demoPastTickets = 60

// demoMinus are the points that customers take off, in turn: most are content.
var demoMinus = []int{0, 0, 1, 0, 0, 2, 0, 1, 0, 0, 3, 0}

// demoJudgements are what they write, by the points they take off.
var demoJudgements = []locale.Texts{
	{ZH: "响应及时，问题解决。", EN: "Quick and helpful."},
	{ZH: "问题已解决，过程稍慢。", EN: "Solved, though it took a while."},
	{ZH: "来回确认的次数较多，希望更快定位。", EN: "Too many questions back and forth."},
	{ZH: "等待时间太长。", EN: "We waited too long."},
}

// demoPastStories are what the finished tickets were about.
var demoPastStories = []struct {
	demoStory
	replyZH, replyE string
	file            bool // with a log
}{
	{demoStory{true, "ECS", "云服务器磁盘写满后服务无法启动，清理日志后仍报只读文件系统。", "A server's disk ran full and services do not start: the file system is read-only even after a clean-up.", "文件系统检测到错误后转为只读，已指导执行 fsck 并重新挂载；建议为日志盘设置用量告警。", "The file system went read-only after errors; we guided you through fsck and a remount. An alarm on the log disk helps."},
		"请提供 dmesg 最后 50 行与 df -h 的输出。", "Please send the last 50 lines of dmesg and the output of df -h.", true},
	{demoStory{true, "RDS", "凌晨定时任务期间只读库延迟升到 900 秒，报表取数不完整。", "The read replica lags 900 seconds during the nightly job, and reports miss rows.", "大事务导致回放排队，已建议拆分批次；延迟已恢复到 1 秒内。", "One large transaction blocked the replay; in smaller batches the lag is below a second."},
		"已看到延迟曲线，正在核对该时段的大事务。", "We see the lag and look for large transactions of that time.", true},
	{demoStory{true, "OBS", "对象存储回源返回 403，仅部分节点出现。", "Origin fetches from object storage answer 403 on some nodes only.", "回源身份的桶策略缺少一个前缀，已补充，观察一小时无新增。", "The bucket policy missed a prefix; it is there now, and an hour passed without another one."},
		"请提供一个失败请求的 request id。", "Please send the request id of one failed request.", true},
	{demoStory{true, "ELB", "更换证书后部分客户端握手失败。", "After a change of certificate some clients fail in the handshake.", "证书链缺少中间证书，重新上传完整链后恢复。", "The chain lacked the intermediate certificate; with the whole chain it works."},
		"我们抓取了握手过程，正在分析证书链。", "We recorded a handshake and look at the chain.", false},
	{demoStory{true, "DNS", "新增的 CNAME 记录半小时后仍无法解析。", "A new CNAME still does not resolve after half an hour.", "记录中多了一个空格，已指导修正，TTL 到期后生效。", "The record had a blank in it; corrected, and it resolves once the TTL is over."},
		"正在从多地解析核对。", "We resolve it from several places.", false},
	{demoStory{false, "Billing", "上月账单中弹性公网 IP 出现两次，请核实。", "Last month's bill shows the public IP twice, please check.", "为跨月切换计费方式所致，两条分别对应切换前后，金额无误。", "The way of paying changed within the month: one line is before, one after; the sum is right."},
		"已收到账单，正在逐项核对。", "We have the bill and go through it line by line.", false},
	{demoStory{false, "QUOTA", "申请将负载均衡实例配额由 10 调整到 30。", "Please raise our quota of load balancers from 10 to 30.", "配额已调整，控制台刷新后可见。", "The quota is raised; it shows after a refresh of the console."},
		"已提交配额评估，通常一小时内完成。", "The request is with the capacity team, usually for less than an hour.", false},
	{demoStory{false, "Billing", "如何把测试环境的费用分摊到各部门？", "How can the cost of our test environment be split by department?", "为资源添加部门标签，再按标签导出费用明细即可。", "Tag the resources by department and export the cost by tag."},
		"我们整理一份操作步骤给您。", "We put the steps together for you.", false},
	{demoStory{false, "EIP", "带宽临时扩容到 200 Mbit/s 三天，如何操作最省？", "We need 200 Mbit/s for three days only: what is the cheapest way?", "按小时计费的带宽包最合适，已发送步骤与费用估算。", "An hourly bandwidth package; the steps and the cost are in this message."},
		"正在为您比较几种方式的费用。", "We compare the prices for you.", false},
}

// demoPastLives are the ways they went.
var demoPastLives = [][]string{
	{"accept", "reply", "resolve", "close"},
	{"accept", "ask", "answer", "resolve", "close"},
	{"reply", "resolve", "close"},
	{"accept", "reply", "assign", "resolve", "close"},
	{"accept", "reply", "resolve", "closeonly"},
	{"accept", "reply", "press", "resolve", "close"},
	{"reply", "resolve", "writeon", "resolve", "close"},
	{"cancel"},
}

// demoPast lets tickets be made and finished over the last weeks, in the house's
// working hours, by all engineers, some with a file and the customer's labels.
func (s *Server) demoPast(problems demoChoices, customers [][]principal.Principal, engineers []principal.Principal, languages []locale.Language) (all []happening, err error) {
	now := s.clock.base()
	marks := demoMarks{s: s, ids: map[string]int64{}}
	for i := range demoPastTickets {
		d := i % len(customers)
		who := customers[d][(i/len(customers)+i/7)%len(customers[d])]
		story, life := demoPastStories[(i+i/9)%len(demoPastStories)], demoPastLives[(i*5+i/8)%len(demoPastLives)]
		loc := locale.Default()
		loc.Language = languages[d]
		choice := problems.pick(story.demoStory, i)
		draft := ticket.NewTicket{Source: ticket.Source, Locale: loc, Description: locale.Texts{ZH: story.zh, EN: story.en}.In(loc.Language),
			Choice: choice, Params: problems.form(choice), RemindTime: "0", Claims: verify.Claims{Mail: who.UserName + "@example.com"}}
		begin := demoMoment(now, i)
		before := now.Sub(begin)
		var number string
		all = append(all, happening{before, func(ctx context.Context) error {
			if story.file {
				id, err := s.files.Upload(ctx, who, attachment.Upload{Name: "service.log", Origin: attachment.ForTicket, Body: strings.NewReader(demoLog(begin))})
				if err != nil {
					return fmt.Errorf("past ticket %d, its file: %w", i, err)
				}
				draft.Attachments = []string{id}
			}
			var err error
			if number, err = s.ticket.Create(ctx, who, draft); err == nil && i%3 == 0 {
				err = marks.put(ctx, who, number, i, loc.Language)
			}
			if err != nil {
				return fmt.Errorf("past ticket %d: %w", i, err)
			}
			return nil
		}})
		_, part := math.Modf(float64(i) * 0.618034)
		pace := 0.5 + part
		if i%11 == 4 { // somebody had a bad day
			pace = 4
		}
		engineer, colleague := engineers[i%3], engineers[(i+1)%3]
		told := telling{reply: locale.Texts{ZH: story.replyZH, EN: story.replyE}.In(loc.Language), answer: locale.Texts{ZH: story.answerZH, EN: story.answerE}.In(loc.Language),
			colleague: colleague.UserName, minus: demoMinus[(i*7+i/5)%len(demoMinus)], language: loc.Language}
		for _, step := range life {
			before -= time.Duration(pace * float64(demoGaps[step]) * float64(time.Minute))
			by := engineer // who has it then
			all = append(all, happening{before, func(ctx context.Context) error {
				if err := s.demoStep(ctx, who, by, number, step, told); err != nil {
					return fmt.Errorf("past ticket %d, %s: %w", i, step, err)
				}
				return nil
			}})
			if step == "assign" {
				engineer = colleague
			}
		}
	}
	return all, nil
}

// demoMoment is when the i-th past ticket was made: between nine and seven in the
// house's zone, from 34 to 4 days ago, at weekends seldom.
func demoMoment(now time.Time, i int) time.Time {
	_, part := math.Modf(float64(i) * 0.754878)
	days := 4 + i*30/demoPastTickets
	day := now.In(locale.Default().Zone).AddDate(0, 0, -days)
	if w := day.Weekday(); i%6 != 0 && (w == time.Saturday || w == time.Sunday) {
		day = day.AddDate(0, 0, 2) // the working day after, still days ago
	}
	minutes := 9*60 + int(part*600)
	return time.Date(day.Year(), day.Month(), day.Day(), minutes/60, minutes%60, i%60, 0, day.Location())
}

// demoLog is what a customer's service wrote.
func demoLog(at time.Time) string {
	var b strings.Builder
	for i, line := range []string{"INFO  health check ok", "WARN  request took 2.8 s", "ERROR upstream timed out", "ERROR upstream timed out", "WARN  retrying (1 of 3)", "ERROR giving up after 3 tries"} {
		fmt.Fprintf(&b, "%s web-01 %s\n", at.Add(time.Duration(i-20)*17*time.Second).UTC().Format(time.RFC3339), line)
	}
	return b.String()
}

// demoMarks are the labels that demo customers have, made when they are needed.
type demoMarks struct {
	s   *Server
	ids map[string]int64 // by user and name
}

func (m demoMarks) put(ctx context.Context, who principal.Principal, number string, i int, lang locale.Language) error {
	of := []struct {
		texts locale.Texts
		color string
	}{{locale.Texts{ZH: "重点系统", EN: "key system"}, "#b3261e"}, {locale.Texts{ZH: "月度复盘", EN: "review"}, "#22509a"}}[i/3%2]
	name := of.texts.In(lang)
	key := who.User + name
	if m.ids[key] == 0 {
		id, err := m.s.ticket.CreateLabel(ctx, who, name, of.color)
		if err != nil {
			return errors.Join(fmt.Errorf("label %s", name), err)
		}
		m.ids[key] = id
	}
	return m.s.ticket.AddLabels(ctx, who, number, []int64{m.ids[key]})
}
