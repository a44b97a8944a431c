package knowledge_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"casemate/internal/db"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/markdown"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// shelf is the demo's articles in a world.
func shelf(w *world) {
	w.t.Helper()
	done, err := w.k.Import(w.t.Context(), w.Chen, demo(w.t), false)
	w.OK(err)
	if len(done) < 12 {
		w.t.Fatalf("%d articles", len(done))
	}
}

// queries of the set: words as people type them.
var queries = []string{
	"连接", "连接数", "封", "封堵", "公网", "公网 IP", "安全组", "安全", "解析", "发票", "抬头", "节点", "密钥", "登录", "远程登录", "健康检查", "权限", "cpu", "CPU 使用率", "ＣＰＵ",
	"ssh", "SSH", "permission denied", "publickey", "kubectl", "Too many connections", "conn", "403", "accessdenied", "x-obs-request-id", "dig", "health check", "invoice", "bills",
	"blocked address", "systemctl sshd", "证书", "量子", "unicorn", "max_connections", "二线", "hand over", "维护窗口", "100.125.0.0", "NotReady", "ready",
}

// scan is what a query finds by a scan of the texts: a Latin word at the
// beginning of a word, Han anywhere.
func scan(query, text string) bool {
	text = search.Folded(text)
	letter := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for _, word := range strings.Fields(search.Folded(query)) {
		found := false
		for at := 0; at+len(word) <= len(text); at++ {
			if !strings.HasPrefix(text[at:], word) {
				continue
			}
			before := []rune(text[:at])
			first := []rune(word)[0]
			if unicode.Is(unicode.Han, first) || len(before) == 0 || !letter(before[len(before)-1]) || unicode.Is(unicode.Han, before[len(before)-1]) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// TestSearchSet: every query of the set finds what a scan of the texts finds, for
// customers and for the house, on both databases alike, with a piece of the text
// that shows a hit.
func TestSearchSet(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		shelf(w)
		empty, found := 0, 0
		for _, who := range []principal.Principal{w.Li, w.Emma} {
			all, total, _, err := w.k.List(ctx, w.Emma, knowledge.Filter{Limit: 100})
			w.OK(err)
			if total != len(all) {
				t.Fatal(total, len(all))
			}
			for _, q := range queries {
				var want []string
				for _, a := range all {
					if who.Kind == principal.Customer && (a.State != knowledge.StatePublished || a.Content.Visibility != knowledge.Customers) {
						continue
					}
					for _, l := range a.Content.Languages() {
						c, _, _ := a.Content.In(l)
						text := strings.Join(append([]string{c.Title, c.Summary, markdown.Plain(c.Body)}, a.Content.Tags...), "\n")
						if scan(q, text) && !slices.Contains(want, a.Slug) {
							want = append(want, a.Slug)
						}
					}
				}
				hits, total, next, err := w.k.List(ctx, who, knowledge.Filter{Text: q, Language: zh, Limit: 100})
				w.OK(err)
				var got []string
				for _, h := range hits {
					got = append(got, h.Slug)
					if !slices.ContainsFunc(h.Pieces, func(p search.Piece) bool { return p.Hit }) {
						t.Errorf("%q in %s shows no hit: %v", q, h.Slug, h.Pieces)
					}
				}
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) || total != len(want) || next != "" {
					t.Errorf("%v %q: %v, want %v", who.Kind, q, got, want)
				}
				if found += len(got); len(got) == 0 {
					empty++
				}
			}
		}
		if empty == len(queries) || len(queries) < 30 {
			t.Errorf("%d of %d found nothing", empty, len(queries))
		}
		t.Logf("REPORT articles: %d queries as customer and engineer, %d hits, all as a scan finds them\n", len(queries), found)
	})
}

