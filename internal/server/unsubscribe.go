package server

import (
	"errors"
	"html/template"
	"net/http"

	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// The page behind a mail's List-Unsubscribe link. Only POST changes anything:
// mail filters open every link they see (RFC 8058 section 1).
var stopPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><title>{{.Title}}</title></head>
<body style="font-family:sans-serif;max-width:32em;margin:4em auto;padding:0 1em;line-height:1.6"><h1 style="font-size:1.3em">{{.Title}}</h1><p>{{.Text}}</p>
{{if .Ask}}<form method="post"><button style="font-size:1em;padding:.5em 1em">{{.Button}}</button></form>{{end}}</body></html>
`))

var (
	stopTitle  = locale.Texts{ZH: "退订通知", EN: "Unsubscribe"}
	stopButton = locale.Texts{ZH: "退订", EN: "Unsubscribe"}
	stopAsk    = locale.Texts{ZH: "不再通过邮件接收以下通知：", EN: "No more mails of this kind: "}
	stopDone   = locale.Texts{ZH: "已退订。", EN: "Done: these mails have ended."}
	stopWrong  = locale.Texts{ZH: "退订链接无效。", EN: "This link is not valid."}
	stopFailed = locale.Texts{ZH: "服务繁忙，请稍后再试。", EN: "The service is busy, please try again later."}
)

// unsubscribe asks (GET) or ends the mails the link is for (POST, by the page's
// button or a mail program's one click).
func (s *Server) unsubscribe(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	lang := locale.From(r.Context()).Language
	if r.Header.Get("X-Language") == "" {
		if l, ok := locale.ParseLanguage(r.Header.Get("Accept-Language")); ok {
			lang = l
		}
	}
	page := struct {
		Lang, Title, Text, Button string
		Ask                       bool
	}{Lang: string(lang), Title: stopTitle.In(lang), Button: stopButton.In(lang)}
	token := r.URL.Query().Get("token")
	subject, err := s.notify.StopSubject(token)
	if err == nil && r.Method == http.MethodPost {
		err = s.notify.Unsubscribe(r.Context(), principal.From(r.Context()), token)
	}
	status := http.StatusOK
	switch {
	case errors.Is(err, notify.ErrStopLink):
		status, page.Text = http.StatusNotFound, stopWrong.In(lang)
	case err != nil:
		s.o.Log.ErrorContext(r.Context(), "unsubscribing", "error", err)
		status, page.Text = http.StatusServiceUnavailable, stopFailed.In(lang)
	case r.Method == http.MethodPost:
		page.Text = stopDone.In(lang)
	default:
		page.Text, page.Ask = stopAsk.In(lang)+notify.StopName(subject, lang), true
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = stopPage.Execute(w, page) // the reader has gone: nothing to do
	}
}
