package mailin

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mail is a mail as it is read.
type mail struct {
	root               *part
	From, Name         string // address in its one spelling, "" = none; what it calls itself
	Sender             string // of the Sender field, likewise
	To                 []string
	Subject, MessageID string
	Refs               []string // what it answers, the nearest first
	Text               string   // all it says
	Files              []file
	Bare               bool // it has no field a mail must have: neither From nor Message-ID nor Subject
	Clipped            bool // a bound was passed
}

// file is an attachment of a mail.
type file struct {
	Name   string
	Data   []byte
	CID    string // id by which the text shows it
	Inline bool
	Lost   bool // it stood in the mail in name only (message/external-body)
}

// maxFiles is how many files of one mail are told apart; all of them stay in
// the original.
const maxFiles = 100

// maxRecipients is how many of its recipients are looked at, twice that at most.
const maxRecipients = 200

// readMail reads a mail. It never fails: what cannot be understood is kept as
// text or file.
func readMail(raw []byte) *mail {
	root, r := readParts(raw)
	h := root.header
	m := &mail{root: root, From: address(h.get("from")), Name: displayName(h.get("from")), Sender: address(h.get("sender")), Subject: headerText(h.get("subject")), Clipped: r.clipped}
	if all := addresses(h.get("from"), 2); len(all) == 2 && m.Sender != "" { // several writers: who sent it
		m.From = m.Sender
	}
	for _, f := range h {
		switch f.name {
		case "to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-forwarded-to", "apparently-to", "resent-to":
			if len(m.To) < maxRecipients {
				m.To = append(m.To, addresses(f.value, maxRecipients)...)
			}
		}
	}
	if ids := messageIDs(h.get("message-id"), 1); len(ids) == 1 {
		m.MessageID = ids[0]
	}
	m.Refs = messageIDs(h.get("in-reply-to"), 10)
	refs := messageIDs(h.get("references"), 200)
	for i := len(refs) - 1; i >= 0 && len(m.Refs) < 60; i-- {
		m.Refs = append(m.Refs, refs[i])
	}
	m.Bare = !h.has("from") && !h.has("message-id") && !h.has("subject")
	a := &assembler{m: m}
	a.walk(root, true)
	m.Text = strings.TrimSpace(strings.Join(a.texts, "\n\n"))
	m.Text = a.pictures(m.Text)
	return m
}

// assembler makes text and files of parts.
type assembler struct {
	m     *mail
	texts []string
	size  int
	names map[string]bool
}

func (a *assembler) say(text string) {
	text = strings.Trim(text, "\n")
	if strings.TrimSpace(text) == "" || a.size >= maxText {
		return
	}
	if a.size += len(text); a.size > maxText {
		text = strings.ToValidUTF8(text[:len(text)-(a.size-maxText)], "")
		a.m.Clipped = true
	}
	a.texts = append(a.texts, text)
}

// walk takes a part in. shown: it is part of what a reader sees as text.
func (a *assembler) walk(p *part, shown bool) {
	if p.whole {
		a.file(p, p.raw, "part.eml")
		return
	}
	switch {
	case p.kind == "multipart/alternative" && len(p.parts) > 0:
		a.alternative(p, shown)
	case p.kind == "multipart/signed" && len(p.parts) > 1:
		a.walk(p.parts[0], shown)
		for _, k := range p.parts[1:] {
			a.file(k, k.decoded(), "")
		}
	case len(p.parts) > 0 || strings.HasPrefix(p.kind, "multipart/"):
		for _, k := range p.parts {
			a.walk(k, shown)
		}
	case shown && isText(p):
		a.say(textOf(p, a.picture))
	case p.kind == "message/rfc822" || p.kind == "message/global" || p.kind == "message/news":
		a.nested(p)
	case p.kind == "message/external-body":
		f := file{Name: fileName(p), Lost: true}
		if f.Name == "" {
			f.Name = "external"
		}
		a.m.Files = append(a.m.Files, f)
	default:
		a.file(p, p.decoded(), "")
	}
}

