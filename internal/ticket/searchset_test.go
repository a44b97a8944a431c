package ticket_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// story is a ticket of the corpus with everything the judge knows of it.
type story struct {
	number, customer, creator string
	description, judgement    string
	messages, notes, files    []string
	status                    ticket.Status
	assignee, lang, plan      string
	severity                  string
	labels                    []string
	created                   time.Time
}

var (
	corpusZH = []string{
		"云服务器{n}无法登录，提示密码错误", "弹性云服务器 ECS 续费后仍然停止，请尽快恢复", "数据库连接数已满，RDS 实例 {ip} 报错 {req}", "对象存储 OBS 上传文件失败，返回 403，桶名 backup-{n}",
		"负载均衡后端健康检查异常，后端地址 {ip}:8080", "域名 shop{n}.example.cn 无法解析，DNS 记录已修改", "发票抬头有误，请重新开具", "磁盘空间不足，df 显示 100%，路径 /var/log/nginx", "安全组规则不生效，放通 443 端口后仍超时",
		"带宽跑满，怀疑被攻击，源地址 {ip}", "镜像制作失败，错误码 Ecs.{n}", "ＣＤＮ 缓存刷新后仍是旧内容", "控制台打不开，页面一直转圈", "备份任务卡在 99%，任务号 {req}", "升级 MySQL 8.0 后查询变慢，慢日志见附件", "账单金额与预期不符，多扣了{n}元",
	}
	corpusEN = []string{
		"Cannot log in to the server {ip}, password rejected", "The instance will not start after renewal, request id {req}", "Connection reset by peer when uploading to bucket backup-{n}", "Disk full on /var/lib/mysql, df -h shows 100%",
		"DNS record of www{n}.example.com does not resolve", "TLS handshake timeout from {ip} to the load balancer", "Invoice for order {n} has a wrong company name", "Kernel panic after upgrading to 5.10.{n}", "Latency spikes between 10.0.0.1 and {ip}",
		"Backup job {req} hangs at 99 percent", "Container image pull fails with ErrImagePull", "Please raise the quota of elastic IPs to {n}", "Login page loops, Single-Sign-On redirect fails", "Replication lag of the MySQL replica keeps growing", "Café Zürich: naïve résumé upload fails", "Node not ready, kubelet log attached",
	}
	repliesZH  = []string{"请提供实例 ID 和报错截图", "已重启实例，请确认是否恢复", "日志显示 connection reset，正在排查网络", "已为您调整安全组，请重试登录", "问题依旧，仍无法登录服务器", "附上 nginx 日志，请看", "感谢，已经恢复正常"}
	repliesEN  = []string{"Please send the output of dmesg", "We restarted the instance, please check", "Still failing with timeout", "The log shows OOM killer at 03:00", "Thanks, it works now", "See attached trace from {ip}"}
	notesZH    = []string{"内部：疑似宿主机故障，已通知值班", "客户情绪激动，谨慎回复", "同类问题见知识库 KB-{n}", "需升级到网络组"}
	notesEN    = []string{"internal: host {ip} has bad memory", "escalate to network team", "customer is a VIP, handle with care", "known bug KB-{n}"}
	judgements = []string{"处理及时，非常满意", "回复太慢", "Quick and friendly", "Solved, but took too long"}
	fileNames  = []string{"nginx-error.log", "截图2026.txt", "mysql.slow.log", "网络抓包-华北.txt", "dmesg_{n}.log", "账单明细.txt", "trace.{ip}.txt"}
)

const corpusSize = 520

