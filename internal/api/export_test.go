package api_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket/tickettest"
)

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// table downloads an export and reads it back.
func (w *ticketWorld) table(query string, headers ...string) [][]string {
	w.t.Helper()
	rec := w.send(w.handler, w.boss, "GET", "cases/export"+query, nil, headers...)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", query, rec.Code, rec.Body)
	}
	name := rec.Header().Get("Content-Disposition")
	switch kind := rec.Header().Get("Content-Type"); {
	case kind == "text/csv; charset=utf-8" && regexp.MustCompile(`^attachment; filename="tickets-\d{8}-\d{6}\.csv"$`).MatchString(name):
		text, ok := strings.CutPrefix(rec.Body.String(), "\ufeff")
		if !ok {
			w.t.Error("no byte order mark")
		}
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			w.t.Fatal(err)
		}
		return rows
	case kind == xlsx && regexp.MustCompile(`^attachment; filename="tickets-\d{8}-\d{6}\.xlsx"$`).MatchString(name):
		f, err := excelize.OpenReader(rec.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		defer f.Close()
		rows, err := f.GetRows(f.GetSheetName(0))
		if err != nil {
			w.t.Fatal(err)
		}
		return rows
	default:
		w.t.Fatalf("%q %q", kind, name)
	}
	return nil
}

func TestDownloadCases(t *testing.T) {
	eachTicketWorld(t, func(w *ticketWorld) {
		evil := w.create(w.li, object{"simple_description": `=HYPERLINK("http://a.example";"x")`})
		plain := w.create(w.wang, object{"simple_description": "第一行\nsecond, \"quoted\""})
		theirs := w.create(w.foreign, nil)
		for _, tt := range []struct {
			query   string
			headers []string
			heading string // of the first column
			created string // of the oldest
		}{
			// The clock stands at 2026-01-15 08:00 UTC.
			{"", []string{"Accept", "text/csv"}, "工单编号", "2026-01-15 16:00:00"},
			{"", nil, "工单编号", "2026-01-15 16:00:00"},
			{"", []string{"Accept", "*/*"}, "工单编号", "2026-01-15 16:00:00"},
			{"", []string{"Accept", xlsx + ", text/csv"}, "工单编号", "2026-01-15 16:00:00"},
			{"", []string{"Accept", "text/csv;q=0, */*"}, "工单编号", "2026-01-15 16:00:00"},
			{"?language=en-us&timezone=UTC", []string{"Accept", "text/csv", "X-Language", "zh-cn", "X-Time-Zone", "GMT+8"}, "Ticket number", "2026-01-15 08:00:00"},
			{"?language=en-us&timezone=GMT-5", nil, "Ticket number", "2026-01-15 03:00:00"},
			{"?language=klingon&timezone=nowhere", []string{"X-Language", "en-us", "X-Time-Zone", "UTC"}, "Ticket number", "2026-01-15 08:00:00"},
		} {
			rows := w.table(tt.query, tt.headers...)
			if len(rows) != 3 || rows[0][0] != tt.heading || rows[2][0] != evil || rows[1][0] != plain || rows[2][9] != tt.created || rows[2][8] != "li" {
				w.t.Errorf("%s %v: %q", tt.query, tt.headers, rows)
				continue
			}
			if rows[2][7] != `'=HYPERLINK("http://a.example";"x")` || rows[1][7] != "第一行\nsecond, \"quoted\"" {
				w.t.Errorf("%q, %q", rows[2][7], rows[1][7])
			}
		}
		for query, want := range map[string]int{
			"?incident_id=" + evil: 1, "?incident_id=" + evil + ",%20" + plain + "," + theirs + ",nothing": 2, "?incident_id=" + theirs: 0,
			"?incident_id=" + strings.Repeat("x", 3400): 0, "?limit=1": 1, "?limit=1&offset=1": 1, "?offset=65535": 0, "?limit=0": 2, "?status=0": 2, "?status=3": 0,
			"?sub_customer_id=" + w.li.User: 1, "?sub_customer_id=" + w.foreign.User: 0, "?x_customer_name=wa": 1, "?search_key=quoted": 1, "?search_key=absent": 0,
			"?customer_id=" + w.boss.Domain: 2, "?customer_id=" + w.foreign.Domain: 0, "?tenant_source_id_list=" + source: 2, "?tenant_source_id_list=other": 0,
			"?query_start_time=2026-01-15%2016:00:00": 2, "?query_start_time=2026-01-15%2016:00:01": 0, "?timezone=UTC&query_end_time=2026-01-15%2007:59:59": 0,
			"?timezone=UTC&query_end_time=2026-01-15%2008:00:00": 2,
		} {
			for _, accept := range []string{"text/csv", xlsx} {
				if rows := w.table(query, "Accept", accept); len(rows)-1 != want {
					w.t.Errorf("%s as %s: %d tickets, want %d", query, accept, len(rows)-1, want)
				}
			}
		}
		// Errors have a status of their own in both modes, for the SDKs save a 200 as the file.
		for query, code := range map[string]string{"?incident_id=" + strings.Repeat("x", 3401): "OSM.01010001", "?limit=101": "OSM.01010001", "?offset=65536": "OSM.01010001",
			"?status=21": "OSM.01010001", "?status=7": "OSM.01010001", "?query_start_time=yesterday": "OSM.01010001", "?search_key=a%20b%20c%20d": "OSM.01010001",
			"?search_key=" + strings.Repeat("x", 65): "OSM.01010001", "?query_start_time=2026-01-15%2016:00:01&query_end_time=2026-01-15%2016:00:00": "OSM.01010001"} {
			for name, h := range map[string]http.Handler{"real": w.handler, "documented": w.documented} {
				rec := w.send(h, w.boss, "GET", "cases/export"+query, nil)
				if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), code) {
					w.t.Errorf("%.60s, %s: %d %s", query, name, rec.Code, rec.Body)
				}
			}
		}
		for name, h := range map[string]http.Handler{"real": w.handler, "documented": w.documented} {
			if rec := w.send(h, w.li, "GET", "cases/export", nil, "Accept", "text/csv"); rec.Code != http.StatusForbidden || !strings.Contains(rec.Body.String(), "OSM.01010002") {
				w.t.Errorf("a sub-user, %s: %d %s", name, rec.Code, rec.Body)
			}
		}
		if rec := w.send(w.documented, w.foreign, "GET", "cases/"+evil, nil); rec.Code != http.StatusOK {
			w.t.Errorf("other operations keep the documented 200: %d", rec.Code)
		}
		if left, _ := os.ReadDir(w.temp); len(left) > 0 {
			w.t.Errorf("left behind: %v", left)
		}
	})
}

