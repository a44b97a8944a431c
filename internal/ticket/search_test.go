package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// hits are the numbers a search finds, the best first.
func (w *world) hits(who principal.Principal, q string) (numbers []string) {
	w.t.Helper()
	found, total := w.searchAll(who, q)
	for _, f := range found {
		numbers = append(numbers, f.Number)
	}
	if total != len(found) {
		w.t.Errorf("%q: total %d, %d found", q, total, len(found))
	}
	return numbers
}

func (w *world) wantHits(who principal.Principal, q string, want ...string) {
	w.t.Helper()
	if got := w.hits(who, q); !slices.Equal(got, want) {
		w.t.Errorf("%q: found %v, want %v", q, got, want)
	}
}

// shown is every text of a search's answer, hits in brackets.
func shown(found []ticket.Found) string {
	var b strings.Builder
	for _, f := range found {
		for _, s := range f.Where {
			b.WriteString(s.Place + ": ")
			for _, p := range s.Pieces {
				if p.Hit {
					b.WriteString("[" + p.Text + "]")
				} else {
					b.WriteString(p.Text)
				}
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// TestSearchRights: a partner's people find in their tickets only and not in
// the house's notes and their files; nothing of what they may not see changes
// what they find, not even by negation. Sandboxes' tickets are found only when
// the customer is named in full, deleted ones only by those who may ask for them.
func TestSearchRights(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		ctx := w.t.Context()
		house, theirs := w.create(w.li, "canary in the house"), w.create(p.lisa, "canary at the client")
		_, err := w.s.Transfer(ctx, w.chen, ticket.Transfer{Numbers: []string{theirs}, To: ticket.PartnerBusiness})
		w.ok(err)
		w.ok(w.step(w.chen, theirs, "note", "secretword of the house, 机密"))
		f, err := w.s.Attach(ctx, w.chen, theirs, upload("secretfile.log", "x"))
		w.ok(err)
		_, err = w.s.Take(ctx, w.chen, ticket.Step{Number: theirs, Action: "note", Text: "with it", Attachments: []string{f.ID}})
		w.ok(err)
		w.ok(w.step(p.nora, theirs, "note", "ownword of the partner"))
		g, err := w.s.Attach(ctx, p.nora, theirs, upload("ownfile.log", "x"))
		w.ok(err)
		_, err = w.s.Take(ctx, p.nora, ticket.Step{Number: theirs, Action: "note", Text: "ours", Attachments: []string{g.ID}})
		w.ok(err)

		w.wantHits(w.chen, "canary", theirs, house)
		w.wantHits(w.chen, "secretword", theirs)
		w.wantHits(w.chen, "secretfile", theirs)
		for _, who := range []principal.Principal{p.nora, p.nils} {
			w.wantHits(who, "canary", theirs)
			w.wantHits(who, house)
			w.wantHits(who, theirs, theirs)
			w.wantHits(who, "canary secretword")
			w.wantHits(who, "机")
			w.wantHits(who, "canary OR secretword", theirs)
			w.wantHits(who, "canary -secretword", theirs) // as if the note were not there
			w.wantHits(who, "-secretfile canary", theirs)
			w.wantHits(who, "secretfile.log")
			w.wantHits(who, "ownword", theirs)
			w.wantHits(who, "ownfile", theirs)
			w.wantHits(who, "customer:云帆科技")
			w.wantHits(who, "by:li")
			w.wantHits(who, "assignee:chen OR canary", theirs)
			w.wantHits(who, "assignee:chen")
			found, _ := w.searchAll(who, "canary OR secretword OR 机密")
			if text := shown(found); strings.Contains(text, "secret") || strings.Contains(text, "house") {
				w.t.Errorf("%s is shown %q", who.UserName, text)
			}
			offered, err := w.s.Suggest(ctx, who, "customer:", locale.EN)
			w.ok(err)
			if len(offered) != 1 || offered[0].Insert != "customer:Client" {
				w.t.Errorf("%s is offered %v", who.UserName, offered)
			}
		}
		w.wantHits(p.mia, "canary")
		w.wantHits(p.mia, "has:attachment")

		box := w.sandbox("Proving Ground")
		inBox, err := w.s.Create(w.as(box), box, w.draft("canary in the sandbox"))
		w.ok(err)
		w.wantHits(w.chen, "canary", theirs, house)
		w.wantHits(w.chen, "proving")
		w.wantHits(w.chen, "customer:proving")
		w.wantHits(w.chen, "-canary customer:ground")
		w.wantHits(w.chen, `customer:"Proving Ground"`, inBox)
		w.wantHits(w.chen, "customer:"+box.Domain+" canary", inBox)
		w.wantHits(w.chen, `customer:"Proving Ground",云帆科技 canary`, inBox, house)
		w.wantHits(w.chen, `-customer:"Proving Ground" canary`, theirs, house)

		w.ok(w.act(w.li, house, "cancel"))
		w.wantHits(w.chen, "status:canceled canary", house)
		w.ok(w.act(w.li, house, "delete"))
		w.wantHits(w.chen, "canary", theirs)
		w.wantHits(w.chen, house)
		w.wantHits(w.chen, "-status:deleted canary", theirs)
		boss := w.emma
		boss.Role = principal.RoleSupervisor
		w.wantHits(boss, "canary", theirs)
		w.wantHits(boss, "canary status:deleted", house)
		w.wantHits(boss, "canary status:已删除,0", theirs, house)
		w.wantHits(principal.Principal{Kind: principal.Local}, "status:13", house)
		for _, who := range []principal.Principal{w.chen, p.nora} {
			_, err := w.s.Search(ctx, who, ticket.Search{Text: "canary OR status:deleted"})
			w.refused(err, ".01010002")
		}
		for _, who := range []principal.Principal{w.auditor, w.li, {}} {
			_, err := w.s.Search(ctx, who, ticket.Search{Text: "canary"})
			w.refused(err, ".01010002")
			_, err = w.s.Suggest(ctx, who, "st", locale.EN)
			w.refused(err, ".01010002")
		}
		w.searchIndexRight()
	})
}

// TestSearchOverTime: what is found follows the tables: withdrawn messages and
// their files vanish, unclaimed files are nowhere, contacts are found as they
// are now and typed in full, a reset forgets, moved documents lead elsewhere.
func TestSearchOverTime(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n, other := w.create(w.li, "the first"), w.create(w.li, "the second")
		file := w.upload(w.li, "unicorn.log")
		w.wantHits(w.chen, "unicorn")
		w.ok(w.s.Reply(ctx, w.li, n, "", "a zebra 斑马", file))
		w.wantHits(w.chen, "zebra", n)
		w.wantHits(w.chen, "斑", n)
		w.wantHits(w.chen, "unicorn.log", n)
		w.wantHits(w.chen, "in:description zebra")
		said, err := w.s.DeskMessages(ctx, w.chen, n)
		w.ok(err)
		last := said[len(said)-1]

		// History may move a message and its file to another ticket of the domain.
		told, _, err := w.s.Show(ctx, w.li, n, "")
		w.ok(err)
		to, _, err := w.s.Show(ctx, w.li, other, "")
		w.ok(err)
		move := func(parent string) {
			w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
				search.Move(tx, w.li.Domain, last.ID, parent)
				search.Move(tx, w.li.Domain, file, parent)
				return nil
			}))
		}
		move(to.ID)
		w.wantHits(w.chen, "zebra unicorn", other)
		move(told.ID)
		w.wantHits(w.chen, "zebra", n)

		w.ok(w.s.Withdraw(ctx, w.li, n, last.ID))
		w.wantHits(w.chen, "zebra")
		w.wantHits(w.chen, "unicorn")
		gone := w.upload(w.li, "griffin.log")
		w.ok(w.files.Delete(ctx, w.li, gone))
		w.upload(w.li, "phoenix.log")
		w.clock.Add(48 * time.Hour)
		w.ok(w.files.Clean(ctx))
		w.searchIndexRight()

		// The registered address needs no proof; it is found typed in full only.
		mail := "li@example.com"
		w.ok(w.s.ChangeContact(ctx, w.li, ticket.ContactChange{Number: n, Mail: &mail}))
		w.wantHits(w.chen, "in:customer LI@Example.com", n, other) // the submitter's address too
		found, _ := w.searchAll(w.chen, "li@example.com")
		if len(found) != 2 || found[0].Number != n || found[0].Score != 2 || found[0].Where[0].Place != "contact" || found[0].Where[0].Pieces != nil || found[1].Score != 1 {
			w.t.Errorf("by contact: %+v", found)
		}
		w.wantHits(w.chen, "example.com")
		w.wantHits(w.chen, "li@example.co")
		w.wantHits(w.chen, "wang@example.com")
		none := ""
		w.ok(w.s.ChangeContact(ctx, w.li, ticket.ContactChange{Number: n, Mail: &none}))
		if found, _ := w.searchAll(w.chen, "li@example.com"); len(found) != 2 || found[0].Score != 1 {
			w.t.Errorf("by a contact that is taken away: %+v", found)
		}
		_, err = w.ident.CreateUser(ctx, principal.AsSystem(principal.House), identity.NewUser{Domain: w.li.Domain, Name: "phone.owner", Password: "a-Password-1", Mobile: "13800138000", AreaCode: "86"})
		w.ok(err)
		// Found with the customer's own ticket only: there is none yet.
		w.wantHits(w.chen, "+8613800138000")

		box := w.sandbox("Box")
		inBox, err := w.s.Create(w.as(box), box, w.draft("a gnu in the box"))
		w.ok(err)
		w.wantHits(w.chen, "customer:Box gnu", inBox)
		_, err = w.ident.Reset(ctx, admin, box.Domain, verify.Forget)
		w.ok(err)
		w.wantHits(w.chen, "customer:Box gnu")
		w.wantHits(w.chen, "customer:Box")
		inBox, err = w.s.Create(w.as(box), box, w.draft("a new gnu"))
		w.ok(err)
		w.wantHits(w.chen, "customer:Box tester", inBox) // who was there before the reset is
		w.searchIndexRight()
	})
}