// corpus tells the same stories through the nouns on each database.
func corpus(w *world) []*story {
	w.unlimited()
	ctx, r := w.t.Context(), rand.New(rand.NewPCG(20260115, 7))
	fill := func(s string) string {
		return strings.NewReplacer("{n}", fmt.Sprint(r.IntN(90)+10), "{ip}", fmt.Sprintf("10.%d.%d.%d", r.IntN(4), r.IntN(20), r.IntN(250)+1), "{req}", fmt.Sprintf("req-%08x-%04x", r.Uint32(), r.IntN(65536))).Replace(s)
	}
	pick := func(zh, en []string, chinese bool) string {
		if chinese {
			return fill(zh[r.IntN(len(zh))])
		}
		return fill(en[r.IntN(len(en))])
	}
	people := []principal.Principal{w.li, w.wang, w.boss, w.foreign}
	labels := map[string]map[string]int64{}
	for _, p := range people {
		labels[p.User] = map[string]int64{}
		for _, name := range []string{"Urgent", "网络", "billing"} {
			id, err := w.s.CreateLabel(ctx, p, name, "#ff0000")
			w.ok(err)
			labels[p.User][name] = id
		}
	}
	severities, err := w.catalog.Offered(ctx, w.li, "", w.fault)
	w.ok(err)
	var all []*story
	size := corpusSize
	if raced { // one after the other: nothing to race; all of them without the detector
		size /= 4
	}
	for range size {
		w.clock.Add(3 * time.Hour)
		who := people[r.IntN(len(people))]
		chinese := r.IntN(2) == 0
		s := &story{creator: who.UserName, customer: "云帆科技", plan: "Business", lang: "zh-cn", created: w.clock.Now()}
		if who.Domain == w.foreign.Domain {
			s.customer, s.plan = "Harbour", ""
		}
		s.description = pick(corpusZH, corpusEN, chinese)
		if r.IntN(12) == 0 {
			s.description += " " + pick(corpusZH, corpusEN, !chinese)
		}
		draft := w.draft(s.description)
		if !chinese {
			s.lang = "en-us"
			draft.Locale = locale.Locale{Language: locale.EN, Zone: time.UTC}
		}
		if who.Domain == w.li.Domain && len(severities) > 0 && r.IntN(4) == 0 {
			s.severity = severities[r.IntN(len(severities))].ID
			draft.Choice = catalog.Choice{ProblemType: w.fault, Severity: s.severity, Region: "cn-north-1"}
		}
		file := func(at principal.Principal) []string {
			if r.IntN(8) > 0 {
				return nil
			}
			name := fill(fileNames[r.IntN(len(fileNames))])
			s.files = append(s.files, name)
			return []string{w.upload(at, name)}
		}
		draft.Attachments = file(who)
		s.number, err = w.s.Create(ctx, who, draft)
		w.ok(err)
		say := func(by principal.Principal, action, text string) {
			w.clock.Add(time.Second)
			w.ok(w.step(by, s.number, action, text))
			if s.assignee == "" && action != "note" {
				s.assignee = by.UserName
			}
		}
		engineer := []principal.Principal{w.chen, w.emma}[r.IntN(2)]
		if r.IntN(3) == 0 {
			note := pick(notesZH, notesEN, r.IntN(2) == 0)
			say(engineer, "note", note)
			s.notes = append(s.notes, note)
		}
		if r.IntN(2) == 0 {
			text := pick(repliesZH, repliesEN, chinese)
			say(engineer, "reply", text)
			s.messages, s.status = append(s.messages, text), ticket.Processing
			if r.IntN(2) == 0 {
				text := pick(repliesZH, repliesEN, chinese)
				w.ok(w.s.Reply(ctx, who, s.number, "", text, file(who)...))
				s.messages = append(s.messages, text)
			}
			switch r.IntN(5) {
			case 0:
				text := pick(repliesZH, repliesEN, chinese)
				say(engineer, "resolve", text)
				s.messages, s.status = append(s.messages, text), ticket.ToConfirm
			case 1:
				text := pick(repliesZH, repliesEN, chinese)
				say(engineer, "resolve", text)
				s.messages = append(s.messages, text)
				s.judgement = judgements[r.IntN(len(judgements))]
				w.ok(w.s.Do(ctx, who, ticket.Act{Number: s.number, Action: "close", Judgement: s.judgement}))
				s.status = ticket.Completed
			case 2:
				say(engineer, "pause", "")
				s.status = ticket.Paused
			}
		} else if r.IntN(10) == 0 && s.assignee == "" {
			w.ok(w.act(who, s.number, "cancel"))
			s.status = ticket.Canceled
		}
		if r.IntN(5) == 0 {
			name := []string{"Urgent", "网络", "billing"}[r.IntN(3)]
			w.ok(w.s.AddLabels(ctx, who, s.number, []int64{labels[who.User][name]}))
			s.labels = append(s.labels, name)
		}
		all = append(all, s)
	}
	return all
}

// The judge: a plain scan over the texts. Nothing here knows an index.

