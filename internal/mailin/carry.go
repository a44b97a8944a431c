package mailin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// Limits of texts, in characters (the contract's).
const (
	maxDescription = 1200
	maxMessage     = 10000
)

// carryOut makes the ticket or the message. Faults are the tickets' rules:
// whoever wrote may not, or not so.
func (s *Service) carryOut(ctx context.Context, m row, read *mail, v verdict) (verdict, error) {
	ctx, err := s.n.Identity.OnClock(ctx, v.domain)
	if err != nil {
		return v, err
	}
	v.as.Who.RequestID = m.id
	switch {
	case v.as.Who.Kind == principal.Engineer:
		v, err = s.engineer(ctx, m, read, v)
	case v.outcome == OutcomeTicket:
		v, err = s.create(ctx, m, read, v)
	default:
		v, err = s.reply(ctx, m, read, v)
	}
	if err == nil {
		v.state = StateDone
	}
	return v, err
}

// languageOf is the language of what is written for a person.
func (s *Service) languageOf(m row, v verdict) locale.Language {
	if v.as != nil && v.as.User.Language != "" {
		return v.as.User.Language
	}
	box, _ := s.box(m.mailbox)
	l, _ := locale.ParseLanguage(box.Language)
	if l == "" {
		l = locale.ZH
	}
	return l
}

// joined puts lines above each other, empty ones left out.
func joined(lines ...string) string {
	var out []string
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n\n")
}

// shorten fits a text into a limit, with a word that it goes on elsewhere.
func shorten(text string, most int, lang locale.Language) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	more := locale.Texts{ZH: "\n……（全文见后）", EN: "\n... (the whole text follows)"}.In(lang)
	return cut(text, most-utf8.RuneCountInString(more)) + more
}

// create opens a ticket. What does not fit into its description, and files over
// the limit of a new ticket, follow in a message.
func (s *Service) create(ctx context.Context, m row, read *mail, v verdict) (verdict, error) {
	lang := s.languageOf(m, v)
	text := read.Text
	if text == "" {
		text = wordless(lang == locale.ZH, len(read.Files))
	}
	goesOn := ""
	if v.closed != "" {
		goesOn = fmt.Sprintf(locale.Texts{ZH: "[接续工单 %s]", EN: "[goes on from ticket %s]"}.In(lang), v.closed)
	}
	whole := joined(v.prefix, goesOn, read.Subject, text)
	files := read.Files
	if utf8.RuneCountInString(whole) > maxMessage {
		files = append([]file{{Name: "message.txt", Data: []byte(whole)}}, files...)
	}
	limits := s.n.Attachments.Limits()
	ids, rest, lost := s.upload(ctx, v.as.Who, v, attachment.ForTicket, files, limits.Count)
	var more []string
	if len(rest) > 0 {
		var left []file
		var lost2 []refusal
		more, left, lost2 = s.upload(ctx, v.as.Who, v, attachment.ForMessage, rest, limits.Message)
		lost = append(lost, lost2...)
		for _, f := range left {
			lost = append(lost, refusal{f.Name, errTooMany})
		}
	}
	if err := firstBroken(lost); err != nil {
		return v, err
	}
	line := joined(lostLine(lost, lang), clippedLine(read, lang))
	if whole = joined(whole, line); utf8.RuneCountInString(whole) > maxMessage {
		whole = joined(line, whole) // where it is not cut off
	}
	box, _ := s.box(m.mailbox)
	in := ticket.NewTicket{Choice: s.choice(box), Description: shorten(whole, maxDescription, lang), Source: ticket.Source, Attachments: ids,
		Locale: locale.Parse(string(lang), v.as.User.Zone, ""), ZoneName: v.as.User.Zone, Quiet: v.quiet}
	if v.prefix != "" && read.From != "" && !v.quiet && s.n.Catalog.Now().CopyAddresses() > 0 { // whoever wrote shall hear of it
		in.Copies = &[]string{read.From}
	}
	number, err := s.n.Tickets.Create(s.once(ctx, m, "create", v.domain), v.as.Who, in)
	if err != nil {
		return v, err
	}
	t, _, err := s.n.Tickets.Correspondents(ctx, system, number)
	if err != nil {
		return v, err
	}
	v.ticket, v.number = t.ID, number
	if utf8.RuneCountInString(whole) > maxDescription || len(more) > 0 {
		follow := whole
		if utf8.RuneCountInString(whole) <= maxDescription {
			follow = locale.Texts{ZH: "（邮件的其余附件）", EN: "(more files of the mail)"}.In(lang)
		}
		err := s.n.Tickets.ReplyByMail(s.once(ctx, m, "follow", v.domain), v.as.Who, number, shorten(follow, maxMessage, lang), more...)
		if fault.KindOf(err) == fault.Internal || fault.KindOf(err) == fault.Unavailable {
			return v, err
		}
		if err != nil {
			s.o.Log.WarnContext(ctx, "the rest of a mail was not added to its ticket; it is in the original", "mail", m.id, "ticket", number, "error", err)
		}
	}
	if v.closed != "" {
		if err := s.n.Tickets.Relate(s.once(ctx, m, "relate", v.domain), v.as.Who, number, "", []string{v.closed}); err != nil {
			// The old ticket may have its three relations, or be out of the writer's
			// sight: the text names it.
			s.o.Log.InfoContext(ctx, "a new ticket was not related to the one it goes on from", "ticket", number, "error", err)
		}
	}
	return v, nil
}