// asks of the set: what customers write, and the article that must come first.
var asks = []struct{ text, product, want string }{
	{"我的服务器 ssh 登录不上了，提示 Permission denied", "", "ecs-ssh-login"},
	{"云主机远程登录失败，连接超时", "", "ecs-ssh-login"},
	{"Cannot ssh into my instance since yesterday", "", "ecs-ssh-login"},
	{"Connection refused when I log in over SSH", "", "ecs-ssh-login"},
	{"服务器 CPU 一直 100%，业务很卡", "", "ecs-high-cpu"},
	{"cpu usage is very high, unknown process", "", "ecs-high-cpu"},
	{"怀疑被植入挖矿程序", "", "ecs-high-cpu"},
	{"我们的公网IP被封了，什么时候能解封？", "", "eip-blocked"},
	{"公网地址遭到攻击被封堵", "", "eip-blocked"},
	{"our elastic ip is black-holed because of a ddos attack", "", "eip-blocked"},
	{"When will my blocked address come back", "", "eip-blocked"},
	{"安全组规则应该怎么配置，端口要开放哪些", "", "vpc-security-group-basics"},
	{"which security group rule do I need for a web site", "", "vpc-security-group-basics"},
	{"数据库报错 Too many connections", "", "rds-too-many-connections"},
	{"MySQL 连接数满了，应用连不上数据库", "", "rds-too-many-connections"},
	{"database connections exhausted, connection pool", "", "rds-too-many-connections"},
	{"上传文件到桶返回 403", "", "obs-access-denied"},
	{"AccessDenied from object storage with a bucket policy", "", "obs-access-denied"},
	{"签名错误，对象存储访问被拒绝", "", "obs-access-denied"},
	{"负载均衡的健康检查一直异常", "", "elb-health-check-fails"},
	{"load balancer marks my back ends as abnormal, 502 answers", "", "elb-health-check-fails"},
	{"网站返回 504", "", "elb-health-check-fails"},
	{"怎么开发票", "", "billing-invoice"},
	{"发票抬头开错了如何修改", "", "billing-invoice"},
	{"I need an invoice for last month", "", "billing-invoice"},
	{"域名解析不了", "", "dns-not-resolving"},
	{"our domain name does not resolve after changing NS", "", "dns-not-resolving"},
	{"修改 DNS 之后多久生效", "", "dns-not-resolving"},
	{"k8s 集群有节点 NotReady", "", "cce-node-not-ready"},
	{"kubelet reports DiskPressure on a node", "", "cce-node-not-ready"},
	{"集群节点不可用", "cce", "cce-node-not-ready"},
	{"", "cce", "cce-node-not-ready"},
	{"", "elb", "elb-health-check-fails"},
}

// TestSuggestSet: what is suggested while a ticket is written; each suggestion
// has something of the text in it, and texts about nothing of the kind get none.
func TestSuggestSet(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		shelf(w)
		for i, a := range asks {
			s, err := w.k.Suggest(ctx, w.Li, knowledge.Ask{Text: a.text, Product: a.product, Language: []locale.Language{zh, en}[i%2]})
			w.OK(err)
			if len(s.Items) == 0 || s.Items[0].Slug != a.want || len(s.Items) > knowledge.MaxSuggested || s.ID == "" {
				t.Errorf("%q: %+v, want %s first", a.text, s.Items, a.want)
			}
			for _, item := range s.Items {
				p, err := w.k.Read(ctx, w.Li, item.Slug, "", zh)
				w.OK(err) // a customer can read all that he is told of
				if item.Title == "" || item.Fallback != (item.Language != []locale.Language{zh, en}[i%2]) || p.Slug != item.Slug {
					t.Errorf("%+v", item)
				}
			}
		}
		for _, nothing := range []string{"", "   ", "你好，请问一下", "hello, can you help me please?", "量子纠缠", "zzzz qqqq", "!!!"} {
			if s, err := w.k.Suggest(ctx, w.Li, knowledge.Ask{Text: nothing, Language: zh}); err != nil || len(s.Items) > 0 {
				t.Errorf("%q: %v %v", nothing, s.Items, err)
			}
		}
		// What is internal or a draft is for colleagues only.
		for _, a := range []struct{ text, slug string }{{"转二线之前要收集什么材料", "escalate-to-second-line"}, {"计划内维护窗口", "maintenance-window-draft"}} {
			best, err := w.k.SuggestFor(ctx, w.Chen, knowledge.Ask{Text: a.text, Language: zh})
			w.OK(err)
			if len(best) == 0 || best[0].Slug != a.slug {
				t.Errorf("%q for an engineer: %+v", a.text, best)
			}
			s, err := w.k.Suggest(ctx, w.Li, knowledge.Ask{Text: a.text, Language: zh})
			w.OK(err)
			if slices.ContainsFunc(s.Items, func(i knowledge.Suggested) bool { return i.Slug == a.slug }) {
				t.Errorf("a customer is told of %s", a.slug)
			}
		}
		for _, bad := range []knowledge.Ask{{Text: strings.Repeat("字", 2001)}, {Product: "nonesuch"}, {Type: "nonesuch"}} {
			if _, err := w.k.Suggest(ctx, w.Li, bad); err == nil {
				t.Errorf("taken: %+v", bad)
			}
		}
		_, err := w.k.Suggest(ctx, w.Li, knowledge.Ask{Text: strings.Repeat("字", 2000)})
		w.OK(err)
		t.Logf("REPORT suggestions: %d texts in two languages, the right article first\n", len(asks))
	})
}

