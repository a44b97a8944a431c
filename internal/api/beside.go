package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// beside carries what an answer has beside its generated type: fields that the
// contract does not declare (contract README, oddity 21), the content type of a
// download, and what must be closed when the answer is over. The operation
// itself runs in the generated router like any other.
type beside struct {
	csv         bool              // the caller asked for text/csv
	download    bool              // errors keep their status: the SDKs save a 200 as the file
	fields      []json.RawMessage // "name":value
	contentType string
	close       func()
	broken      bool // the body broke off after it began
}

type besideKey struct{}

func besideOf(ctx context.Context) *beside {
	b, _ := ctx.Value(besideKey{}).(*beside)
	if b == nil {
		b = new(beside) // a route that is not wrapped: what it says is lost
	}
	return b
}

// add puts a field beside those of the generated type.
func (b *beside) add(name string, value any) error {
	n, err := json.Marshal(name)
	if err != nil {
		return err
	}
	v, err := json.Marshal(value)
	if err != nil {
		return err
	}
	b.fields = append(b.fields, append(append(n, ':'), v...))
	return nil
}

const casesPath = "/v2/servicerequest/cases/"

// withBeside gives the answers about tickets their further fields and types.
func withBeside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, casesPath) {
			next.ServeHTTP(w, r)
			return
		}
		b := &beside{csv: wantsCSV(r.Header.Values("Accept")), download: r.URL.Path == casesPath+"export"}
		bw := &besideWriter{ResponseWriter: w, b: b}
		defer func() {
			if b.close != nil {
				b.close()
			}
		}()
		next.ServeHTTP(bw, r.WithContext(context.WithValue(r.Context(), besideKey{}, b)))
		if b.broken {
			panic(http.ErrAbortHandler) // a cut file must not look whole
		}
	})
}

// wantsCSV tells whether text/csv is accepted and no spreadsheet is preferred:
// the first of the two types named wins.
func wantsCSV(accept []string) bool {
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		if strings.ReplaceAll(params, " ", "") == "q=0" {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/csv":
			return true
		case xlsxType:
			return false
		}
	}
	return false
}

type besideWriter struct {
	http.ResponseWriter
	b     *beside
	began bool
	plain bool // nothing (more) to put in
}

func (w *besideWriter) WriteHeader(status int) {
	if w.began {
		return // a broken body: its error comes too late for a status
	}
	w.began = true
	w.plain = status != http.StatusOK || len(w.b.fields) == 0
	if status == http.StatusOK && w.b.contentType != "" {
		w.Header().Set("Content-Type", w.b.contentType)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write puts the fields behind the brace that the generated object begins with.
func (w *besideWriter) Write(p []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.b.broken: // what follows would be an error's body in the middle of the file
		return len(p), nil
	case w.plain || len(p) == 0:
		return w.ResponseWriter.Write(p)
	}
	w.plain = true
	if p[0] != '{' || len(p) < 2 {
		return w.ResponseWriter.Write(p)
	}
	out := []byte{'{'}
	for i, f := range w.b.fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, f...)
	}
	if p[1] != '}' {
		out = append(out, ',')
	}
	if _, err := w.ResponseWriter.Write(append(out, p[1:]...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Unwrap lets http.ResponseController reach the connection.
func (w *besideWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// whole is a download's body: an error in the middle breaks the answer off.
type whole struct {
	r io.Reader
	b *beside
}

func (s whole) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.b.broken = true
	}
	return n, err
}