// choice is what tickets of a mailbox are about.
func (s *Service) choice(box config.Mailbox) catalog.Choice {
	c := catalog.Choice{ProblemType: box.ProblemType, Product: box.Product, Region: box.Region}
	if c.ProblemType == "" {
		for _, p := range s.n.Catalog.Now().ProblemTypes() {
			if p.CaseType == catalog.Consultation {
				c.ProblemType = p.ID
				break
			}
		}
	}
	return c
}

// reply adds a customer's message.
func (s *Service) reply(ctx context.Context, m row, read *mail, v verdict) (verdict, error) {
	lang := s.languageOf(m, v)
	text, _ := trimmed(read.Text)
	text, files, err := s.message(ctx, read, v, text, lang)
	if err != nil {
		return v, err
	}
	return v, s.n.Tickets.ReplyByMail(s.once(ctx, m, "reply", v.domain), v.as.Who, v.number, text, files...)
}

// message is the text and the files of an answer.
func (s *Service) message(ctx context.Context, read *mail, v verdict, text string, lang locale.Language) (string, []string, error) {
	if text == "" {
		text = wordless(lang == locale.ZH, len(read.Files))
	}
	whole := joined(v.prefix, text)
	files := read.Files
	if utf8.RuneCountInString(whole) > maxMessage-1000 {
		files = append([]file{{Name: "message.txt", Data: []byte(whole)}}, files...)
	}
	ids, rest, lost := s.upload(ctx, v.as.Who, v, attachment.ForMessage, files, s.n.Attachments.Limits().Message)
	for _, f := range rest {
		lost = append(lost, refusal{f.Name, errTooMany})
	}
	if err := firstBroken(lost); err != nil {
		return "", nil, err
	}
	line := joined(lostLine(lost, lang), clippedLine(read, lang))
	return joined(shorten(whole, maxMessage-utf8.RuneCountInString(line)-2, lang), line), ids, nil
}

// engineer adds an engineer's reply, or a note when he says so or the ticket has
// ended.
func (s *Service) engineer(ctx context.Context, m row, read *mail, v verdict) (verdict, error) {
	text, _ := trimmed(read.Text)
	if v.internal {
		if first, rest, _ := strings.Cut(text, "\n"); noteMark.MatchString(first) {
			text = strings.TrimSpace(rest)
		}
	}
	text, files, err := s.message(ctx, read, v, text, s.languageOf(m, v))
	if err != nil {
		return v, err
	}
	step := ticket.Step{Number: v.number, Action: ticket.StepReply, Text: text, Attachments: files}
	if v.internal {
		step.Action, v.outcome = ticket.StepNote, OutcomeNote
	}
	if v.internal {
		_, err = s.n.Tickets.Take(s.once(ctx, m, "step", v.domain), v.as.Who, step)
		return v, err
	}
	atOnce := 0 // a mail is not taken back
	_, err = s.n.Queue.Take(s.once(ctx, m, "step", v.domain), v.as.Who, queue.Sending{Step: step, Told: v.told, Within: &atOnce})
	var met *queue.Conflict
	if errors.As(err, &met) && met.Reason == queue.ReasonAnswer {
		return s.unsent(ctx, m, v, text, met)
	}
	return v, err
}

