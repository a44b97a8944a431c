package notify

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html/charset"
)

// Bounce is what a returned mail tells (RFC 3464, and what mail servers write
// instead of it).
type Bounce struct {
	Message   string // id of our message it is about
	Delivered bool   // it arrived, after all
	Delayed   bool   // it is still being tried
	Recipient bool   // the recipient does not exist
	Detail    string // status and diagnosis
}

// bounceReader knows our mails.
type bounceReader struct {
	ours *regexp.Regexp // a Message-ID of ours; group 1 is the message's id
	verp *regexp.Regexp // an envelope sender of ours, likewise; nil = they hold no id
}

// newBounceReader recognises mails with Message-IDs of the host, and envelope
// senders of the pattern (config.SMTP.Bounce).
func newBounceReader(host, pattern string) bounceReader {
	const id = "([0-9a-z]{20,32})"
	b := bounceReader{ours: regexp.MustCompile(`(?i)<?\b` + id + "@" + regexp.QuoteMeta(host) + `\b>?`)}
	if before, after, ok := strings.Cut(pattern, "{id}"); ok {
		b.verp = regexp.MustCompile("(?i)" + regexp.QuoteMeta(before) + id + regexp.QuoteMeta(after))
	}
	return b
}

// Bounds of what is read of a mail.
const (
	maxMailParts = 20
	maxMailDepth = 3
	maxMailPart  = 256 << 10
)

// mailPart is a part that is no multipart, decoded.
type mailPart struct {
	kind string
	text string
}

// read tells what a mail says about one of ours. Not ok: it is no bounce, or
// none of our mails. Of mails that people or their absence assistants write,
// none is a bounce.
func (b bounceReader) read(raw []byte) (Bounce, bool) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Bounce{}, false
	}
	kind, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	parts := leaves(kind, params, m.Header.Get("Content-Transfer-Encoding"), m.Body, 0)
	report := kind == "multipart/report" && !strings.EqualFold(params["report-type"], "disposition-notification")
	if !report && !slices.ContainsFunc(parts, func(p mailPart) bool { return p.kind == "message/delivery-status" }) && !fromServer(m.Header) {
		return Bounce{}, false
	}
	out := Bounce{Message: b.about(m.Header, parts)}
	if out.Message == "" {
		return Bounce{}, false
	}
	if v, ok := readStatus(parts); ok {
		v.Message = out.Message
		return v, v.Detail != ""
	}
	return readProse(out, m.Header, parts)
}

// fromServer tells a mail that a mail server wrote about another mail, from
// those that people's programs write: no return path, and the server's name.
func fromServer(h mail.Header) bool {
	if h.Get("X-Failed-Recipients") != "" { // Exim
		return true
	}
	from := strings.ToLower(h.Get("From"))
	if a, err := mail.ParseAddress(from); err == nil {
		from = a.Address
	}
	local, _, _ := strings.Cut(from, "@")
	return local == "mailer-daemon" || local == "postmaster" || local == "mailerdaemon"
}

// about finds the id of our message: in the address the bounce came to, else in
// the mail it returns, else in what it answers.
func (b bounceReader) about(h mail.Header, parts []mailPart) string {
	if b.verp != nil {
		for _, name := range []string{"To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To"} {
			if m := b.verp.FindStringSubmatch(h.Get(name)); m != nil {
				return strings.ToLower(m[1])
			}
		}
	}
	for _, p := range parts {
		for line := range strings.Lines(p.text) {
			name, value, ok := strings.Cut(line, ":")
			if ok && slices.Contains(idFields, strings.ToLower(strings.Trim(name, " \t>*"))) {
				if m := b.ours.FindStringSubmatch(value); m != nil {
					return strings.ToLower(m[1])
				}
			}
		}
		// A folded header: the id stands on the next line.
		if m := foldedID.FindStringSubmatch(p.text); m != nil {
			if m := b.ours.FindStringSubmatch(m[1]); m != nil {
				return strings.ToLower(m[1])
			}
		}
	}
	for _, name := range []string{"In-Reply-To", "References", "X-Original-Message-Id"} {
		if m := b.ours.FindStringSubmatch(h.Get(name)); m != nil {
			return strings.ToLower(m[1])
		}
	}
	return ""
}

// idFields name our mail in one that is about it; X-Original-Message-ID is
// Google's, in the machine's part.
var idFields = []string{"message-id", "x-original-message-id"}

var foldedID = regexp.MustCompile(`(?im)^message-id:[ \t]*\r?\n[ \t]+(\S+)`)

// leaves are the parts of a mail, opened one within another.
func leaves(kind string, params map[string]string, encoding string, body io.Reader, depth int) (all []mailPart) {
	if strings.HasPrefix(kind, "multipart/") && depth < maxMailDepth && params["boundary"] != "" {
		r := multipart.NewReader(body, params["boundary"])
		for len(all) < maxMailParts {
			p, err := r.NextRawPart()
			if err != nil {
				return all // broken or at its end: what was read counts
			}
			k, ps, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
			all = append(all, leaves(k, ps, p.Header.Get("Content-Transfer-Encoding"), p, depth+1)...)
		}
		return all[:maxMailParts]
	}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxMailPart)) // what came before an error counts
	if name := params["charset"]; name != "" && !strings.EqualFold(name, "utf-8") && strings.HasPrefix(kind, "text/") {
		if r, err := charset.NewReaderLabel(name, bytes.NewReader(text)); err == nil {
			if t, err := io.ReadAll(r); err == nil {
				text = t
			}
		}
	}
	return []mailPart{{kind, string(text)}}
}