// TestListPages: filters and pages.
func TestListPages(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		shelf(w)
		var got []string
		for after := ""; ; {
			all, total, next, err := w.k.List(ctx, w.Chen, knowledge.Filter{Limit: 5, After: after, Language: zh})
			w.OK(err)
			for _, a := range all {
				got = append(got, a.Slug)
			}
			if total != 12 {
				t.Fatal(total)
			}
			if after = next; next == "" {
				break
			}
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != 12 {
			t.Error(got)
		}
		for _, c := range []struct {
			f    knowledge.Filter
			want int
		}{{knowledge.Filter{State: "draft"}, 1}, {knowledge.Filter{State: "archived"}, 0}, {knowledge.Filter{Visibility: "internal"}, 1}, {knowledge.Filter{Tag: "ｅｃｓ"}, 2}, {knowledge.Filter{Product: "elb"}, 1},
			{knowledge.Filter{Type: "ecs-performance"}, 1}, {knowledge.Filter{Text: "!?"}, 0}, {knowledge.Filter{Text: `"too many"`}, 1}, {knowledge.Filter{Text: `"too man" x`}, 0}, {knowledge.Filter{Tag: "ECS", Text: "登录"}, 1}} {
			if _, total, _, err := w.k.List(ctx, w.Chen, c.f); err != nil || total != c.want {
				t.Errorf("%+v: %d, want %d: %v", c.f, total, c.want, err)
			}
		}
		// Archived ones only when asked for, and customers never past their scope.
		_, err := w.k.Step(ctx, w.Chen, "ecs-high-cpu", knowledge.StepArchive, 0)
		w.OK(err)
		for _, c := range []struct {
			f    knowledge.Filter
			want int
		}{{knowledge.Filter{Text: "cpu"}, 0}, {knowledge.Filter{Text: "CPU 使用率", State: "archived"}, 1}} {
			if _, total, _, err := w.k.List(ctx, w.Chen, c.f); err != nil || total != c.want {
				t.Errorf("%+v: %d %v", c.f, total, err)
			}
		}
		for _, f := range []knowledge.Filter{{State: "archived"}, {State: "draft"}, {Visibility: "internal"}, {}} {
			if _, total, _, err := w.k.List(ctx, w.Li, f); err != nil || total != 9 {
				t.Errorf("a customer with %+v: %d %v", f, total, err)
			}
		}
		for _, f := range []knowledge.Filter{{After: "x"}, {After: "-1"}, {Text: strings.Repeat("a", 257)}} {
			if _, _, _, err := w.k.List(ctx, w.Chen, f); err == nil {
				t.Errorf("taken: %+v", f)
			}
		}
	})
}

// TestIndex: the index is what the tables give, through all steps, and can be
// built anew.
func TestIndex(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		proved := func(when string) {
			t.Helper()
			found, err := w.Tickets.Doctor(ctx, false)
			w.OK(err)
			for _, f := range found {
				t.Errorf("%s: %+v", when, f)
			}
		}
		shelf(w)
		proved("imported")
		c := both("Zebra", "stripes")
		_, err := w.k.Create(ctx, w.Chen, "z", c, "")
		w.OK(err)
		_, err = w.k.Step(ctx, w.Chen, "z", knowledge.StepPublish, 0)
		w.OK(err)
		c.EN = knowledge.Words{} // a language goes
		_, err = w.k.Change(ctx, w.Chen, "z", c, "", 0)
		w.OK(err)
		proved("a version waits")
		_, err = w.k.Step(ctx, w.Chen, "z", knowledge.StepPublish, 0)
		w.OK(err)
		proved("published")
		_, err = w.k.Step(ctx, w.Chen, "z", knowledge.StepArchive, 0)
		w.OK(err)
		proved("archived")
		a, err := w.k.Article(ctx, w.Chen, "ecs-ssh-login")
		w.OK(err)
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error { search.Remove(tx, principal.House, a.ID+".out.zh"); return nil }))
		if _, total, _, err := w.k.List(ctx, w.Li, knowledge.Filter{Text: "authorized_keys 的权限"}); err != nil || total != 0 {
			t.Fatal(total, err)
		}
		found, err := w.Tickets.Doctor(ctx, true)
		w.OK(err)
		if len(found) != 1 || found[0].What != "index" {
			t.Errorf("%+v", found)
		}
		proved("mended")
		w.OK(w.Tickets.IndexAnew(ctx, func(_, _ int64) {}))
		proved("built anew")
		if _, total, _, err := w.k.List(ctx, w.Li, knowledge.Filter{Text: "authorized_keys 的权限"}); err != nil || total != 1 {
			t.Error(total, err)
		}
	})
}

