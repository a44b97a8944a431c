package knowledge_test

import (
	"os"
	"path/filepath"
	"testing"

	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

type world struct {
	*tickettest.World
	t *testing.T
	k *knowledge.Service
}

func each(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Parallel()
	tickettest.Each(t, ticket.Options{}, func(inner *tickettest.World) {
		test(&world{World: inner, t: inner.T.(*testing.T), k: knowledge.New(inner.DB, inner.Catalog, inner.Ident, knowledge.Options{URL: "https://desk.example"})})
	})
}

// demo are the demo world's articles, as files.
func demo(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	names, err := filepath.Glob("../server/demoarticles/*.md")
	if err != nil || len(names) < 20 {
		t.Fatal(err, len(names))
	}
	for _, n := range names {
		text, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(n)] = string(text)
	}
	return files
}

func both(title, body string) knowledge.Content {
	return knowledge.Content{Visibility: knowledge.Customers, ZH: knowledge.Words{Title: title + "题", Body: body + "文"}, EN: knowledge.Words{Title: title, Body: body}}
}

var zh, en = locale.ZH, locale.EN
