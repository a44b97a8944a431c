package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/api"
	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/wire"
)

// files is the customer surface over attachments.
type files struct {
	t        *testing.T
	h        map[bool]http.Handler // by errors.business_status = documented
	li, wang principal.Principal
}

func eachFiles(t *testing.T, test func(f *files)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		f := &files{t: t, h: map[bool]http.Handler{}}
		keys := sealtest.Keyring(t)
		ident := identity.New(d, keys, identity.Options{PasswordMemory: 64})
		blobs, err := blob.OpenLocal(filepath.Join(t.TempDir(), "blobs"), time.Now)
		f.ok(err)
		t.Cleanup(func() { _ = blobs.Close() })
		s, err := attachment.New(d, keys, blobs, attachment.Options{Config: config.Attachment{MaxMB: 1, DayMB: -1}, Log: quiet})
		f.ok(err)
		system := principal.AsSystem(principal.House)
		domain, err := ident.CreateDomain(t.Context(), system, identity.NewDomain{Name: "customer"})
		f.ok(err)
		user := func(name string) principal.Principal {
			u, err := ident.CreateUser(t.Context(), system, identity.NewUser{Domain: domain.ID, Name: name, Password: "a long password", Main: name == "boss"})
			f.ok(err)
			return principal.Principal{Kind: principal.Customer, Domain: domain.ID, User: u.ID}
		}
		user("boss")
		f.li, f.wang = user("li"), user("wang")
		for _, documented := range []bool{false, true} {
			f.h[documented], err = api.New(api.Nouns{Attachments: s}, api.Options{Documented: documented, Log: quiet})
			f.ok(err)
		}
		test(f)
	})
}

func (f *files) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// call makes a request as the surface sees it behind the server's chain.
func (f *files) call(who principal.Principal, documented bool, method, path, contentType, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/v2/servicerequest/accessorys"+path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", "verified by the chain")
	r.Header.Set("Content-Type", contentType)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	ctx := principal.With(r.Context(), who)
	ctx = locale.With(ctx, locale.Parse(r.Header.Get("X-Language"), "", ""))
	w := httptest.NewRecorder()
	ctx = wire.WithBase(wire.WithHeader(ctx, w.Header()), "https://desk.example.com")
	f.h[documented].ServeHTTP(w, r.WithContext(ctx))
	return w
}

// part is one part of a form.
type part struct{ name, filename, text string }

func (f *files) form(who principal.Principal, parts ...part) *httptest.ResponseRecorder {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.name + `"`}}
		if p.filename != "" {
			h.Set("Content-Disposition", h.Get("Content-Disposition")+`; filename="`+p.filename+`"`)
			h.Set("Content-Type", "application/octet-stream")
		}
		w, err := m.CreatePart(h)
		f.ok(err)
		_, err = io.WriteString(w, p.text)
		f.ok(err)
	}
	f.ok(m.Close())
	return f.call(who, false, http.MethodPost, "", m.FormDataContentType(), b.String())
}

func (f *files) json(name, text string) *httptest.ResponseRecorder {
	body, err := json.Marshal(map[string]string{"accessory_name": name, "accessory_from": "incident", "accessory_data": base64.StdEncoding.EncodeToString([]byte(text))})
	f.ok(err)
	return f.call(f.li, false, http.MethodPost, "/json-format-content", "application/json", string(body))
}