// TestFigures: what was shown, opened and written, as counted by hand; a
// suggestion is its user's own.
func TestFigures(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		shelf(w)
		from := w.Clock.Now().UnixMilli()
		ask := func(who principal.Principal, text, id string) string {
			t.Helper()
			s, err := w.k.Suggest(ctx, who, knowledge.Ask{Text: text, Language: zh, Suggestion: id})
			w.OK(err)
			return s.ID
		}
		open := func(who principal.Principal, slug, id string) {
			t.Helper()
			_, err := w.k.Read(ctx, who, slug, id, zh)
			w.OK(err)
		}
		// li opens two, twice, and writes nothing.
		li := ask(w.Li, "发票", "")
		if again := ask(w.Li, "发票抬头", li); again != li {
			t.Error("the suggestion did not go on")
		}
		open(w.Li, "billing-invoice", li)
		open(w.Li, "billing-invoice", li)
		open(w.Li, "dns-not-resolving", li)
		// wang opens one and writes all the same; another's id is not his.
		wang := ask(w.Wang, "域名解析不了", li)
		if wang == li {
			t.Error("another's suggestion was gone on with")
		}
		open(w.Wang, "dns-not-resolving", wang)
		open(w.Wang, "billing-invoice", li)
		w.Create(w.Wang, "still wrong")
		// boss is shown and writes; foreign is shown nothing and writes.
		ask(w.Boss, "ssh 登录", "")
		w.Create(w.Boss, "x")
		ask(w.Foreign, "量子", "")
		open(w.Foreign, "dns-not-resolving", "nonesuch")
		w.OK(w.k.Vote(ctx, w.Li, "billing-invoice", false))
		w.OK(w.k.Vote(ctx, w.Li, "billing-invoice", true)) // the last word counts
		w.OK(w.k.Vote(ctx, w.Wang, "billing-invoice", false))
		w.OK(w.k.Vote(ctx, w.Chen, "billing-invoice", true))
		f, err := w.k.Figures(ctx, w.Auditor, from, from+1000*3600)
		w.OK(err)
		got := fmt.Sprint(f.Suggestions, f.Shown, f.Opened, f.OpenedTicket, f.Deflected, f.ShownTicket, f.Helpful, f.NotHelpful)
		if got != "4 3 2 1 1 1 1 1" {
			t.Error(got)
		}
		if len(f.MostOpened) != 2 || f.MostOpened[0].Slug != "dns-not-resolving" || f.MostOpened[0].Opened != 2 || f.MostOpened[0].Ticket != 1 || f.MostOpened[1].Opened != 1 {
			t.Errorf("%+v", f.MostOpened)
		}
		a, err := w.k.Article(ctx, w.Chen, "billing-invoice")
		w.OK(err)
		if a.Helpful != 2 || a.NotHelpful != 1 {
			t.Errorf("%+v", a)
		}
		if f, err := w.k.Figures(ctx, w.Auditor, from-400*24*3600*1000, from); err != nil || f.Suggestions != 0 {
			t.Errorf("%+v %v", f, err)
		}
		if _, err := w.k.Figures(ctx, w.Auditor, from-400*24*3600*1000-1, from); err == nil || !strings.Contains(err.Error(), "400") {
			t.Errorf("more than 400 days: %v", err)
		}
		if _, err := w.k.Figures(ctx, w.Auditor, 5, 5); err == nil {
			t.Error("an empty span was taken")
		}
		if err := w.k.Vote(ctx, w.Li, "escalate-to-second-line", true); err == nil {
			t.Error("a customer votes on what he cannot read")
		}
	})
}