// TestSearchPages: pages join without gaps, the total is exact up to its cap,
// snippets show where, and a cursor of nobody's is refused.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		ctx := w.t.Context()
		var want []string
		for i := range 25 {
			want = append([]string{w.create(w.li, fmt.Sprintf("磁盘已满 disk full, host %d", i))}, want...)
		}
		w.ok(w.step(w.chen, want[20], "reply", "Before you go on: "+strings.Repeat("长", 300)+"请扩容磁盘 <b>now</b>"))
		w.wantHits(w.chen, "磁盘", want...)
		w.wantHits(w.chen, "磁盘 请", want[20])
		found, _ := w.searchAll(w.chen, "扩容 <b>")
		if text := shown(found); !strings.HasPrefix(text, "message: …长") || !strings.Contains(text, "[扩容]磁盘 <[b]>now</[b]>") || len([]rune(text)) > 200 {
			w.t.Errorf("shown: %q", text)
		}
		found, _ = w.searchAll(w.chen, "ＤＩＳＫ 盘 host")
		if text := shown(found[:1]); text != "description: 磁[盘]已满 [disk] full, [host] 24\n" {
			w.t.Errorf("shown: %q", text)
		}
		page, err := w.s.Search(ctx, w.chen, ticket.Search{Text: "disk", Limit: 7})
		w.ok(err)
		if len(page.Found) != 7 || page.Total != 25 || page.More || page.Cursor == "" || page.Found[0].CreatorName != "li" || page.Found[0].DomainName != "云帆科技" {
			w.t.Errorf("page: %d of %d, %v, %q", len(page.Found), page.Total, page.More, page.Cursor)
		}
		for _, bad := range []string{"x", "5.", "1.2.3.4.5", "-1.a.1.0.0", "5..1.0.0", "5.a.1.0", strings.Repeat("9", 40) + ".a.1.0.0"} {
			if _, err := w.s.Search(ctx, w.chen, ticket.Search{Text: "disk", After: bad}); fault.KindOf(err) != fault.Invalid {
				w.t.Errorf("cursor %q: %v", bad, err)
			}
		}
		// A thousand and one more, as other nouns' tests make them.
		w.ok(w.db.Update(ctx, func(tx *db.Tx) error {
			for i := range ticket.SearchCap {
				id := tx.NewID()
				tx.Write(1, "INSERT INTO desk_tickets (number, domain_id, ticket_id, status, severity, assignee, urges, changed_at, sandbox) VALUES (?, ?, ?, 0, '', '', 0, ?, 0)", fmt.Sprintf("TS250101%013d", i), w.li.Domain, id, tx.Now)
				search.Put(tx, true, search.Doc{Domain: w.li.Domain, Kind: search.KindTicket, ID: id, Parent: id, Text: "disk"})
			}
			return nil
		}))
		page, err = w.s.Search(ctx, w.chen, ticket.Search{Text: "disk"})
		w.ok(err)
		if page.Total != ticket.SearchCap || !page.More {
			w.t.Errorf("total %d, more %v", page.Total, page.More)
		}
		page, err = w.s.Search(ctx, w.chen, ticket.Search{Text: "disk", After: page.Cursor})
		w.ok(err)
		if page.Total != ticket.SearchCap || !page.More {
			w.t.Errorf("second page: total %d, more %v", page.Total, page.More)
		}
	})
}