func folded(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

func isHan(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }

func isWord(r rune) bool {
	return !isHan(r) && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// occurs scans for a text. What begins with a letter or digit begins at the
// beginning of a word; whole wants it to end at the end of one. Han may stand
// anywhere.
func occurs(text, want string, whole bool) bool {
	in, w := []rune(folded(text)), []rune(folded(want))
	for i := 0; i+len(w) <= len(in); i++ {
		if !slices.Equal(in[i:i+len(w)], w) {
			continue
		}
		if isWord(w[0]) && i > 0 && isWord(in[i-1]) {
			continue
		}
		if end := i + len(w); whole && isWord(w[len(w)-1]) && end < len(in) && isWord(in[end]) {
			continue
		}
		return true
	}
	return false
}

// worth is what a text counts in the best place of the ticket where it occurs, 0
// = nowhere.
func (s *story) worth(want string, whole bool, places ...string) (best int) {
	look := func(place string, weight int, texts ...string) {
		if len(places) > 0 && !slices.Contains(places, place) {
			return
		}
		for _, t := range texts {
			if occurs(t, want, whole) {
				best = max(best, weight)
			}
		}
	}
	look("description", 5, s.description)
	look("files", 4, s.files...)
	look("messages", 3, s.messages...)
	look("judgement", 3, s.judgement)
	look("notes", 2, s.notes...)
	look("customer", 1, s.customer, s.creator)
	return best
}

// verdict tells whether a story meets a condition, and what it counts.
type verdict func(s *story) (ok bool, score int)

// text: words begin so; whole: they end so as well.
func text(want string, places ...string) verdict {
	return func(s *story) (bool, int) { n := s.worth(want, false, places...); return n > 0, n }
}

func whole(want string, places ...string) verdict {
	return func(s *story) (bool, int) { n := s.worth(want, true, places...); return n > 0, n }
}

func both(all ...verdict) verdict {
	return func(s *story) (bool, int) {
		sum := 0
		for _, v := range all {
			ok, n := v(s)
			if !ok {
				return false, 0
			}
			sum += n
		}
		return true, sum
	}
}

// either counts the better one; of a choice with an operator in it nothing
// counts, so plain takes the score away.
func either(all ...verdict) verdict {
	return func(s *story) (bool, int) {
		found, best := false, 0
		for _, v := range all {
			if ok, n := v(s); ok {
				found, best = true, max(best, n)
			}
		}
		return found, best
	}
}

func plain(v verdict) verdict {
	return func(s *story) (bool, int) { ok, _ := v(s); return ok, 0 }
}

func not(v verdict) verdict {
	return func(s *story) (bool, int) { ok, _ := v(s); return !ok, 0 }
}

func is(f func(s *story) bool) verdict {
	return func(s *story) (bool, int) { return f(s), 0 }
}

func status(all ...ticket.Status) verdict {
	return is(func(s *story) bool { return slices.Contains(all, s.status) })
}

var openStates = status(ticket.Submitted, ticket.Processing, ticket.ToConfirm, ticket.Paused, ticket.Feedback)

func labelled(name string) verdict {
	return is(func(s *story) bool { return slices.Contains(s.labels, name) })
}

func assigned(name string) verdict { return is(func(s *story) bool { return s.assignee == name }) }

func customers(name string) verdict { return is(func(s *story) bool { return s.customer == name }) }

func submitted(name string) verdict { return is(func(s *story) bool { return s.creator == name }) }

func since(zone *time.Location, from, to string) verdict {
	at := func(s string) time.Time {
		t, err := time.ParseInLocation("2006-01-02", s, zone)
		if err != nil {
			panic(err)
		}
		return t
	}
	return is(func(s *story) bool {
		return (from == "" || !s.created.Before(at(from))) && (to == "" || s.created.Before(at(to)))
	})
}

var gmt8 = time.FixedZone("GMT+8", 8*3600)

// relevance is the set. Nothing in it was taken from what a search found.
var relevance = []struct {
	q    string
	want verdict
}{
	// Chinese from one character up.
	{"登", text("登")}, {"录", text("录")}, {"云", text("云")}, {"的", text("的")}, {"元", text("元")}, {"慢", text("慢")},
	{"登录", text("登录")}, {"密码", text("密码")}, {"发票", text("发票")}, {"带宽", text("带宽")}, {"日志", text("日志")}, {"录登", text("录登")},
	{"服务器", text("服务器")}, {"无法登录", text("无法登录")}, {"弹性云服务器", text("弹性云服务器")}, {"健康检查异常", text("健康检查异常")}, {"安全组规则不生效", text("安全组规则不生效")},
	{"密码 登录", both(text("密码"), text("登录"))}, {"日志 重试", both(text("日志"), text("重试"))}, {"登 错", both(text("登"), text("错"))}, {"宿主机", text("宿主机")}, {"满意", text("满意")},
	{"华北", text("华北")}, {"抓包", text("抓包")}, {"账单", text("账单")}, {"云帆", text("云帆")}, {"截", text("截")}, {"内部", text("内部")},
	// English: beginnings of words.
	{"log", text("log")}, {"login", text("login")}, {"conn", text("conn")}, {"CONNECTION", text("connection")}, {"timeout", text("timeout")}, {"nginx", text("nginx")},
	{"mysql", text("mysql")}, {"kernel panic", both(text("kernel"), text("panic"))}, {"disk full", both(text("disk"), text("full"))}, {"harbour", text("harbour")}, {"wang", text("wang")},
	{"escalate", text("escalate")}, {"zzz", text("zzz")}, {"café", text("café")}, {"Zürich résumé", both(text("zürich"), text("résumé"))}, {"friendly", text("friendly")}, {"9", text("9")},
	// Mixed, width and case.
	{"ECS", text("ecs")}, {"ＥＣＳ", text("ecs")}, {"cdn", text("cdn")}, {"ECS续费", both(text("ecs"), text("续费"))}, {"rds 连接数", both(text("rds"), text("连接数"))}, {"log 登录", both(text("log"), text("登录"))},
	{"OBS上传", both(text("obs"), text("上传"))}, {"dns 解析", both(text("dns"), text("解析"))},
	// Ids and names as they are.
	{"10.0.0.1", whole("10.0.0.1")}, {"nginx-error.log", text("nginx-error.log")}, {"nginx-err", text("nginx-err")}, {"mysql.slow", text("mysql.slow")}, {"/var/log/nginx", text("var/log/nginx")},
	{"req-", text("req")}, {"backup-42", whole("backup-42")}, {"100%", text("100")}, {"example.com", text("example.com")}, {"5.10", whole("5.10")}, {"Single-Sign-On", text("single-sign-on")}, {"ErrImage", text("errimage")},
	// Phrases, choices, negation.
	{`"connection reset"`, whole("connection reset")}, {`"log in"`, whole("log in")}, {`"logi"`, whole("logi")}, {"“无法登录”", whole("无法登录")}, {`"ECS 续费"`, whole("ecs 续费")}, {`"日志 connection"`, whole("日志 connection")},
	{"发票 OR invoice", either(text("发票"), text("invoice"))}, {"登录 OR login timeout", both(either(text("登录"), text("login")), text("timeout"))},
	{"登录 -密码", both(text("登录"), not(text("密码")))}, {`mysql -"slow"`, both(text("mysql"), not(whole("slow")))}, {"-登录 服务器", both(not(text("登录")), text("服务器"))},
	// Operators.
	{"status:open", openStates}, {"status:closed 登录", both(status(ticket.Completed, ticket.Canceled, ticket.Invalid), text("登录"))}, {"status:处理中", status(ticket.Processing)}, {"状态：已完成", status(ticket.Completed)},
	{"status:5,2", status(ticket.Paused, ticket.ToConfirm)}, {"-status:open log", both(not(openStates), text("log"))}, {"label:urgent", labelled("Urgent")}, {"标签：网络", labelled("网络")}, {`label:"billing" 登录`, both(labelled("billing"), text("登录"))},
	{"assignee:none", assigned("")}, {"assignee:emma log", both(assigned("emma"), text("log"))}, {"assignee:me", assigned("chen")}, {"assignee:nobodythere", is(func(*story) bool { return false })},
	{"by:li 登录", both(submitted("li"), text("登录"))}, {"by:wang", submitted("wang")}, {"customer:Harbour log", both(customers("Harbour"), text("log"))}, {"客户：云帆 密码", both(customers("云帆科技"), text("密码"))}, {"domain:harbour", customers("Harbour")},
	{"plan:business mysql", both(is(func(s *story) bool { return s.plan == "Business" }), text("mysql"))}, {"plan:none mysql", both(is(func(s *story) bool { return s.plan == "" }), text("mysql"))},
	{"lang:en", is(func(s *story) bool { return s.lang == "en-us" })}, {"lang:zh timeout", both(is(func(s *story) bool { return s.lang == "zh-cn" }), text("timeout"))},
	{"before:2026-02-01 登录", both(since(gmt8, "", "2026-02-01"), text("登录"))}, {"after:2026-03-01 log", both(since(gmt8, "2026-03-01", ""), text("log"))}, {"created:2026-02-10", since(gmt8, "2026-02-10", "2026-02-11")},
	{"created:2026-02", since(gmt8, "2026-02-01", "2026-03-01")}, {"created:2026-02-01..2026-02-03", since(gmt8, "2026-02-01", "2026-02-04")},
	{"has:attachment", is(func(s *story) bool { return len(s.files) > 0 })}, {"has:attachment log", both(is(func(s *story) bool { return len(s.files) > 0 }), text("log"))},
	{"in:notes 内部", text("内部", "notes")}, {"in:messages 登录", text("登录", "messages")}, {"in:files log", text("log", "files")}, {"in:description log", text("log", "description")}, {"范围：附件 截图", text("截图", "files")}, {"in:customer harbour", text("harbour", "customer")}, {"in:judgement 慢", text("慢", "judgement")},
	{"status:paused OR label:urgent", either(status(ticket.Paused), labelled("Urgent"))}, {"label:urgent OR kernel", plain(either(labelled("Urgent"), text("kernel")))},
}

// TestSearchRelevance: on a corpus of realistic tickets every query finds
// exactly what a plain scan finds, best first, on both databases alike.
func TestSearchRelevance(t *testing.T) {
	t.Parallel()
	if len(relevance) < 60 {
		t.Fatalf("%d queries only", len(relevance))
	}
	var mu sync.Mutex
	orders := map[string]map[string][]int{} // by query, by database
	t.Cleanup(func() {
		for q, by := range orders {
			var first []int
			for name, order := range by {
				if first == nil {
					first = order
				} else if !slices.Equal(first, order) {
					t.Errorf("%q: the databases differ (%s): %v and %v", q, name, first, order)
				}
			}
		}
	})
	each(t, ticket.Options{}, func(w *world) {
		all := corpus(w)
		hits, some, empty := 0, 0, 0
		for _, c := range relevance {
			var want, got []int
			scores := make([]int, len(all))
			for i, s := range slices.Backward(all) {
				ok, n := c.want(s)
				if ok {
					want = append(want, i)
				}
				scores[i] = n
			}
			slices.SortStableFunc(want, func(a, b int) int { return scores[b] - scores[a] })
			found, total := w.searchAll(w.chen, c.q)
			for _, f := range found {
				got = append(got, slices.IndexFunc(all, func(s *story) bool { return s.number == f.Number }))
			}
			if !slices.Equal(got, want) || total != len(want) {
				t.Errorf("%q: found %d (total %d), want %d\n got %v\nwant %v", c.q, len(got), total, len(want), got, want)
				continue
			}
			hits += len(got)
			if some++; len(got) == 0 {
				empty++
			}
			mu.Lock()
			if orders[c.q] == nil {
				orders[c.q] = map[string][]int{}
			}
			orders[c.q][w.db.Dialect().String()] = got
			mu.Unlock()
		}
		if empty > 8 && !raced {
			t.Errorf("%d of %d queries find nothing: the set is weak", empty, some)
		}
		t.Logf("REPORT search on %s: %d tickets, %d of %d queries equal to a plain scan in hits, order and total (%d hits)\n", w.db.Dialect(), len(all), some, len(relevance), hits)
		w.searchIndexRight()
	})
}

// searchAll pages through everything a query finds.
func (w *world) searchAll(who principal.Principal, q string) (all []ticket.Found, total int) {
	w.t.Helper()
	after := ""
	for {
		page, err := w.s.Search(w.t.Context(), who, ticket.Search{Text: q, After: after, Limit: 37, Zone: gmt8})
		if err != nil {
			w.t.Fatalf("%q: %v", q, err)
		}
		all, total = append(all, page.Found...), page.Total
		if after = page.Cursor; after == "" {
			return all, total
		}
	}
}

// searchIndexRight fails when the index is not what the tables give.
func (w *world) searchIndexRight() {
	w.t.Helper()
	found, err := w.s.Doctor(w.t.Context(), false)
	w.ok(err)
	for _, d := range found {
		w.t.Errorf("%s", d)
	}
}
