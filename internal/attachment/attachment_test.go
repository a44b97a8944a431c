package attachment_test

import (
	"archive/zip"
	"bytes"
	"io"
	"mime"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{MaxMB: 1, Types: []string{"txt", "png", "zip", "docx"}}, func(w *world) {
		id := w.upload(w.li, `C:\logs\今天 "a".TXT`, "hello")
		c, err := w.s.Open(w.t.Context(), w.li, "", id)
		w.ok(err)
		if c.Name != "今天 _a_.TXT" || c.Media != "text/plain; charset=utf-8" || c.Size != 5 || c.Uploader != w.li.User {
			w.t.Errorf("%+v", c.File)
		}
		w.ok(c.Close())
		// The largest file there may be, and one byte more.
		w.upload(w.li, "max.txt", strings.Repeat("x", config.MB))
		longest := strings.Repeat("字", 508) + ".txt"
		w.upload(w.li, longest, "x")
		before, _ := w.stored()
		png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
		for _, tt := range []struct{ name, text, field string }{
			{"big.txt", strings.Repeat("x", config.MB+1), "file"},
			{"empty.txt", "", "file"},
			{"字" + longest, "x", "name"},
			{"", "x", "name"},
			{"..", "x", "name"},
			{"a/\x00\x01", "x", "name"},
			{"noext", "x", "name"},
			{"a.exe", "MZ", "name"},
			{"a.svg", "<svg/>", "name"},
			{"a.txt.html", "x", "name"},
			{"a.txt", png, "file"},
			{"a.png", "hello", "file"},
			{"a.txt", "<!DOCTYPE html><html><script>alert(1)</script>", "file"},
			{"a.txt", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "file"},
			{"a.txt", "#!/bin/sh\nrm -rf /", "file"},
			{"a.docx", "PK\x03\x04not a document", "file"},
		} {
			_, err := w.s.Upload(w.t.Context(), w.li, file(tt.name, tt.text))
			w.refused(err, "01010001", tt.field)
		}
		u := file("a.txt", "x")
		u.Origin = "elsewhere"
		_, err = w.s.Upload(w.t.Context(), w.li, u)
		w.refused(err, "01010001", "from")
		u = file("a.txt", "")
		u.Body = io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), broken{})
		_, err = w.s.Upload(w.t.Context(), w.li, u)
		w.refused(err, "01010001", "file")
		_, err = w.s.Upload(w.t.Context(), w.chen, file("a.txt", "x"))
		w.refused(err, "01010002", "")
		if blobs, rows := w.stored(); blobs != before || rows != before {
			w.t.Errorf("%d blobs and %d rows after refusals, want %d", blobs, rows, before)
		}
	})
}

// broken is a body that is cut off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestUploadQuota: 32 uploads at once, on both databases, never pass the day's
// or the domain's limit by a byte, and as many get in as fit (threats.md D5).
func TestUploadQuota(t *testing.T) {
	t.Parallel()
	run := func(w *world, size int) (taken int) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				_, err := w.s.Upload(w.t.Context(), w.li, file("a.txt", strings.Repeat("x", size)))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					taken++
				}
			})
		}
		all.Wait()
		return taken
	}
	each(t, config.Attachment{MaxMB: 1, DayMB: 1}, func(w *world) {
		if taken := run(w, 100_000); taken != 10 {
			w.t.Errorf("%d of 32 files of 100,000 bytes were taken into 1,048,576 bytes a day", taken)
		}
		w.upload(w.li, "rest.txt", strings.Repeat("x", config.MB-10*100_000))
		_, err := w.s.Upload(w.t.Context(), w.li, file("a.txt", "x"))
		w.refused(err, "01010005", "")
		if blobs, rows := w.stored(); rows != 11 || blobs != 11 {
			w.t.Errorf("%d blobs, %d rows", blobs, rows)
		}
		w.upload(w.wang, "a.txt", "another user's day")
		// Deleting gives nothing back today; midnight at GMT+8 does.
		id := w.upload(w.boss, "a.txt", strings.Repeat("x", config.MB))
		w.ok(w.s.Delete(w.t.Context(), w.boss, id))
		_, err = w.s.Upload(w.t.Context(), w.boss, file("a.txt", "x"))
		w.refused(err, "01010005", "")
		w.clock.Add(8*time.Hour - time.Minute) // the clock stood at 16:00
		_, err = w.s.Upload(w.t.Context(), w.boss, file("a.txt", "x"))
		w.refused(err, "01010005", "")
		w.clock.Add(2 * time.Minute)
		w.upload(w.boss, "a.txt", strings.Repeat("x", config.MB))
	})
	each(t, config.Attachment{MaxMB: 1, DayMB: -1, DomainMB: 1}, func(w *world) {
		if taken := run(w, 100_000); taken != 10 {
			w.t.Errorf("%d of 32 files were taken into a domain's MB", taken)
		}
		_, err := w.s.Upload(w.t.Context(), w.wang, file("a.txt", strings.Repeat("x", 100_000)))
		w.refused(err, "01010002", "")
		id := w.upload(w.wang, "a.txt", strings.Repeat("x", 48_576))
		_, err = w.s.Upload(w.t.Context(), w.wang, file("a.txt", "x"))
		w.refused(err, "01010002", "")
		w.ok(w.s.Delete(w.t.Context(), w.wang, id)) // space comes back
		w.upload(w.wang, "a.txt", strings.Repeat("x", 48_576))
		w.upload(w.foreign, "a.txt", "another domain's space")
	})
}

