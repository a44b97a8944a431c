package notify

import (
	"context"
	"fmt"
	"html"
	"regexp"
	"strings"

	"casemate/internal/fault"
)

// render is the message's text for its kind of contact and language, as it is
// in force now.
func (s *Service) render(ctx context.Context, m Message) (payload, error) {
	w, err := s.wordsOf(ctx, m.Template, m.Language)
	if err != nil {
		return payload{}, err
	}
	return s.fill(w, m)
}

// fill puts the message's values into the text.
func (s *Service) fill(w words, m Message) (payload, error) {
	args := []fault.Arg{{Name: "product", Value: oneLine(s.o.Config.ProductName())}, {Name: "code", Value: m.Code}}
	for name, v := range m.Values {
		if name != "list" {
			args = append(args, fault.Arg{Name: name, Value: oneLine(v)})
			continue
		}
		var lines []string // the one value of several lines
		for l := range strings.SplitSeq(v, "\n") {
			lines = append(lines, oneLine(l))
		}
		args = append(args, fault.Arg{Name: name, Value: strings.Join(lines, "\n")})
	}
	out := payload{Code: m.Code}
	if m.Way == SMS {
		if w.sms == "" {
			return payload{}, fmt.Errorf("notify: template %s goes by mail only", m.Template)
		}
		out.Text = fault.Fill(w.sms, args)
	} else {
		out.Subject, out.Text, out.HTML = fault.Fill(w.subject, args), fault.Fill(w.text, args), page(w.text, args)
	}
	if left := open.FindString(out.Subject + out.Text); left != "" {
		return payload{}, fmt.Errorf("notify: template %s: nothing for %s", m.Template, left)
	}
	return out, nil
}

var open = regexp.MustCompile(`\{[a-z_]+\}`)

// page is the HTML form of a mail's text. It fetches nothing from anywhere.
func page(text string, args []fault.Arg) string {
	safe := make([]fault.Arg, len(args))
	for i, a := range args {
		safe[i] = fault.Arg{Name: a.Name, Value: html.EscapeString(fmt.Sprint(a.Value))}
	}
	var b strings.Builder
	b.WriteString(`<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif;font-size:15px;line-height:1.6;color:#222">`)
	for p := range strings.SplitSeq(text, "\n\n") {
		style := ""
		if p == "{code}" {
			style = ` style="font-size:28px;font-weight:bold;letter-spacing:4px"`
		}
		b.WriteString("<p" + style + ">" + strings.ReplaceAll(fault.Fill(html.EscapeString(p), safe), "\n", "<br>") + "</p>")
	}
	b.WriteString("</body></html>")
	return b.String()
}
