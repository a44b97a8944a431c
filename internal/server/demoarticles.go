package server

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/identity"
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
	done, err := s.knowledge.Import(ctx, engineer, files, false)
	if err != nil {
		return fmt.Errorf("articles: %w", err)
	}
	for _, d := range done {
		if !slices.Contains(d.Do, "create") {
			continue // it was there before
		}
		a, err := s.knowledge.Article(ctx, engineer, d.Slug)
		if err != nil {
			return err
		}
		if err := s.markDemo(ctx, identity.DemoArticle, fmt.Sprintf("%s@%d", a.ID, a.Revision)); err != nil {
			return err
		}
	}
	return nil
}

// removeArticles takes the demo's articles out. One that somebody has changed, or
// that was of use to a real customer, is the house's own from now on.
func (s *Server) removeArticles(ctx context.Context, who principal.Principal, marks []string) error {
	for _, mark := range marks {
		id, at, _ := strings.Cut(mark, "@")
		revision, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return fmt.Errorf("demo's mark %q: %w", mark, err)
		}
		if _, err := s.knowledge.RemoveUnchanged(ctx, who, id, revision); err != nil {
			return fmt.Errorf("demo's article: %w", err)
		}
		if err := s.ident.UnmarkDemo(ctx, who, identity.DemoMark{Kind: identity.DemoArticle, ID: mark}); err != nil {
			return err
		}
	}
	return nil
}
