package server

import (
	"context"
	"embed"
	"fmt"

	"casemate/internal/principal"
)

//go:embed demoarticles/*.md
var demoArticles embed.FS

// templateArticle judges the text of a template of the catalogue, which is read
// before the knowledge base is there: what the catalogue ships with refers to
// nothing.
func (s *Server) templateArticle(ctx context.Context, text string) error {
	if s.knowledge == nil {
		return nil
	}
	return s.knowledge.CheckText(ctx, "", text)
}

// fillArticles gives the demo world its knowledge base, as an engineer would
// import it from files.
func (s *Server) fillArticles(ctx context.Context, engineer principal.Principal) error {
	names, err := demoArticles.ReadDir("demoarticles")
	if err != nil { // embedded
		return err
	}
	files := map[string]string{}
	for _, n := range names {
		text, err := demoArticles.ReadFile("demoarticles/" + n.Name())
		if err != nil {
			return err
		}
		files[n.Name()] = string(text)
	}
	if _, err := s.knowledge.Import(ctx, engineer, files, false); err != nil {
		return fmt.Errorf("articles: %w", err)
	}
	return nil
}