// TestClaim: what may be claimed, by whom, how many, and only once.
func TestClaim(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{}, func(w *world) {
		mine := w.ticketOf(w.li)
		var ids []string
		for range 7 {
			ids = append(ids, w.upload(w.li, "a.txt", "x"))
		}
		bosses := w.upload(w.boss, "a.txt", "x")
		const field = "accessory_ids"
		w.refused(w.claim(w.li, mine, ids[:6]...), "01010001", field)
		w.refused(w.claim(w.li, mine, "unknown"), "01010001", field)
		w.refused(w.claim(w.li, mine, ""), "01010001", field)
		w.refused(w.claim(w.li, mine, ids[0], ids[0]), "01010001", field)
		w.refused(w.claim(w.li, mine, ids[0], bosses), "01010001", field) // a colleague's
		w.refused(w.claim(w.foreign, w.ticketOf(w.foreign), ids[0]), "01010001", field)
		w.ok(w.claim(w.li, mine)) // none
		w.ok(w.claim(w.li, mine, ids[:5]...))
		w.refused(w.claim(w.li, mine, ids[0]), "01010001", field) // claimed
		w.refused(w.s.Delete(w.t.Context(), w.li, ids[0]), "01010002", "")
		reply := mine
		reply.Opening, reply.Message = false, "m2"
		var many []string
		for range 11 {
			many = append(many, w.upload(w.li, "a.txt", "x"))
		}
		w.refused(w.claim(w.li, reply, many...), "01010001", field)
		w.ok(w.claim(w.li, reply, many[:10]...))

		// Of many that claim one file at once, one gets it.
		won := 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				c := mine
				c.Message = "race" + string(rune('a'+i))
				if w.claim(w.li, c, ids[5]) == nil {
					mu.Lock()
					defer mu.Unlock()
					won++
				}
			})
		}
		all.Wait()
		if won != 1 {
			w.t.Errorf("%d claims of one file won", won)
		}

		// Engineers' files belong to a ticket from the start, and any engineer of
		// the house may send them.
		id, err := w.s.UploadFor(w.t.Context(), w.chen, w.li.Domain, mine.Ticket, file("a.txt", "x"))
		w.ok(err)
		w.refused(w.claim(w.li, mine, id), "01010001", field)
		other := mine
		other.Ticket = "another"
		w.refused(w.claim(w.chen, other, id), "01010001", field)
		w.refused(w.claim(w.chen, mine, ids[6]), "01010001", field) // a customer's
		w.ok(w.claim(w.chen, mine, id))
		_, err = w.s.UploadFor(w.t.Context(), w.li, w.li.Domain, mine.Ticket, file("a.txt", "x"))
		w.refused(err, "01010002", "")

		w.clock.Add(25 * time.Hour) // what was not claimed in time is gone
		w.refused(w.claim(w.li, mine, ids[6]), "01010001", field)
	})
}