// isText tells a part that is read, from one that is a file.
func isText(p *part) bool {
	if p.kind != "text/plain" && p.kind != "text/html" && p.kind != "text/enriched" && p.kind != "text/richtext" && p.kind != "text" {
		return false
	}
	disposition, _ := mediaType(p.header.get("content-disposition"))
	return disposition != "attachment" && fileName(p) == ""
}

// alternative takes the best of several forms of one text; forms that are no
// text, such as invitations, are files.
func (a *assembler) alternative(p *part, shown bool) {
	best, rank := -1, 0
	for i, k := range p.parts {
		n := 0
		switch {
		case k.kind == "text/plain" && isText(k) && strings.TrimSpace(string(clip(k.decoded(), 4096))) != "":
			n = 4
		case k.kind == "text/html" && isText(k), strings.HasPrefix(k.kind, "multipart/") && len(k.parts) > 0:
			n = 3
		case isText(k):
			n = 1
		}
		if n > rank {
			best, rank = i, n
		}
	}
	for i, k := range p.parts {
		switch {
		case i == best:
			a.walk(k, shown)
		case isText(k): // another form of the same
		case strings.HasPrefix(k.kind, "multipart/"):
			a.besides(k)
		default:
			a.walk(k, false)
		}
	}
}

// besides takes the files out of a form of the text that is not shown.
func (a *assembler) besides(p *part) {
	for _, k := range p.parts {
		switch {
		case len(k.parts) > 0:
			a.besides(k)
		case !isText(k):
			a.walk(k, false)
		}
	}
}

// textOf is what a text part says.
func textOf(p *part, picture func(cid string) string) string {
	b := clip(p.decoded(), 4*maxText)
	label := p.params["charset"]
	if p.kind == "text/html" {
		return htmlText(decodeAs(htmlCharset(label, b), b), picture)
	}
	text := toText(label, b)
	if p.kind == "text/enriched" || p.kind == "text/richtext" {
		return htmlText(strings.ReplaceAll(text, "<<", "&lt;"), picture)
	}
	if strings.EqualFold(p.params["format"], "flowed") {
		text = unflow(text, strings.EqualFold(p.params["delsp"], "yes"))
	}
	if looksLikeHTML(text) {
		return htmlText(text, picture)
	}
	return text
}

// looksLikeHTML tells HTML that is called plain text.
func looksLikeHTML(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s[:min(len(s), 200)]))
	return strings.HasPrefix(s, "<!doctype html") || strings.HasPrefix(s, "<html")
}

// unflow joins the lines of format=flowed (RFC 3676).
func unflow(text string, delsp bool) string {
	var out []string
	open, depthOpen := false, 0
	for _, line := range strings.Split(text, "\n") {
		depth := 0
		for depth < len(line) && line[depth] == '>' {
			depth++
		}
		body := strings.TrimPrefix(line[depth:], " ")
		flows := strings.HasSuffix(body, " ") && body != "-- "
		if flows && delsp {
			body = body[:len(body)-1]
		}
		if open && depth == depthOpen && body != "-- " {
			out[len(out)-1] += body
		} else {
			if open {
				out[len(out)-1] = strings.TrimRight(out[len(out)-1], " ")
			}
			if depth > 0 {
				body = strings.Repeat(">", depth) + " " + body
			}
			out = append(out, body)
		}
		open, depthOpen = flows, depth
	}
	return strings.Join(out, "\n")
}

// nested keeps a mail within the mail whole.
func (a *assembler) nested(p *part) {
	body := p.decoded()
	name := fileName(p)
	if name == "" {
		h, _ := (&reader{}).readHeader(clip(body, 64<<10))
		name = plainName(cut(headerText(h.get("subject")), 80))
		if name == "" {
			name = "message"
		}
	}
	if !strings.HasSuffix(strings.ToLower(name), ".eml") {
		name += ".eml"
	}
	a.add(p, body, name)
}