func (f *files) id(w *httptest.ResponseRecorder) string {
	f.t.Helper()
	var out struct {
		ID string `json:"accessory_id"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || out.ID == "" || len(out.ID) > 32 || w.Code != http.StatusOK {
		f.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return out.ID
}

// refused wants an error answer that names the field.
func (f *files) refused(w *httptest.ResponseRecorder, status int, code, field string) {
	f.t.Helper()
	var out struct {
		Code string `json:"error_code"`
		Text string `json:"error_msg"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != status || out.Code != code || !strings.Contains(out.Text, field) {
		f.t.Errorf("%d %s, want %d %s naming %q", w.Code, w.Body, status, code, field)
	}
}

func TestFormUpload(t *testing.T) {
	t.Parallel()
	eachFiles(t, func(f *files) {
		data := `{"fileName":"报告.txt","accessoryFrom":"message","uploadType":0}`
		for name, parts := range map[string][]part{
			"报告.txt":   {{"form_data", "", data}, {"file", "x.bin", "hello"}},
			"日志.log":   {{"file", "日志.log", "hello"}, {"form_data", "", `{"accessoryFrom":"incident"}`}}, // file first, as the Java SDK sends it
			"more.txt": {{"file", "more.txt", "hello"}, {"form_data", "", `{"unknown":1,"uploadType":1}`}, {"another", "", "x"}},
		} {
			id := f.id(f.form(f.li, parts...))
			w := f.call(f.li, false, http.MethodGet, "/"+id, "application/json", "")
			_, params, err := mime.ParseMediaType(w.Header().Get("Content-Disposition"))
			if w.Code != 200 || w.Body.String() != "hello" || err != nil || params["filename"] != name || w.Header().Get("Content-Length") != "5" {
				f.t.Errorf("%s: %d %q %v", name, w.Code, w.Body, w.Header())
			}
		}
		file := part{"file", "a.txt", "hello"}
		for _, tt := range []struct {
			parts       []part
			code, field string
		}{
			{[]part{file}, "OSM.01010001", "form_data"},
			{[]part{{"form_data", "", data}}, "OSM.01010001", "file"},
			{[]part{file, {"form_data", "", "{"}}, "OSM.01010001", "form_data"},
			{[]part{file, {"form_data", "", "[]"}}, "OSM.01010001", "form_data"},
			{[]part{file, {"form_data", "", `{"fileName":5}`}}, "OSM.01010001", "form_data"},
			{[]part{file, {"form_data", "", `{"fileName":"` + strings.Repeat("x", 509) + `.txt"}`}}, "OSM.01010001", "form_data.fileName"},
			{[]part{file, {"form_data", "", `{"accessoryFrom":"feedback"}`}}, "OSM.01010001", "form_data.accessoryFrom"},
			{[]part{file, {"form_data", "", `{"uploadType":2}`}}, "OSM.01010001", "form_data.uploadType"},
			{[]part{file, {"form_data", "", `{"x":"` + strings.Repeat("x", 5000) + `"}`}}, "OSM.01010001", "form_data"},
			{[]part{{"file", "a.txt", strings.Repeat("x", config.MB+1)}, {"form_data", "", data}}, "OSM.01010001", "file"},
			{[]part{{"file", "a.txt", ""}, {"form_data", "", data}}, "OSM.01010001", "file"},
		} {
			f.refused(f.form(f.li, tt.parts...), 400, tt.code, tt.field)
		}
		if w := f.form(f.li, part{"file", "a.txt", strings.Repeat("x", config.MB)}, part{"form_data", "", data}); w.Code != 200 {
			f.t.Errorf("the largest file: %d %s", w.Code, w.Body)
		}
		// Without its closing boundary a body is not whole.
		cut := "--b\r\nContent-Disposition: form-data; name=\"form_data\"\r\n\r\n{}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello"
		for _, end := range []string{"", "\r\n", "\r\n--b"} {
			f.refused(f.call(f.li, false, http.MethodPost, "", "multipart/form-data; boundary=b", cut+end), 400, "APIGW.0201", "")
		}
		f.id(f.call(f.li, false, http.MethodPost, "", "multipart/form-data; boundary=b", cut+"\r\n--b--\r\n"))
	})
}

func TestJSONUpload(t *testing.T) {
	t.Parallel()
	eachFiles(t, func(f *files) {
		id := f.id(f.json("a.txt", "hello"))
		if w := f.call(f.li, false, http.MethodGet, "/"+id, "application/json", ""); w.Body.String() != "hello" {
			f.t.Errorf("%s", w.Body)
		}
		f.id(f.json("a.txt", strings.Repeat("x", config.MB)))
		f.refused(f.json("a.txt", strings.Repeat("x", config.MB+1)), 400, "OSM.01010001", "accessory_data")
		f.refused(f.json("a.exe", "x"), 400, "OSM.01010001", "accessory_name")
		f.id(f.json(strings.Repeat("x", 508)+".txt", "x"))
		f.refused(f.json(strings.Repeat("x", 509)+".txt", "x"), 400, "OSM.01010001", "accessory_name")
		for body, field := range map[string]string{
			`{"accessory_name":"a.txt","accessory_from":"incident","accessory_data":"aGVsbG8"}`:                    "accessory_data", // cut off
			`{"accessory_name":"a.txt","accessory_from":"incident","accessory_data":"!!!!"}`:                       "accessory_data",
			`{"accessory_name":"a.txt","accessory_from":"elsewhere","accessory_data":"aGVsbG8="}`:                  "accessory_from",
			`{"accessory_name":"a.txt","accessory_from":"incident","upload_type":2,"accessory_data":"aGVsbG8="}`:   "upload_type",
			`{"accessory_name":"a.txt","accessory_from":"incident"}`:                                               "accessory_data",
			`{"accessory_name":"a\\..\\","accessory_from":"incident","upload_type":1,"accessory_data":"aGVsbG8="}`: "accessory_name",
		} {
			f.refused(f.call(f.li, false, http.MethodPost, "/json-format-content", "application/json", body), 400, "OSM.01010001", field)
		}
	})
}

// TestDownloads: one file whole and in parts, several as an archive, links, and
// errors that no client takes for a file, in both modes (contract README,
// section 5).
func TestDownloads(t *testing.T) {
	t.Parallel()
	eachFiles(t, func(f *files) {
		id, other := f.id(f.json("a.txt", "0123456789")), f.id(f.json("b.txt", "other"))
		get := func(path string, headers ...string) *httptest.ResponseRecorder {
			return f.call(f.li, false, http.MethodGet, path, "application/json", "", headers...)
		}
		if w := get("/"+id, "Range", "bytes=2-4"); w.Code != 206 || w.Body.String() != "234" || w.Header().Get("Content-Range") != "bytes 2-4/10" {
			f.t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
		}
		if w := get("/"+id, "Range", "bytes=20-"); w.Code != 416 || w.Header().Get("Content-Range") != "bytes */10" || w.Header().Get("Content-Disposition") != "" ||
			!strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") || !strings.Contains(w.Body.String(), `"error_code":"OSM.01010001"`) || !strings.Contains(w.Body.String(), "Range") {
			f.t.Errorf("%d", w.Code)
		}
		if w := get("/"+id, "If-None-Match", get("/"+id).Header().Get("Etag")); w.Code != 304 {
			f.t.Errorf("%d", w.Code)
		}
		if w := get("/" + id + "," + other); w.Code != 200 || w.Header().Get("Content-Type") != "application/zip" || !strings.HasPrefix(w.Body.String(), "PK") {
			f.t.Errorf("%d %v", w.Code, w.Header())
		}
		many := strings.Repeat(id+",", 9)
		if w := get("/" + many + other); w.Code != 200 {
			f.t.Errorf("ten ids: %d %s", w.Code, w.Body)
		}
		f.refused(get("/"+many+id+","+other), 400, "OSM.01010001", "accessory_id")
		f.refused(get("/"+strings.Repeat("x", 651)), 400, "OSM.01010001", "accessory_id")
		f.refused(get("/"+id+",,"+other), 400, "OSM.01010001", "accessory_id")
		for _, documented := range []bool{false, true} {
			for _, path := range []string{"/unknown", "/" + id, "/" + id + "," + other, "/" + id + "/image", "/unknown/image", "/" + strings.Repeat("x", 651)} {
				w := f.call(f.wang, documented, http.MethodGet, path, "application/json", "", "X-Language", "en-us")
				f.refused(w, 400, "OSM.01010001", "accessory_id")
			}
			status := map[bool]int{false: 400, true: 200}[documented]
			f.refused(f.call(f.wang, documented, http.MethodDelete, "/"+id, "application/json", ""), status, "OSM.01010001", "accessory_id")
			f.refused(f.call(f.wang, documented, http.MethodGet, "/access-urls?accessory_ids="+id, "application/json", ""), status, "OSM.01010001", "accessory_ids")
			f.refused(f.call(f.wang, documented, http.MethodGet, "/"+id+"/access-url?relation_type=DEFAULT", "application/json", ""), status, "OSM.01010001", "accessory_id")
		}
		f.refused(get("/"+id+"/access-url"), 400, "OSM.01010001", "relation_type")
		f.refused(get("/"+id+"/access-url?relation_type=OTHER"), 400, "OSM.01010001", "relation_type")
		f.refused(get("/access-urls"), 400, "OSM.01010001", "accessory_ids")
		if w := get("/" + id + "/access-url?relation_type=INCIDENT"); !strings.HasPrefix(w.Body.String(), `{"accessory_url":"https://desk.example.com/files/`+id+`?`) {
			f.t.Errorf("%s", w.Body)
		}
		if w := get("/access-urls?accessory_ids=" + id + "&accessory_ids=" + other); strings.Count(w.Body.String(), "https://desk.example.com/files/") != 2 || !strings.Contains(w.Body.String(), `"accessory_name":"b.txt"`) {
			f.t.Errorf("%s", w.Body)
		}
		if w := get("/limits"); w.Body.String() != `{"accessory_limit":{"limit_count":"5","limit_size":"1","limit_file_type":"jpg,jpeg,bmp,png,gif,txt,zip,docx,msg,eml,xlsx,pdf,log,ini,mp4,mov"}}` {
			f.t.Errorf("%s", w.Body)
		}
		if w := f.call(f.li, false, http.MethodDelete, "/"+id, "application/json", ""); w.Code != 200 || w.Body.String() != "{}" {
			f.t.Errorf("%d %s", w.Code, w.Body)
		}
		f.refused(get("/"+id), 400, "OSM.01010001", "accessory_id")
	})
}