// TestWhoSees: the uploader until it is claimed, then all who may see the
// ticket; a note's files nobody on the customer's side.
func TestWhoSees(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{}, func(w *world) {
		house := principal.AsSystem(w.li.Domain)
		g, err := w.ident.CreateGroup(w.t.Context(), house, identity.NewGroup{Domain: w.li.Domain, Name: "ops", Roles: []string{identity.TicketGroupOperator}})
		w.ok(err)
		sees := func(id, group string, want ...principal.Principal) {
			w.t.Helper()
			for _, who := range []principal.Principal{w.boss, w.li, w.wang, w.foreign} {
				may := false
				for _, p := range want {
					may = may || p.User == who.User
				}
				text, err := w.read(who, group, id)
				if may && (err != nil || text != "secret") {
					w.t.Errorf("%s: %q, %v", who.UserName, text, err)
				}
				if !may && err == nil {
					w.t.Errorf("%s reads it", who.UserName)
				}
				if !may && group == "" {
					w.refused(err, "01010001", "accessory_id")
				}
				if _, err := w.s.Links(w.t.Context(), who, group, "accessory_ids", []string{id}); (err == nil) != may {
					w.t.Errorf("%s: link %v", who.UserName, err)
				}
				if _, err := w.s.Zip(w.t.Context(), who, group, []string{id}); (err == nil) != may {
					w.t.Errorf("%s: zip %v", who.UserName, err)
				}
			}
		}
		id := w.upload(w.li, "a.txt", "secret")
		sees(id, "", w.li)
		w.refused(w.s.Delete(w.t.Context(), w.boss, id), "01010001", "accessory_id")
		w.ok(w.claim(w.li, w.ticketOf(w.li), id))
		sees(id, "", w.li, w.boss)
		for _, who := range []principal.Principal{w.li, w.wang} {
			w.ok(w.ident.AddMember(w.t.Context(), house, w.li.Domain, g.ID, who.User))
		}
		sees(id, "", w.li, w.boss) // a colleague names the group (semantics.md section 1)
		sees(id, g.ID, w.li, w.boss, w.wang)
		for _, who := range []principal.Principal{w.boss, w.li, w.wang, w.foreign} { // a single link has no place for it
			if _, err := w.s.Link(w.t.Context(), who, "accessory_id", id); (err == nil) != (who.User != w.foreign.User) {
				w.t.Errorf("%s: one link %v", who.UserName, err)
			}
		}
		note := w.ticketOf(w.li)
		note.Internal = true
		secret, err := w.s.UploadFor(w.t.Context(), w.chen, w.li.Domain, note.Ticket, file("a.txt", "secret"))
		w.ok(err)
		sees(secret, "")
		w.ok(w.claim(w.chen, note, secret))
		sees(secret, "")
		if c, err := w.s.OpenFor(w.t.Context(), w.chen, w.li.Domain, note.Ticket, secret); err != nil {
			w.t.Error(err)
		} else {
			w.ok(c.Close())
		}
		_, err = w.s.OpenFor(w.t.Context(), w.li, w.li.Domain, note.Ticket, secret)
		w.refused(err, "01010002", "")
		_, err = w.s.OpenFor(w.t.Context(), w.chen, w.li.Domain, "another", secret)
		w.refused(err, "01010001", "attachment_id")
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error { attachment.Hide(tx, w.li.Domain, note.Ticket, ""); return nil }))
		sees(id, "") // the ticket was deleted
	})
}

// TestLinks: a link leads to its file for ten minutes, and only as it was made
// (semantics.md D8).
func TestLinks(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{}, func(w *world) {
		id, other := w.upload(w.li, "a.txt", "secret"), w.upload(w.li, "b.txt", "other")
		links, err := w.s.Links(w.t.Context(), w.li, "", "accessory_ids", []string{id, other, id})
		w.ok(err)
		if len(links) != 3 || links[0].ID != id || links[1].ID != other || links[2].ID != id {
			w.t.Fatalf("%+v", links)
		}
		domain, expires, signature := linkParts(w.t, links[0].Path)
		follow := func(domain, id, expires, signature string) error {
			c, err := w.s.Follow(w.t.Context(), domain, id, expires, signature)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(c)
			if string(text) != "secret" {
				w.t.Errorf("%q, %v", text, err)
			}
			return c.Close()
		}
		w.ok(follow(domain, id, expires, signature))
		for i := range signature {
			changed := []byte(signature)
			changed[i] = map[bool]byte{true: 'B', false: 'A'}[changed[i] == 'A']
			w.refused(follow(domain, id, expires, string(changed)), "OSM.0003", "")
		}
		for _, x := range [][4]string{{domain, other, expires, signature}, {w.foreign.Domain, id, expires, signature}, {domain, id, expires + "0", signature},
			{domain, id, "", signature}, {domain, id, expires, ""}, {"", id, expires, signature}, {domain + id[:1], id[1:], expires, signature}} {
			w.refused(follow(x[0], x[1], x[2], x[3]), "OSM.0003", "")
		}
		w.clock.Add(10*time.Minute - 10*time.Millisecond)
		w.ok(follow(domain, id, expires, signature))
		w.clock.Add(20 * time.Millisecond)
		w.refused(follow(domain, id, expires, signature), "OSM.0003", "")
		links, err = w.s.Links(w.t.Context(), w.li, "", "accessory_ids", []string{id})
		w.ok(err)
		domain, expires, signature = linkParts(w.t, links[0].Path)
		w.ok(w.s.Delete(w.t.Context(), w.li, id))
		w.refused(follow(domain, id, expires, signature), "OSM.0003", "")
		_, err = w.s.Links(w.t.Context(), w.li, "", "accessory_ids", []string{id})
		w.refused(err, "01010001", "accessory_ids")
		_, err = w.s.Links(w.t.Context(), w.li, "", "accessory_ids", make([]string, 101))
		w.refused(err, "01010001", "accessory_ids")
	})
}

