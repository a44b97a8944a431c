package server

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// The page behind a survey's link: a form without scripts. Only POST rates: mail
// filters open every link they see.
var surveyPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="{{.Lang}}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><title>{{.Title}}</title></head>
<body style="font-family:sans-serif;max-width:36em;margin:3em auto;padding:0 1em;line-height:1.6"><h1 style="font-size:1.3em">{{.Title}}</h1>{{with .Text}}<p role="status">{{.}}</p>{{end}}
{{if .Dimensions}}<form method="post">{{range .Dimensions}}<fieldset style="margin:1em 0"><legend>{{.Name}}</legend>{{with .Desc}}<p>{{.}}</p>{{end}}{{$id := .ID}}{{range .Points}}<label style="margin-right:1em"><input type="radio" name="d{{$id}}" value="{{.}}"> {{.}}</label>{{end}}</fieldset>{{end}}
<p><label>{{.Comment}}<br><textarea name="comment" maxlength="400" rows="4" style="width:100%"></textarea></label></p><p><button style="font-size:1em;padding:.5em 1em">{{.Button}}</button></p></form>{{end}}</body></html>
`))

var (
	surveyTitle   = locale.Texts{ZH: "评价工单 ", EN: "Rate ticket "}
	surveyComment = locale.Texts{ZH: "意见（可不填，最多 400 字）", EN: "Comment (optional, at most 400 characters)"}
	surveyButton  = locale.Texts{ZH: "提交评价", EN: "Send"}
	surveyThanks  = locale.Texts{ZH: "感谢您的评价。", EN: "Thank you."}
	surveyDone    = locale.Texts{ZH: "该工单已评价过，感谢。", EN: "This ticket was rated already, thank you."}
)

// asked is a dimension of the form.
type asked struct {
	ID         int
	Name, Desc string
	Points     []int
}

// maxSurvey bounds an answer's body.
const maxSurvey = 64 << 10

// survey shows the form (GET) or takes the answer (POST).
func (s *Server) survey(w http.ResponseWriter, r *http.Request) {
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
		Lang, Title, Text, Comment, Button string
		Dimensions                         []asked
	}{Lang: string(lang), Title: surveyTitle.In(lang), Comment: surveyComment.In(lang), Button: surveyButton.In(lang)}
	token := r.URL.Query().Get("token")
	t, err := s.ticket.Survey(r.Context(), token)
	page.Title += t.Number
	if err == nil && r.Method == http.MethodPost {
		err = s.answer(w, r, token)
	}
	status := http.StatusOK
	f, known := fault.As(err)
	switch {
	case errors.Is(err, ticket.ErrScored):
		page.Text = surveyDone.In(lang)
	case errors.Is(err, ticket.ErrSurveyLink):
		status, page.Text = http.StatusNotFound, locale.Text(lang, f)
	case known && f.Kind == fault.Invalid: // the form is shown again
		status, page.Text, page.Dimensions = http.StatusBadRequest, locale.Text(lang, f), s.dimensions(lang)
	case err != nil:
		s.o.Log.ErrorContext(r.Context(), "survey", "error", err)
		status, page.Text = http.StatusServiceUnavailable, stopFailed.In(lang)
	case r.Method == http.MethodPost:
		page.Text = surveyThanks.In(lang)
	default:
		page.Dimensions = s.dimensions(lang)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = surveyPage.Execute(w, page) // the reader has gone: nothing to do
	}
}

// dimensions are those of the catalogue in force, as long as it asks for few
// points each.
func (s *Server) dimensions(lang locale.Language) (all []asked) {
	for _, d := range s.catalog.Now().Dimensions() {
		a := asked{ID: d.ID, Name: d.Name.In(lang), Desc: d.Desc.In(lang)}
		for n := max(d.PerValue, 1); n <= d.Value; n += max(d.PerValue, 1) {
			a.Points = append(a.Points, n)
		}
		all = append(all, a)
	}
	return all
}

// answer rates by the form's fields.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, token string) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxSurvey)
	if err := r.ParseForm(); err != nil {
		return fault.BadFormat.In("form").With("form", "application/x-www-form-urlencoded")
	}
	var scores []ticket.Score
	for _, d := range s.catalog.Now().Dimensions() {
		text := r.PostForm.Get("d" + strconv.Itoa(d.ID))
		if text == "" {
			continue
		}
		points, err := strconv.Atoi(text)
		if err != nil {
			return fault.Unknown.In("d" + strconv.Itoa(d.ID))
		}
		scores = append(scores, ticket.Score{Dimension: d.ID, Points: points})
	}
	return s.ticket.AnswerSurvey(r.Context(), principal.From(r.Context()), token, r.PostForm.Get("comment"), scores)
}