// TestServeHostileFiles: files that are two things at once are refused, or
// given away so that no browser runs them (threats.md D4).
func TestServeHostileFiles(t *testing.T) {
	t.Parallel()
	script := "<script>alert(1)</script>"
	heads := map[string]string{
		"jpg": "\xff\xd8\xff\xe0\x00\x10JFIF\x00", "png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "gif": "GIF89a/*", "bmp": "BM\x36\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00",
		"pdf": "%PDF-1.7\n", "zip": "PK\x03\x04\x14\x00\x00\x00\x00\x00", "txt": "just text ", "log": "2026-01-15 ", "ini": "[a]\n", "eml": "From: a@example.com\nSubject: x\n\n",
		"mp4": "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
	}
	tails := map[string]string{
		"html": "<!DOCTYPE html><html><body>" + script, "svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "xml": `<?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml">` + script + "</x>",
		"js": "*/=1;alert(1)//", "php": "<?php system($_GET[0]); ?>", "hta": "<HTA:APPLICATION/>" + script,
	}
	eachFiles(t, func(f *files) {
		taken, refused := 0, 0
		try := func(name, text string) {
			w := f.json(name, text)
			if w.Code == 400 {
				refused++
				return
			}
			taken++
			id := f.id(w)
			for _, path := range []string{"/" + id, "/" + id + "/image"} {
				w := f.call(f.li, false, http.MethodGet, path, "application/json", "")
				h := w.Header()
				if strings.HasSuffix(path, "/image") {
					if w.Code == 200 {
						f.t.Errorf("%q is shown inline", name)
					}
					continue
				}
				kind, _, err := mime.ParseMediaType(h.Get("Content-Disposition"))
				media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
				if w.Code != 200 || err != nil || kind != "attachment" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" ||
					strings.Contains(media, "html") || strings.Contains(media, "xml") && !strings.HasPrefix(media, "application/vnd.openxml") || strings.Contains(media, "svg") || strings.Contains(media, "script") {
					f.t.Errorf("%q: %d %v", name, w.Code, h)
				}
			}
		}
		for ext, head := range heads {
			for _, tail := range tails {
				try("a."+ext, head+tail)
				try("a."+ext, tail) // not what the extension says, or only text
			}
		}
		for _, name := range []string{"a.html", "a.svg", "a.xml", "a.js", "a.htm", "a.xhtml", "a.php", "a.exe", "a.txt.html", "a.jpg.svg", "a", "html"} {
			if w := f.json(name, script); w.Code != 400 {
				f.t.Errorf("%s is taken", name)
			}
		}
		if taken < 50 || refused < 30 {
			f.t.Errorf("%d polyglots taken, %d refused: this is no corpus", taken, refused)
		}
		f.t.Logf("REPORT hostile files: %d polyglots given away as attachments, %d refused\n", taken, refused)
		// Names that would break the header, or out of it.
		for i, name := range []string{"a\r\nSet-Cookie: x=1.txt", `a".txt`, "a;filename=b.html.txt", "日志\u202egpj.txt", "%0d%0a.txt"} {
			id := f.id(f.json(name, fmt.Sprint("name ", i)))
			w := f.call(f.li, false, http.MethodGet, "/"+id, "application/json", "")
			if v := w.Header().Get("Content-Disposition"); strings.ContainsAny(v, "\r\n\u202e") || w.Header().Get("Set-Cookie") != "" {
				f.t.Errorf("%q", v)
			}
		}
	})
}