// unsent keeps an answer that was not sent, since a colleague answered before
// without its writer knowing: as a note that all see, and as his draft, with its
// files, which queue.Take has kept. He is told.
func (s *Service) unsent(ctx context.Context, m row, v verdict, text string, met *queue.Conflict) (verdict, error) {
	lang := s.languageOf(m, v)
	head := locale.Texts{ZH: "邮件回复未发送：同事已在其后答复客户。原文：", EN: "reply by mail not sent: a colleague answered meanwhile. It says:"}.In(lang)
	note := ticket.Step{Number: v.number, Action: ticket.StepNote, Text: shorten(joined(head, text), maxMessage, lang)}
	if _, err := s.n.Tickets.Take(s.once(ctx, m, "unsent", v.domain), v.as.Who, note); err != nil {
		return v, err
	}
	v.outcome, v.cause, v.answer = OutcomeNote, CauseAnswered, !v.quiet
	if f, ok := fault.As(met); ok {
		kept := locale.Texts{ZH: "。您的回复已作为内部备注和草稿保留在工单 " + v.number + " 中", EN: ". Your text is kept in ticket " + v.number + ", as a note and as your draft"}
		v.zh, v.en = locale.Text(locale.ZH, f)+kept.ZH, locale.Text(locale.EN, f)+kept.EN
	}
	return v, nil
}

// refusal is a file that was not taken, and why.
type refusal struct {
	name string
	err  error
}

var (
	errTooMany = fault.New(fault.Invalid, fault.CodeInvalid, "附件过多", "too many files")
	errLost    = fault.New(fault.Invalid, fault.CodeInvalid, "文件不在邮件中", "it is not in the mail")
)

// upload takes files in the caller's name, at most so many, under the limits,
// types and scanning of uploads; rest is what would be one too many.
func (s *Service) upload(ctx context.Context, who principal.Principal, v verdict, origin string, files []file, most int) (ids []string, rest []file, lost []refusal) {
	ctx = db.WithoutRequestKey(ctx)
	for i, f := range files {
		if f.Lost {
			lost = append(lost, refusal{f.Name, errLost})
			continue
		}
		if len(ids) == most {
			return ids, files[i:], lost
		}
		u := attachment.Upload{Name: f.Name, Origin: origin, Body: bytes.NewReader(f.Data), Also: s.o.Config.Types, Fields: attachment.Fields{Name: "name", Origin: "origin", Body: "body"}}
		var id string
		var err error
		if who.Kind == principal.Engineer {
			id, err = s.n.Attachments.UploadFor(ctx, who, v.domain, v.ticket, u)
		} else {
			id, err = s.n.Attachments.Upload(ctx, who, u)
		}
		if err != nil {
			lost = append(lost, refusal{f.Name, err})
			continue
		}
		ids = append(ids, id)
	}
	return ids, nil, lost
}

// firstBroken is an error that is no refusal: the whole mail is tried again.
func firstBroken(lost []refusal) error {
	for _, l := range lost {
		if k := fault.KindOf(l.err); k == fault.Internal || k == fault.Unavailable {
			return l.err
		}
	}
	return nil
}

// clippedLine says that the mail has more than was taken from it.
func clippedLine(read *mail, lang locale.Language) string {
	if !read.Clipped {
		return ""
	}
	return locale.Texts{ZH: "[邮件的其余部分仅保留在原件中]", EN: "[more of the mail is in its original only]"}.In(lang)
}

// maxLostNames is how many refused files a text names.
const maxLostNames = 20

// lostLine names the files that were not taken.
func lostLine(lost []refusal, lang locale.Language) string {
	if len(lost) == 0 {
		return ""
	}
	var names []string
	for i, l := range lost {
		if i == maxLostNames {
			names = append(names, "…")
			break
		}
		why := ""
		if f, ok := fault.As(l.err); ok {
			why = ": " + cut(locale.Text(lang, f), 120)
		}
		names = append(names, cut(l.name, 80)+why)
	}
	return fmt.Sprintf(locale.Texts{ZH: "[未收下的附件 %d 个：%s]", EN: "[files that were not taken (%d): %s]"}.In(lang), len(lost), strings.Join(names, "; "))
}
