package server

import (
	"context"
	"embed"
	"fmt"

	"casemate/internal/principal"
)

//go:embed demoarticles/*.md
var demoArticles embed.FS

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