// TestPurge: counts go with their suggestions by the suggestions' age, however
// late an article was opened, and others stay.
func TestPurge(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		shelf(w)
		old, err := w.k.Suggest(ctx, w.Li, knowledge.Ask{Text: "发票", Language: zh})
		w.OK(err)
		w.Clock.Add(300 * 24 * time.Hour)
		young, err := w.k.Suggest(ctx, w.Wang, knowledge.Ask{Text: "发票", Language: zh})
		w.OK(err)
		_, err = w.k.Read(ctx, w.Li, "billing-invoice", old.ID, zh)
		w.OK(err)
		_, err = w.k.Read(ctx, w.Wang, "billing-invoice", young.ID, zh)
		w.OK(err)
		w.OK(w.DB.Update(ctx, func(tx *db.Tx) error { // more than a batch
			for n := range 1100 {
				tx.Write(1, "INSERT INTO article_suggestions (domain_id, id, user_id, started_at, asked_at, asked, shown) VALUES (?, ?, 'u', ?, 1, 1, 1)", w.Foreign.Domain, fmt.Sprint("old", n), n)
				tx.Write(1, "INSERT INTO article_opened (domain_id, suggestion_id, article_id, at) VALUES (?, ?, 'a', ?)", w.Foreign.Domain, fmt.Sprint("old", n), tx.Now)
			}
			return nil
		}))
		w.Clock.Add(100*24*time.Hour + time.Second)
		w.OK(w.k.Periodic()[0].Run(ctx))
		for _, table := range []string{"article_suggestions", "article_opened"} {
			column := map[string]string{"article_suggestions": "id", "article_opened": "suggestion_id"}[table]
			var all []string
			w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
				all = nil
				return tx.List(func(r db.Row) error {
					var id string
					err := r.Scan(&id)
					all = append(all, id)
					return err
				}, "SELECT "+column+" FROM "+table+" /* all domains: a test */ LIMIT 10")
			}))
			if len(all) != 1 || all[0] != young.ID {
				t.Errorf("%s: %v, want %s alone", table, all, young.ID)
			}
		}
	})
}

// TestUpkeep: what wants care is found by the missing language, a change that
// waits, and the last change; a customer's filter says nothing of the kind.
func TestUpkeep(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		slugs := func(who principal.Principal, f knowledge.Filter) string {
			t.Helper()
			all, total, _, err := w.k.List(ctx, who, f)
			w.OK(err)
			var got []string
			for _, a := range all {
				got = append(got, a.Slug)
			}
			if total != len(got) {
				t.Errorf("%d of %v", total, got)
			}
			slices.Sort(got)
			return strings.Join(got, " ")
		}
		half := both("Half", "h")
		half.EN = knowledge.Words{}
		for slug, c := range map[string]knowledge.Content{"whole": both("Whole", "w"), "half": half} {
			_, err := w.k.Create(ctx, w.Chen, slug, c, "")
			w.OK(err)
			_, err = w.k.Step(ctx, w.Chen, slug, knowledge.StepPublish, 0)
			w.OK(err)
		}
		w.Clock.Add(time.Hour)
		since := w.Clock.Now().UnixMilli()
		_, err := w.k.Change(ctx, w.Chen, "whole", both("Whole", "w2"), "", 0)
		w.OK(err)
		for _, c := range []struct {
			f    knowledge.Filter
			want string
		}{
			{knowledge.Filter{Lacks: en}, "half"}, {knowledge.Filter{Lacks: zh}, ""}, {knowledge.Filter{Pending: true}, "whole"},
			{knowledge.Filter{ChangedBefore: since}, "half"}, {knowledge.Filter{ChangedBefore: since + 1}, "half whole"}, {knowledge.Filter{Pending: true, Lacks: en}, ""},
		} {
			if got := slugs(w.Emma, c.f); got != c.want {
				t.Errorf("%+v: %q, want %q", c.f, got, c.want)
			}
			if got := slugs(w.Li, c.f); got != "half whole" {
				t.Errorf("a customer: %+v: %q", c.f, got)
			}
		}
	})
}
