package webapi

import (
	"context"

	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/webapi/oas"
)

// articles are what customers read of the house's knowledge.
type articles struct{ knowledge *knowledge.Service }

func languagesOut(all []locale.Language) []oas.ArticleLanguage {
	out := []oas.ArticleLanguage{}
	for _, l := range all {
		out = append(out, oas.ArticleLanguage(l))
	}
	return out
}

// ListArticles finds articles that are published for customers.
func (h articles) ListArticles(ctx context.Context, params oas.ListArticlesParams) (*oas.ArticlePage, error) {
	all, total, next, err := h.knowledge.List(ctx, principal.From(ctx), knowledge.Filter{Text: params.Q.Or(""), Tag: params.Tag.Or(""), Product: params.ProductCategoryID.Or(""), Type: params.ProblemTypeID.Or(""),
		After: params.Cursor.Or(""), Limit: int(params.Limit.Or(0)), Language: locale.From(ctx).Language})
	if err != nil {
		return nil, err
	}
	page := &oas.ArticlePage{Items: []oas.ArticleItem{}, TotalCount: int32(total), NextCursor: text(next)}
	for _, f := range all {
		i := oas.ArticleItem{Slug: f.Slug, Title: f.Title, Summary: text(f.Summary), Language: oas.ArticleLanguage(f.Language), Fallback: f.Fallback, Languages: languagesOut(f.Content.Languages()),
			Tags: append([]string{}, f.Content.Tags...), PublishedAt: at(f.PublishedAt)}
		for _, p := range f.Pieces {
			i.Found = append(i.Found, oas.ArticlePiece{Text: p.Text, Hit: p.Hit})
		}
		page.Items = append(page.Items, i)
	}
	return page, nil
}

// ShowArticle shows one.
func (h articles) ShowArticle(ctx context.Context, params oas.ShowArticleParams) (*oas.Article, error) {
	p, err := h.knowledge.Read(ctx, principal.From(ctx), params.Slug, params.SuggestionID.Or(""), locale.From(ctx).Language)
	if err != nil {
		return nil, err
	}
	out := &oas.Article{Slug: p.Slug, Title: p.Title, Summary: text(p.Summary), Language: oas.ArticleLanguage(p.Language), Fallback: p.Fallback, Languages: languagesOut(p.Languages),
		Tags: append([]string{}, p.Tags...), PublishedAt: at(p.PublishedAt), HTML: p.HTML}
	if p.Voted {
		out.Helpful.SetTo(p.Helpful)
	}
	return out, nil
}

// CreateArticleFeedback says whether it helped.
func (h articles) CreateArticleFeedback(ctx context.Context, req *oas.ArticleFeedbackReq, params oas.CreateArticleFeedbackParams) error {
	return h.knowledge.Vote(ctx, principal.From(ctx), params.Slug, req.Helpful)
}

// SuggestArticles finds articles for what is being written.
func (h articles) SuggestArticles(ctx context.Context, req *oas.ArticleSuggestionReq) (*oas.ArticleSuggestions, error) {
	s, err := h.knowledge.Suggest(ctx, principal.From(ctx), knowledge.Ask{Text: req.Text.Or(""), Product: req.ProductCategoryID.Or(""), Type: req.ProblemTypeID.Or(""),
		Suggestion: req.SuggestionID.Or(""), Language: locale.From(ctx).Language})
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleSuggestions{SuggestionID: s.ID, Items: []oas.ArticleSuggestion{}}
	for _, a := range s.Items {
		out.Items = append(out.Items, oas.ArticleSuggestion{Slug: a.Slug, Title: a.Title, Summary: text(a.Summary), Language: oas.ArticleLanguage(a.Language), Fallback: a.Fallback})
	}
	return out, nil
}