// readStatus reads the machine's part of a report. Our mails have one recipient
// each: the first group that tells of one counts. Ok with an empty Detail: it
// says that the mail went on.
func readStatus(parts []mailPart) (Bounce, bool) {
	for _, p := range parts {
		if p.kind != "message/delivery-status" && p.kind != "message/global-delivery-status" {
			continue
		}
		for group := range strings.SplitSeq(strings.ReplaceAll(p.text, "\r\n", "\n"), "\n\n") {
			f := statusFields(group)
			action, _, _ := strings.Cut(strings.ToLower(f["action"]), " ")
			if action == "" {
				continue
			}
			status := enhancedCode.FindString(f["status"])
			diagnosis := f["diagnostic-code"]
			out := Bounce{Detail: strings.TrimSpace(status + " " + diagnosis)}
			if out.Detail == "" {
				out.Detail = action
			}
			switch action {
			case "failed":
				out.Recipient = noMailbox(status, diagnosis)
			case "delayed":
				out.Delayed = true
			case "delivered":
				out.Delivered = true
			default: // relayed, expanded: nobody will tell more
				return Bounce{}, true
			}
			return out, true
		}
	}
	return Bounce{}, false
}

// statusFields reads the fields of one group, folded lines joined.
func statusFields(group string) map[string]string {
	f := map[string]string{}
	last := ""
	for line := range strings.SplitSeq(group, "\n") {
		if last != "" && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			f[last] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if last = ""; ok {
			last = strings.ToLower(strings.TrimSpace(name))
			if _, twice := f[last]; twice {
				last = ""
				continue
			}
			f[last] = strings.TrimSpace(value)
		}
	}
	return f
}

var (
	enhancedCode = regexp.MustCompile(`\b[245]\.\d{1,3}\.\d{1,3}\b`)
	replyCode    = regexp.MustCompile(`\b[45]\d\d\b`)
	// How servers say that nobody lives there.
	unknownUser = regexp.MustCompile(`(?i)user unknown|unknown user|unknown recipient|recipient unknown|no such (user|recipient|mailbox|address|person)|no mailbox here|user (is )?not (found|exist)|mailbox (not found|unavailable|does not exist)|(does ?n.t|does not|not) exist|invalid (recipient|mailbox)|user not found|account (is )?(disabled|inactive)|address rejected|用户不存在|邮箱不存在|收件人不存在|无此用户|地址不存在|帐号不存在|账号不存在`)
	tooFull     = regexp.MustCompile(`(?i)quota|mailbox (is )?full|over ?quota|邮箱已满|空间不足|spam|blocked|blacklist|policy|拒收|垃圾`)
	stillTried  = regexp.MustCompile(`(?i)delayed|will (keep trying|be retried|retry|continue)|do not need to (resend|re-?send)|not been delivered yet|warning only|推迟|延迟|重试`)
	isReturned  = regexp.MustCompile(`(?i)could not be delivered|couldn.t be delivered|was not delivered|wasn.t (able|delivered)|undeliver|failure notice|permanent (fatal )?error|delivery (has )?failed|delivery status notification \(failure\)|returned mail|unable to deliver|退信|被退回|无法(送达|投递|发送)|投递失败`)
)

// noMailbox tells whether a refusal is about the mailbox itself (RFC 3463:
// 5.1.x, 5.2.1); of codes that say nothing, the words decide.
func noMailbox(status, words string) bool {
	if status == "" || strings.HasSuffix(status, ".0.0") {
		if c := enhancedCode.FindString(words); c != "" {
			status = c
		}
	}
	switch {
	case strings.HasPrefix(status, "5.1.") && status != "5.1.7" && status != "5.1.8", status == "5.2.1":
		return true // 5.1.7 and 5.1.8 are about the sender
	case status != "" && !strings.HasSuffix(status, ".0.0"):
		return false
	}
	return unknownUser.MatchString(words) && !tooFull.MatchString(words) && !strings.HasPrefix(replyCode.FindString(words), "4")
}

// readProse reads a bounce that only people can read: qmail's, and those of
// many providers.
func readProse(out Bounce, h mail.Header, parts []mailPart) (Bounce, bool) {
	subject, err := (&mime.WordDecoder{CharsetReader: charset.NewReaderLabel}).DecodeHeader(h.Get("Subject"))
	if err != nil {
		subject = h.Get("Subject")
	}
	text := subject + "\n"
	for _, p := range parts {
		if strings.HasPrefix(p.kind, "text/") || p.kind == "" {
			own := p.text
			for _, below := range []string{"--- Below this line", "------ This is a copy", "----- Original message", "-----Original", "Reporting-MTA:"} {
				own, _, _ = strings.Cut(own, below)
			}
			text += own + "\n"
			break // the first text is the server's; others return our mail
		}
	}
	status := enhancedCode.FindString(text)
	code := replyCode.FindString(text)
	switch {
	case stillTried.MatchString(subject) || stillTried.MatchString(text) && !strings.HasPrefix(status, "5") && !strings.HasPrefix(code, "5"):
		out.Delayed = true
	case isReturned.MatchString(text):
		out.Recipient = noMailbox(status, text)
	default:
		return Bounce{}, false
	}
	out.Detail = strings.TrimSpace(code + " " + status)
	if out.Detail == "" {
		out.Detail = "returned"
	}
	return out, true
}