// TestDownloadBreaks: what fails in the middle is a broken connection, never a
// file that looks whole.
func TestDownloadBreaks(t *testing.T) {
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newTicketWorld(t, d, clock)
		tickettest.Generate(t, d, w.li, "account-change", 1200, 500)
		main := w.boss
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.handler.ServeHTTP(rw, r.WithContext(locale.With(principal.With(r.Context(), main), locale.Default())))
		}))
		defer s.Close()
		get := func() (*http.Response, error) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v2/servicerequest/cases/export", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Auth-Token", "verified in front")
			req.Header.Set("Accept", "text/csv")
			return s.Client().Do(req)
		}
		res, err := get()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(res.Body)
		if err != nil || bytes.Count(whole, []byte("\r\n")) != 1201 {
			t.Fatalf("%v, %d lines", err, bytes.Count(whole, []byte("\r\n")))
		}
		// One of the third page cannot be read: the first has been sent by then.
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			tx.Write(1, "UPDATE tickets SET region = '~broken' WHERE domain_id = ? AND description LIKE ?", main.Domain, "7 %")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if res, err = get(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(res.Body)
		if err == nil || len(rest) == 0 || bytes.Contains(rest, []byte("error_code")) {
			t.Errorf("%v after %d bytes", err, len(rest))
		}
	})
}