// extensions of files whose name the mail does not tell.
var extensions = map[string]string{
	"image/jpeg": "jpg", "image/jpg": "jpg", "image/pjpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/bmp": "bmp", "image/webp": "webp", "image/tiff": "tiff",
	"application/pdf": "pdf", "application/zip": "zip", "application/x-zip-compressed": "zip", "text/calendar": "ics", "text/plain": "txt", "text/html": "html", "text/csv": "csv",
	"application/pkcs7-mime": "p7m", "application/x-pkcs7-mime": "p7m", "application/pkcs7-signature": "p7s", "application/x-pkcs7-signature": "p7s",
	"application/pgp-signature": "asc", "application/pgp-encrypted": "asc", "application/pgp-keys": "asc", "application/ms-tnef": "dat", "application/vnd.ms-tnef": "dat",
	"message/delivery-status": "txt", "message/disposition-notification": "txt", "text/rfc822-headers": "txt", "text/x-amp-html": "html", "application/msword": "doc",
	"application/json": "json", "application/ics": "ics", "text/vcard": "vcf", "text/x-vcard": "vcf",
}

// bases of such names.
var bases = map[string]string{"ics": "invite", "p7m": "smime", "p7s": "smime", "dat": "winmail", "asc": "signature"}

func (a *assembler) file(p *part, data []byte, fallback string) {
	name := fileName(p)
	if name == "" {
		name = fallback
	}
	ext := extensions[p.kind]
	if name == "" {
		base := bases[ext]
		switch {
		case base != "":
		case strings.HasPrefix(p.kind, "image/"):
			base = "image"
		default:
			base = "attachment"
		}
		name = base
	}
	if path.Ext(name) == "" {
		if ext == "" {
			ext = "bin"
		}
		name += "." + ext
	}
	a.add(p, data, name)
}

func (a *assembler) add(p *part, data []byte, name string) {
	if len(a.m.Files) >= maxFiles {
		a.m.Clipped = true
		return
	}
	if a.names == nil {
		a.names = map[string]bool{}
	}
	ext := path.Ext(name)
	unique := name
	for n := 2; a.names[strings.ToLower(unique)]; n++ {
		unique = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
	}
	a.names[strings.ToLower(unique)] = true
	disposition, _ := mediaType(p.header.get("content-disposition"))
	a.m.Files = append(a.m.Files, file{Name: unique, Data: data, CID: strings.Trim(strings.TrimSpace(p.header.get("content-id")), "<>"), Inline: disposition == "inline"})
}

// fileName is what a part's file is called, "" = nothing. Names in encoded
// words, in pieces and in raw bytes are understood.
func fileName(p *part) string {
	_, params := mediaType(p.header.get("content-disposition"))
	name := params["filename"]
	if name == "" {
		name = p.params["name"]
	}
	return plainName(headerText(name))
}

// plainName is a name fit for a file, "" when nothing is left of it.
func plainName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimSpace(name), ". ")
	if strings.Trim(name, "._ ") == "" {
		return ""
	}
	if utf8.RuneCountInString(name) > 150 { // a path of some systems; the extension stays
		ext := path.Ext(name)
		if len(ext) > 20 {
			ext = ""
		}
		name = cut(name, 140) + ext
	}
	return name
}

// picture stands in the text for a picture of the mail until its file has a
// name; pictures puts the names in.
func (a *assembler) picture(cid string) string { return "\ue000" + cid + "\ue001" }

func (a *assembler) pictures(text string) string {
	if strings.Contains(text, "\ue000") {
		for _, f := range a.m.Files {
			if f.CID != "" {
				text = strings.ReplaceAll(text, "\ue000"+f.CID+"\ue001", "["+f.Name+"]")
			}
		}
	}
	if strings.Contains(text, "[cid:") {
		for _, f := range a.m.Files {
			if f.CID != "" {
				text = strings.ReplaceAll(text, "[cid:"+f.CID+"]", "["+f.Name+"]")
			}
		}
	}
	return strings.NewReplacer("\ue000", "[", "\ue001", "]").Replace(text)
}

// wordless is what a mail without any text is given as one.
func wordless(zh bool, files int) string {
	switch {
	case files > 0 && zh:
		return "（邮件没有正文，内容见附件）"
	case files > 0:
		return "(The mail has no text; see the attachments.)"
	case zh:
		return "（邮件没有正文）"
	}
	return "(The mail has no text.)"
}