// TestSearchErrors: what an operator does not take is refused, naming it and
// its place, in both languages.
func TestSearchErrors(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.create(w.li, "error:timeout at http://a.example/b, stat:x")
		for _, c := range []struct{ q, zh, en string }{
			{"登录 status:foo", "第 4 个字符处的 status: 不接受值“foo”", "status: (character 4) does not take foo: it takes open, closed"},
			{"stauts:open", "第 1 个字符处的运算符 stauts: 不存在，是否想用 status:？", "there is no operator stauts: (character 1): did you mean status:?"},
			{"a -lable:x", "第 4 个字符处的运算符 lable:", "there is no operator lable: (character 4): did you mean label:?"},
			{"label:", "第 1 个字符处的运算符 label: 缺少值", "the operator label: (character 1) has no value"},
			{"x customer: y", "第 3 个字符处的运算符 customer: 缺少值", "the operator customer: (character 3) has no value"},
			{"before：昨夜", "第 1 个字符处的 before: 不接受值“昨夜”", "before: (character 1) does not take 昨夜"},
			{"created:2026-13-01", "created: 不接受", "created: (character 1) does not take 2026-13-01"},
			{"after:300y", "after: 不接受值“300y”", "after: (character 1) does not take 300y: it takes 2026-11-25, 2026-11, 2026-11-25T08:30, 7d, 12h, 2w, 3m, 100y (≤ 100y)"},
			{"created:101y", "created: 不接受", "created: (character 1) does not take 101y"},
			{"after:880000h", "after: 不接受", "after: (character 1) does not take 880000h"},
			{"foo OR in:notes", "第 8 个字符处的 in: 限定整个搜索的范围", "in: (character 8) says where the whole search looks: it cannot stand beside OR"},
			{"in:notes OR foo", "第 1 个字符处的 in: 限定整个搜索的范围", "in: (character 1) says where the whole search looks"},
			{"after:0d", "after: 不接受", "after: (character 1) does not take 0d"},
			{"severity:huge", "severity: 不接受", "severity: (character 1) does not take huge: it takes "},
			{"plan:gold", "plan: 不接受", "plan: (character 1) does not take gold: it takes "},
			{"product:nosuchproduct", "product: 不接受", "product: (character 1) does not take"},
			{"lang:fr", "lang: 不接受", "lang: (character 1) does not take fr: it takes zh, en"},
			{"has:wings", "has: 不接受", "has: (character 1) does not take wings: it takes attachment"},
			{"in:nowhere x", "in: 不接受", "in: (character 1) does not take nowhere: it takes description, messages"},
			{"-in:notes x", "in: 不接受", "in: (character 2) does not take notes"},
			{"???", "没有可查找的内容", "there is nothing to search for"}, {"  ", "没有可查找的内容", "there is nothing to search for"},
			{strings.Repeat("a ", 25), "查询条件最多 24 个", "a query has at most 24 conditions"},
			{strings.Repeat("a", 513), "参数 q 最多 512 个字符", "q may have at most 512 characters"},
		} {
			_, err := w.s.Search(w.t.Context(), w.chen, ticket.Search{Text: c.q})
			f, ok := fault.As(err)
			if !ok || f.Code != fault.CodeInvalid || f.Field != "q" {
				w.t.Errorf("%q: %v", c.q, err)
				continue
			}
			if zh, en := locale.Text(locale.ZH, f), locale.Text(locale.EN, f); !strings.Contains(zh, c.zh) || !strings.Contains(en, c.en) {
				w.t.Errorf("%q: %s / %s", c.q, zh, en)
			}
		}
		_, err := w.s.Search(w.t.Context(), principal.Principal{Kind: principal.Local}, ticket.Search{Text: "assignee:me"})
		w.refused(err, ".01010001")
		// Colons that are no operator's are a text.
		for _, q := range []string{"error:timeout", "http://a.example/b", "stat:x", `"error:timeout"`, "in:description error", strings.Repeat("a", 300) + " OR timeout"} {
			if got := w.hits(w.chen, q); len(got) != 1 {
				w.t.Errorf("%q: %v", q, got)
			}
		}
		for _, q := range []string{`"`, `"" - : , OR AND x`, "' OR 1=1 --", `x" NEAR(a b) *`, "a:b:c:d", "\x00 x", "(((", "x OR", "OR x", "x OR OR timeoutt", "-", "--x"} {
			if _, err := w.s.Search(w.t.Context(), w.chen, ticket.Search{Text: q}); err != nil && fault.KindOf(err) != fault.Invalid {
				w.t.Errorf("%q: %v", q, err)
			}
		}
	})
}