// TestExportMany exports many tickets over a real connection and reports time,
// rows and the peak of memory: 100,000 with CASEMATE_LONG, else 4,000.
func TestExportMany(t *testing.T) {
	n := 4000
	if os.Getenv("CASEMATE_LONG") != "" {
		n = 100_000
	}
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newTicketWorld(t, d, clock)
		began := time.Now()
		tickettest.Generate(t, d, w.li, "account-change", n, 300)
		t.Logf("REPORT export: %d tickets generated in %.1f s", n, time.Since(began).Seconds())
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.handler.ServeHTTP(rw, r.WithContext(locale.With(principal.With(r.Context(), w.boss), locale.Default())))
		}))
		defer s.Close()
		// The first one fills the store's page caches (32 MiB per connection), whose size
		// does not depend on the export.
		for i, accept := range []string{"text/csv", "text/csv", xlsx} {
			debug.FreeOSMemory()
			stop := memory(t)
			began := time.Now()
			req, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/v2/servicerequest/cases/export", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Auth-Token", "verified in front")
			req.Header.Set("Accept", accept)
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			file, err := os.CreateTemp(t.TempDir(), "")
			if err != nil {
				t.Fatal(err)
			}
			size, err := io.Copy(file, res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res.StatusCode, err)
			}
			took := time.Since(began)
			alive, own := stop()
			rows := countRows(t, file, accept) - 1
			if rows != n {
				t.Errorf("%s: %d rows, want %d", accept, rows, n)
			}
			kind := "csv"
			if accept == xlsx {
				kind = "xlsx"
			}
			t.Logf("REPORT export: %s of %d tickets in %.1f s, %d bytes, alive grew by %.1f MiB, own memory by %d MiB", kind, rows, took.Seconds(), size, float64(alive)/(1<<20), own>>20)
			// Two exports at once, one of each database. All rows kept would be 250 MiB and
			// more of it; what SQLite takes of the system is seen in the second figure alone.
			if i > 0 && (alive > 96<<20 || own > 448<<20) {
				t.Errorf("%s: what is alive grew by %d MiB, what is taken of the system by %d", kind, alive>>20, own>>20)
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
		if left, _ := os.ReadDir(w.temp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func countRows(t *testing.T, file *os.File, accept string) (n int) {
	t.Helper()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if accept != xlsx {
		if _, err := file.Seek(3, io.SeekStart); err != nil { // behind the byte order mark
			t.Fatal(err)
		}
		r := csv.NewReader(file)
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); err == io.EOF {
				return n
			} else if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	f, err := excelize.OpenFile(file.Name(), excelize.Options{UnzipXMLSizeLimit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	return n
}

// memory watches what of the process's heap is alive and its own memory (RssAnon:
// without the pages of files that it maps, which the system takes back when it
// likes) until stop is called, which answers by how much each grew at most, in
// bytes. What is alive is what the collector found in use; the rest of its memory
// is garbage that it has not come to yet, as much again and more by its settings.
func memory(t *testing.T) (stop func() (alive, own int64)) {
	t.Helper()
	pattern := regexp.MustCompile(`RssAnon:\s+(\d+) kB`)
	read := func() (alive, own int64) {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return int64(sample[0].Value.Uint64()), 0
		}
		m := pattern.FindSubmatch(status)
		if m == nil {
			return int64(sample[0].Value.Uint64()), 0
		}
		kb, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits by the pattern
		return int64(sample[0].Value.Uint64()), kb << 10
	}
	alive, own := read()
	if own == 0 {
		t.Fatal("no figure of memory in /proc/self/status")
	}
	end, most := make(chan struct{}), make(chan [2]int64)
	go func() {
		top, tick := [2]int64{alive, own}, time.NewTicker(10*time.Millisecond)
		defer tick.Stop()
		look := func() {
			a, o := read()
			top = [2]int64{max(top[0], a), max(top[1], o)}
		}
		for {
			select {
			case <-end:
				runtime.GC() // what is alive at the end counts too
				look()
				most <- top
				return
			case <-tick.C:
				look()
			}
		}
	}()
	return func() (int64, int64) {
		close(end)
		top := <-most
		return top[0] - alive, top[1] - own
	}
}