func TestZip(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{}, func(w *world) {
		ids := []string{w.upload(w.li, "a.txt", "1"), w.upload(w.li, "A.txt", "2"), w.upload(w.li, "日志.log", "3")}
		write, err := w.s.Zip(w.t.Context(), w.li, "", append(ids, ids[0]))
		w.ok(err)
		var b bytes.Buffer
		w.ok(write(&b))
		z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
		w.ok(err)
		got := ""
		for _, f := range z.File {
			r, err := f.Open()
			w.ok(err)
			text, err := io.ReadAll(r)
			w.ok(err)
			got += f.Name + "=" + string(text) + " "
		}
		if got != "a.txt=1 A (2).txt=2 日志.log=3 " {
			w.t.Errorf("%q", got)
		}
		_, err = w.s.Zip(w.t.Context(), w.li, "", make([]string, 11))
		w.refused(err, "01010001", "accessory_id")
		_, err = w.s.Zip(w.t.Context(), w.li, "", append(ids, "unknown"))
		w.refused(err, "01010001", "accessory_id")
	})
	if got := strings.Join(attachment.Distinct("a.txt", "a (2).txt", "A.TXT", "a.txt"), "|"); got != "a.txt|a (2).txt|A (3).TXT|a (4).txt" {
		t.Error(got)
	}
}

// TestClean: unclaimed files go after a day, deleted bytes after an hour,
// orphans after a day; claimed ones stay, and the domain has its space back
// (threats.md E12).
func TestClean(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{DomainMB: 1}, func(w *world) {
		ctx := w.t.Context()
		kept, gone := w.upload(w.li, "a.txt", "kept"), w.upload(w.li, "b.txt", strings.Repeat("x", config.MB-10))
		w.ok(w.claim(w.li, w.ticketOf(w.li), kept))
		w.ok(w.blobs.Put(ctx, strings.Repeat("0f", 16), strings.NewReader("an upload that was killed")))
		want := func(blobs, rows int) {
			w.t.Helper()
			w.ok(w.s.Clean(ctx))
			_, err := w.s.Orphans(ctx)
			w.ok(err)
			if b, r := w.stored(); b != blobs || r != rows {
				w.t.Errorf("%d blobs and %d rows, want %d and %d", b, r, blobs, rows)
			}
		}
		want(3, 2)
		w.clock.Add(24*time.Hour - time.Minute)
		want(3, 2)
		w.clock.Add(2 * time.Minute)
		want(2, 1) // the row is gone, its bytes not yet; the orphan is
		if _, err := w.read(w.li, "", gone); err == nil {
			w.t.Error("an expired file can be read")
		}
		w.clock.Add(59 * time.Minute)
		want(2, 1)
		w.clock.Add(2 * time.Minute)
		want(1, 1)
		if text, err := w.read(w.li, "", kept); text != "kept" || err != nil {
			w.t.Errorf("%q %v", text, err)
		}
		w.upload(w.li, "c.txt", strings.Repeat("x", config.MB-10)) // there is room again
		n, err := w.s.Verify(ctx)
		if n != 2 || err != nil {
			w.t.Errorf("%d %v", n, err)
		}
		w.ok(w.s.Blobs(ctx, func(b attachment.Stored) error { return w.blobs.Delete(ctx, b.Blob) }))
		if _, err := w.s.Verify(ctx); err == nil {
			w.t.Error("rows without bytes are not noticed")
		}
	})
}