// TestSearchSuggest: operators by the beginning of their name, values by any
// part of theirs, in the caller's language.
func TestSearchSuggest(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		_, err := w.s.CreateLabel(w.t.Context(), w.li, "very Urgent", "#ff0000")
		w.ok(err)
		for _, c := range []struct {
			q    string
			lang locale.Language
			want []string
		}{
			{"登录 st", locale.EN, []string{"status:"}}, {"-st", locale.ZH, []string{"-状态:"}}, {"状", locale.EN, []string{"状态:"}}, {"zzz", locale.EN, nil},
			{"status:pa", locale.EN, []string{"status:Paused"}}, {"状态：处理", locale.ZH, []string{"状态:处理中"}}, {"x lang:", locale.EN, []string{"lang:zh", "lang:en"}},
			{"assignee:em", locale.EN, []string{"assignee:emma"}}, {"customer:har", locale.EN, []string{"customer:Harbour"}}, {"客户：云", locale.ZH, []string{"客户:云帆科技"}},
			{"label:urg", locale.EN, []string{`label:"very Urgent"`}}, {"label:%", locale.EN, nil}, {"-has:", locale.EN, []string{"-has:attachment"}}, {"status:open ", locale.EN, nil},
		} {
			found, err := w.s.Suggest(w.t.Context(), w.chen, c.q, c.lang)
			w.ok(err)
			var got []string
			for _, s := range found {
				got = append(got, s.Insert)
			}
			if c.q == "status:open " && len(got) == len(search.Operators()) {
				continue // a new word: all operators
			}
			if !slices.Equal(got, c.want) {
				w.t.Errorf("%q: %v, want %v", c.q, got, c.want)
			}
		}
		// What is offered is understood.
		for _, op := range []string{"status", "severity", "product", "plan", "lang", "before", "created", "has", "in", "assignee", "customer", "label"} {
			for _, lang := range []locale.Language{locale.ZH, locale.EN} {
				found, err := w.s.Suggest(w.t.Context(), w.chen, op+":", lang)
				w.ok(err)
				if len(found) == 0 {
					w.t.Errorf("%s: nothing is offered", op)
				}
				for _, s := range found {
					if _, err := w.s.Search(w.t.Context(), w.chen, ticket.Search{Text: s.Insert}); err != nil {
						w.t.Errorf("%q is offered and refused: %v", s.Insert, err)
					}
				}
			}
		}
	})
}
