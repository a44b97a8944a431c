//go:build long

package ticket_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/search"
	"casemate/internal/ticket"
)

// TestSearchSpeed measures typical queries over 20,000 tickets with a message
// each (CASEMATE_SEARCH_SIZE: another number), Chinese and English mixed
// (docs/BENCHMARKS.md).
func TestSearchSpeed(t *testing.T) {
	size := 20_000
	if n, err := strconv.Atoi(os.Getenv("CASEMATE_SEARCH_SIZE")); err == nil && n > 0 {
		size = n
	}
	each(t, ticket.Options{}, func(w *world) {
		r := rand.New(rand.NewPCG(1, 2))
		fill := func(s string) string {
			return strings.NewReplacer("{n}", fmt.Sprint(r.IntN(9000)+10), "{ip}", fmt.Sprintf("10.%d.%d.%d", r.IntN(40), r.IntN(200), r.IntN(250)+1), "{req}", fmt.Sprintf("req-%08x-%04x", r.Uint32(), r.IntN(65536))).Replace(s)
		}
		pick := func(lists ...[]string) string {
			l := lists[r.IntN(len(lists))]
			return fill(l[r.IntN(len(l))])
		}
		began := time.Now()
		const batch = 250
		for made := 0; made < size; made += batch {
			w.ok(w.db.Update(t.Context(), func(tx *db.Tx) error {
				for i := range batch {
					id, m, number := tx.NewID(), tx.NewID(), fmt.Sprintf("TS260101%013d", made+i)
					text := pick(corpusZH, corpusEN) + " " + pick(corpusZH, corpusEN)
					reply := pick(repliesZH, repliesEN)
					status := []int{0, 1, 1, 2, 3, 3, 3, 3}[r.IntN(8)]
					tx.Write(1, `INSERT INTO tickets (domain_id, id, number, creator, status, revision, problem_type, sub_type, product, region, severity, project, plan, description,
						contact, remind_time, language, zone, assignee, resolution, judgement, urges, urged_at, created_at, changed_at, status_at, resolved_at, closed_at, scored_at)
						VALUES (?, ?, ?, ?, ?, 1, ?, '0', '', 'cn-north-1', '', '', '', ?, '', '', 'zh-cn', '', '', '', '', 0, 0, ?, ?, ?, 0, 0, 0)`,
						w.li.Domain, id, number, w.li.User, status, w.problem, text, tx.Now, tx.Now, tx.Now)
					tx.Write(1, "INSERT INTO messages (domain_id, id, ticket_id, side, author, internal, opening, text, created_at, revision, withdrawn_at) VALUES (?, ?, ?, 0, ?, 0, 0, ?, ?, 2, 0)", w.li.Domain, m, id, w.li.User, reply, tx.Now)
					tx.Write(1, "INSERT INTO desk_tickets (number, domain_id, ticket_id, status, severity, assignee, urges, changed_at, sandbox, creator, language, created_at) VALUES (?, ?, ?, ?, '', '', 0, ?, 0, ?, 'zh-cn', ?)",
						number, w.li.Domain, id, status, tx.Now, w.li.User, tx.Now)
					search.Put(tx, true, search.Doc{Domain: w.li.Domain, Kind: search.KindTicket, ID: id, Parent: id, Text: text},
						search.Doc{Domain: w.li.Domain, Kind: search.KindMessage, ID: m, Parent: id, Text: reply})
				}
				return nil
			}))
			w.clock.Add(time.Minute)
		}
		if w.db.Dialect() == db.Postgres { // what its housekeeping does by itself, later
			w.ok(w.db.Update(t.Context(), func(tx *db.Tx) error {
				for _, table := range []string{"search_docs", "desk_tickets", "tickets", "messages"} {
					tx.Write(db.Any, "ANALYZE "+table)
				}
				return nil
			}))
		}
		t.Logf("filled in %s", time.Since(began).Round(time.Second))
		for _, q := range []string{"req-1a2b3c4d", "10.3.77.12", "TS2601010000000012345", "kernel panic", "发票抬头", "宿主", "wrong company", "timeout", "nginx", "登录", "log", "登", "的", "登录 密码", "log 日志", "status:open 发票", "status:open 登录", "登录 -密码", `"connection reset"`, "customer:云帆 OBS", "status:open", "assignee:none lang:zh"} {
			var took, scans []time.Duration
			total, more := 0, false
			for range 11 {
				began := time.Now()
				page, err := w.s.Search(t.Context(), w.chen, ticket.Search{Text: q})
				took = append(took, time.Since(began))
				w.ok(err)
				total, more = page.Total, page.More
				// Beside it, in turns: what the database's own scan of the texts takes.
				part := "%" + strings.Trim(strings.Fields(q)[0], `"`) + "%"
				began = time.Now()
				w.ok(w.db.View(t.Context(), func(tx *db.Tx) error {
					var n, m int
					if err := tx.Get("SELECT count(*) FROM tickets WHERE domain_id = ? AND description LIKE ?", w.li.Domain, part).Scan(&n); err != nil {
						return err
					}
					return tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND text LIKE ?", w.li.Domain, part).Scan(&m)
				}))
				scans = append(scans, time.Since(began))
			}
			slices.Sort(took)
			slices.Sort(scans)
			t.Logf("REPORT %s\t%s\t%d%s\tp50 %.1f ms\tmax %.1f ms\tof a scan %.2f\n", w.db.Dialect(), q, total, map[bool]string{true: "+"}[more],
				took[5].Seconds()*1000, took[10].Seconds()*1000, took[5].Seconds()/scans[5].Seconds())
		}
	})
}