// TestForget: the reset of a sandbox leaves no row of its files, gives the space
// back, and their bytes go an hour later; the neighbour's stay.
func TestForget(t *testing.T) {
	t.Parallel()
	each(t, config.Attachment{DomainMB: 1}, func(w *world) {
		ctx := w.t.Context()
		house := principal.AsSystem(principal.House)
		box, err := w.ident.CreateDomain(ctx, house, identity.NewDomain{Name: "box", Sandbox: true})
		w.ok(err)
		u, err := w.ident.CreateUser(ctx, house, identity.NewUser{Domain: box.ID, Name: "tester", Password: "a-Password-1", Main: true})
		w.ok(err)
		tester := principal.Principal{Kind: principal.Customer, Domain: box.ID, User: u.ID, UserName: u.Name, Main: true}
		w.ok(w.claim(tester, w.ticketOf(tester), w.upload(tester, "claimed.txt", "of a ticket")))
		loose := w.upload(tester, "loose.txt", strings.Repeat("x", config.MB-100))
		kept := w.upload(w.li, "kept.txt", "a neighbour's")
		want := func(blobs, rows int) {
			w.t.Helper()
			w.ok(w.s.Clean(ctx))
			if b, r := w.stored(); b != blobs || r != rows {
				w.t.Errorf("%d blobs and %d rows, want %d and %d", b, r, blobs, rows)
			}
		}
		for _, domain := range []string{w.li.Domain, "nobody"} { // no sandboxes
			if _, err := w.ident.Reset(ctx, house, domain, attachment.Forget); err == nil {
				w.t.Errorf("%s was reset", domain)
			}
		}
		want(3, 3)
		_, err = w.ident.Reset(ctx, house, box.ID, attachment.Forget)
		w.ok(err)
		want(3, 1)
		_, err = w.read(tester, "", loose)
		w.refused(err, "01", "accessory_id")
		w.clock.Add(59 * time.Minute)
		want(3, 1)
		w.clock.Add(2 * time.Minute)
		want(1, 1)
		if text, err := w.read(w.li, "", kept); text != "a neighbour's" || err != nil {
			w.t.Errorf("the neighbour reads %q %v", text, err)
		}
		w.upload(tester, "again.txt", strings.Repeat("x", config.MB-100)) // there is room again
	})
}

// FuzzFileName: whatever a file is called, what is kept is one part of a path
// that a header carries and every system can hold (threats.md D3).
func FuzzFileName(f *testing.F) {
	for _, name := range []string{"a.txt", "../../etc/passwd", `..\..\boot.ini`, "a\x00.txt", "a\r\nSet-Cookie: x.txt", "\u202egnp.exe.txt", strings.Repeat("x", 4096), "CON", "con.txt",
		"com1.log", "LPT9", ".htaccess", "...", " . ", "日志 \"q\".txt", "a;b=c.txt", "%2e%2e%2f.txt", "\xff\xfe.txt", "a/", "/", "a.txt. .", "a\u00a0.", "👨‍👩‍👧.png", "'.txt", "a*.txt", "~"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := attachment.CleanName(name)
		if err != nil {
			return
		}
		if !utf8.ValidString(clean) || strings.ContainsAny(clean, "/\\\"<>:|?*") || strings.IndexFunc(clean, unicode.IsControl) >= 0 ||
			strings.Trim(clean, ". ") == "" || utf8.RuneCountInString(clean) > 513 {
			t.Fatalf("%q becomes %q", name, clean)
		}
		if again, err := attachment.CleanName(clean); utf8.RuneCountInString(clean) <= 512 && (err != nil || again != clean) {
			t.Fatalf("%q becomes %q, then %q, %v", name, clean, again, err)
		}
		header := wire.Disposition("attachment", clean)
		kind, params, err := mime.ParseMediaType(header)
		if err != nil || kind != "attachment" || params["filename"] != clean {
			t.Fatalf("%q: the header %q says %q %v", clean, header, params["filename"], err)
		}
	})
}

func linkParts(t *testing.T, link string) (domain, expires, signature string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	return q.Get("domain"), q.Get("expires"), q.Get("signature")
}
