package desk

import (
	"context"
	"maps"
	"strconv"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/markdown"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/search"
)

// articles are the house's knowledge.
type articles struct {
	knowledge *knowledge.Service
	queue     *queue.Service
	identity  *identity.Service
	now       func() time.Time
}

func languagesOut(all []locale.Language) []oas.Language {
	out := []oas.Language{}
	for _, l := range all {
		out = append(out, oas.Language(l))
	}
	return out
}

func maybeNumber(n int64) oas.OptInt64 {
	if n == 0 {
		return oas.OptInt64{}
	}
	return oas.NewOptInt64(n)
}

func piecesOut(all []search.Piece) (out []oas.SearchPiece) {
	for _, p := range all {
		out = append(out, oas.SearchPiece{Text: p.Text, Hit: p.Hit})
	}
	return out
}

// item is an article in a list, by the names of the people.
func (h articles) item(ctx context.Context, a knowledge.Article, names map[string]string) oas.ArticleItem {
	lang := locale.From(ctx).Language
	w, is, fallback := a.Content.In(lang)
	return oas.ArticleItem{ID: a.ID, Slug: a.Slug, State: oas.ArticleState(a.State), StateName: knowledge.StateName(a.State, lang), Visibility: oas.ArticleVisibility(a.Content.Visibility),
		Revision: a.Revision, Version: a.Version, PublishedVersion: maybeNumber(a.Published), Audience: text(a.Audience), Pending: a.Pending(),
		Title: w.Title, Summary: text(w.Summary), Language: oas.Language(is), Fallback: fallback, Languages: languagesOut(a.Content.Languages()),
		Tags: append([]string{}, a.Content.Tags...), Products: append([]string{}, a.Content.Products...), ProblemTypes: append([]string{}, a.Content.Types...),
		CreatedAt: at(a.Created), ChangedAt: at(a.Changed), PublishedAt: maybeAt(a.PublishedAt), ChangedBy: text(names[a.Actor]),
		Helpful: a.Helpful, NotHelpful: a.NotHelpful, UsedIn: a.UsedIn}
}

func articleTextOut(w knowledge.Words) oas.OptArticleText {
	if w.Title == "" {
		return oas.OptArticleText{}
	}
	return oas.NewOptArticleText(oas.ArticleText{Title: w.Title, Summary: text(w.Summary), Body: w.Body, HTML: markdown.HTML(w.Body)})
}

func (h articles) whole(ctx context.Context, a knowledge.Article, err error) (*oas.Article, error) {
	if err != nil {
		return nil, err
	}
	names, err := h.identity.Names(ctx, principal.House, []string{a.Actor})
	if err != nil {
		return nil, err
	}
	i := h.item(ctx, a, names)
	return &oas.Article{ID: i.ID, Slug: i.Slug, State: i.State, StateName: i.StateName, Visibility: i.Visibility, Revision: i.Revision, Version: i.Version, PublishedVersion: i.PublishedVersion,
		Audience: i.Audience, Pending: i.Pending, Title: i.Title, Summary: i.Summary, Language: i.Language, Fallback: i.Fallback, Languages: i.Languages, Tags: i.Tags, Products: i.Products,
		ProblemTypes: i.ProblemTypes, CreatedAt: i.CreatedAt, ChangedAt: i.ChangedAt, PublishedAt: i.PublishedAt, ChangedBy: i.ChangedBy, Helpful: i.Helpful, NotHelpful: i.NotHelpful, UsedIn: i.UsedIn,
		Zh: articleTextOut(a.Content.ZH), En: articleTextOut(a.Content.EN), Link: h.knowledge.Link(a.Slug)}, nil
}

func articleWordsIn(w oas.OptArticleWords) knowledge.Words {
	v := w.Or(oas.ArticleWords{})
	return knowledge.Words{Title: v.Title.Or(""), Summary: v.Summary.Or(""), Body: v.Body.Or("")}
}

// ListArticles finds articles.
func (h articles) ListArticles(ctx context.Context, params oas.ListArticlesParams) (*oas.ArticlePage, error) {
	all, total, next, err := h.knowledge.List(ctx, principal.From(ctx), knowledge.Filter{Text: params.Q.Or(""), State: string(params.State.Or("")), Visibility: string(params.Visibility.Or("")), Tag: params.Tag.Or(""),
		Product: params.Product.Or(""), Type: params.ProblemType.Or(""), Lacks: locale.Language(params.Lacks.Or("")), Pending: params.Pending.Or(false), ChangedBefore: millis(params.ChangedBefore), After: params.Cursor.Or(""), Limit: int(params.Limit.Or(0)), Language: locale.From(ctx).Language})
	if err != nil {
		return nil, err
	}
	var actors []string
	for _, f := range all {
		actors = append(actors, f.Actor)
	}
	names, err := h.identity.Names(ctx, principal.House, actors)
	if err != nil {
		return nil, err
	}
	page := &oas.ArticlePage{Items: []oas.ArticleItem{}, TotalCount: int32(total), NextCursor: text(next)}
	for _, f := range all {
		i := h.item(ctx, f.Article, names)
		i.Title, i.Summary, i.Language, i.Fallback, i.Found = f.Title, text(f.Summary), oas.Language(f.Language), f.Fallback, piecesOut(f.Pieces)
		page.Items = append(page.Items, i)
	}
	return page, nil
}

// CreateArticle makes a draft.
func (h articles) CreateArticle(ctx context.Context, req *oas.NewArticleReq) (*oas.Article, error) {
	c := knowledge.Content{Visibility: string(req.Visibility), ZH: articleWordsIn(req.Zh), EN: articleWordsIn(req.En), Tags: req.Tags, Products: req.Products, Types: req.ProblemTypes}
	a, err := h.knowledge.Create(ctx, principal.From(ctx), req.Slug, c, req.Note.Or(""))
	return h.whole(ctx, a, err)
}

// ShowArticle shows one.
func (h articles) ShowArticle(ctx context.Context, params oas.ShowArticleParams) (*oas.Article, error) {
	a, err := h.knowledge.Article(ctx, principal.From(ctx), params.Article)
	return h.whole(ctx, a, err)
}

// ChangeArticle makes a new version.
func (h articles) ChangeArticle(ctx context.Context, req *oas.ChangeArticleReq, params oas.ChangeArticleParams) (*oas.Article, error) {
	c := knowledge.Content{Visibility: string(req.Visibility), ZH: articleWordsIn(req.Zh), EN: articleWordsIn(req.En), Tags: req.Tags, Products: req.Products, Types: req.ProblemTypes}
	a, err := h.knowledge.Change(ctx, principal.From(ctx), params.Article, c, req.Note.Or(""), req.Revision.Or(0))
	return h.whole(ctx, a, err)
}

// CreateArticleStep publishes, archives or restores.
func (h articles) CreateArticleStep(ctx context.Context, req *oas.ArticleStepReq, params oas.CreateArticleStepParams) (*oas.Article, error) {
	who, seen := principal.From(ctx), req.Revision.Or(0)
	var a knowledge.Article
	var err error
	switch {
	case req.Do != oas.ArticleStepReqDoRestore:
		a, err = h.knowledge.Step(ctx, who, params.Article, string(req.Do), seen)
	case !req.Version.Set:
		return nil, fault.Missing.In("version")
	default:
		a, err = h.knowledge.Restore(ctx, who, params.Article, req.Version.Value, seen)
	}
	return h.whole(ctx, a, err)
}

func (h articles) version(ctx context.Context, v knowledge.Version, names map[string]string) oas.ArticleVersionItem {
	w, _, _ := v.Content.In(locale.From(ctx).Language)
	return oas.ArticleVersionItem{Version: v.Number, Visibility: oas.ArticleVisibility(v.Content.Visibility), Note: text(v.Note), CreatedAt: at(v.At), CreatedBy: text(names[v.Actor]),
		PublishedAt: maybeAt(v.PublishedAt), Title: w.Title, Languages: languagesOut(v.Content.Languages())}
}

// ListArticleVersions lists versions, the newest first.
func (h articles) ListArticleVersions(ctx context.Context, params oas.ListArticleVersionsParams) (*oas.ArticleVersionPage, error) {
	before := int64(0)
	if c, ok := params.Cursor.Get(); ok {
		var err error
		if before, err = strconv.ParseInt(c, 10, 64); err != nil || before < 1 {
			return nil, fault.Unknown.In("cursor")
		}
	}
	_, all, next, err := h.knowledge.Versions(ctx, principal.From(ctx), params.Article, before, int(params.Limit.Or(50)))
	if err != nil {
		return nil, err
	}
	var actors []string
	for _, v := range all {
		actors = append(actors, v.Actor)
	}
	names, err := h.identity.Names(ctx, principal.House, actors)
	if err != nil {
		return nil, err
	}
	page := &oas.ArticleVersionPage{Items: []oas.ArticleVersionItem{}}
	for _, v := range all {
		page.Items = append(page.Items, h.version(ctx, v, names))
	}
	if next > 0 {
		page.NextCursor.SetTo(strconv.FormatInt(next, 10))
	}
	return page, nil
}

// ShowArticleVersion shows one in full.
func (h articles) ShowArticleVersion(ctx context.Context, params oas.ShowArticleVersionParams) (*oas.ArticleVersion, error) {
	_, v, err := h.knowledge.Version(ctx, principal.From(ctx), params.Article, params.Version)
	if err != nil {
		return nil, err
	}
	names, err := h.identity.Names(ctx, principal.House, []string{v.Actor})
	if err != nil {
		return nil, err
	}
	i := h.version(ctx, v, names)
	return &oas.ArticleVersion{Version: i.Version, Visibility: i.Visibility, Note: i.Note, CreatedAt: i.CreatedAt, CreatedBy: i.CreatedBy, PublishedAt: i.PublishedAt, Title: i.Title, Languages: i.Languages,
		Tags: append([]string{}, v.Content.Tags...), Products: append([]string{}, v.Content.Products...), ProblemTypes: append([]string{}, v.Content.Types...), Zh: articleTextOut(v.Content.ZH), En: articleTextOut(v.Content.EN)}, nil
}

// CompareArticleVersions tells what differs.
func (h articles) CompareArticleVersions(ctx context.Context, params oas.CompareArticleVersionsParams) (*oas.ArticleDifferences, error) {
	all, err := h.knowledge.Differences(ctx, principal.From(ctx), params.Article, params.From, params.To)
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleDifferences{Items: []oas.ArticleDifference{}}
	for _, d := range all {
		o := oas.ArticleDifference{Part: d.Part, From: d.From, To: d.To}
		for _, l := range d.Lines {
			o.Lines = append(o.Lines, oas.ArticleLine{Sign: oas.ArticleLineSign(l.Sign), Text: l.Text})
		}
		out.Items = append(out.Items, o)
	}
	return out, nil
}

// ListArticleTickets lists where it was of use.
func (h articles) ListArticleTickets(ctx context.Context, params oas.ListArticleTicketsParams) (*oas.ArticleTicketList, error) {
	all, err := h.queue.ArticleTickets(ctx, principal.From(ctx), params.Article)
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleTicketList{Items: []oas.ArticleTicket{}}
	for _, t := range all {
		out.Items = append(out.Items, oas.ArticleTicket{Number: t.Number, Status: oas.TicketStatus(t.Status), StatusName: t.Status.Name(locale.From(ctx).Language)})
	}
	return out, nil
}

// CreateArticleFeedback says whether it helped.
func (h articles) CreateArticleFeedback(ctx context.Context, req *oas.ArticleFeedbackReq, params oas.CreateArticleFeedbackParams) error {
	return h.knowledge.Vote(ctx, principal.From(ctx), params.Article, req.Helpful)
}

// PreviewArticle shows a text as readers would see it.
func (h articles) PreviewArticle(_ context.Context, req *oas.ArticlePreviewReq) (*oas.ArticlePreview, error) {
	return &oas.ArticlePreview{HTML: markdown.HTML(req.Text)}, nil
}

// SuggestArticles finds articles for a ticket or a text.
func (h articles) SuggestArticles(ctx context.Context, req *oas.ArticleSuggestionReq) (*oas.ArticleSuggestions, error) {
	who, lang := principal.From(ctx), locale.From(ctx).Language
	var all []knowledge.Suggested
	var err error
	if n, ok := req.Number.Get(); ok {
		all, err = h.queue.SuggestArticles(ctx, who, n, lang)
	} else {
		all, err = h.knowledge.SuggestFor(ctx, who, knowledge.Ask{Text: req.Text.Or(""), Product: req.ProductCategoryID.Or(""), Type: req.ProblemTypeID.Or(""), Language: lang})
	}
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleSuggestions{Items: []oas.ArticleSuggestion{}}
	for _, s := range all {
		out.Items = append(out.Items, oas.ArticleSuggestion{ID: s.ID, Slug: s.Slug, Title: s.Title, Summary: text(s.Summary), Language: oas.Language(s.Language), Fallback: s.Fallback, Score: int32(s.Score)})
	}
	return out, nil
}

// figuresSpan is what figures are about when nothing is said.
const figuresSpan = 30 * 24 * time.Hour

// ShowArticleFigures tells what suggestions brought.
func (h articles) ShowArticleFigures(ctx context.Context, params oas.ShowArticleFiguresParams) (*oas.ArticleFigures, error) {
	until := instant(params.To)
	if until == 0 {
		until = h.now().UnixMilli()
	}
	from := instant(params.From)
	if from == 0 {
		from = until - figuresSpan.Milliseconds()
	}
	f, err := h.knowledge.Figures(ctx, principal.From(ctx), from, until)
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleFigures{From: at(from), To: at(until), Suggestions: f.Suggestions, Shown: f.Shown, Opened: f.Opened, OpenedThenTicket: f.OpenedTicket, Deflected: f.Deflected,
		UnopenedThenTicket: f.ShownTicket, Helpful: f.Helpful, NotHelpful: f.NotHelpful, FollowedWithinMs: f.FollowedWithin, MostOpened: []oas.ArticleOpened{}}
	for _, o := range f.MostOpened {
		w, _, _ := o.Title.In(locale.From(ctx).Language)
		out.MostOpened = append(out.MostOpened, oas.ArticleOpened{Slug: o.Slug, Title: w.Title, Opened: o.Opened, ThenTicket: o.Ticket})
	}
	return out, nil
}

// ExportArticles gives all as files.
func (h articles) ExportArticles(ctx context.Context) (*oas.ArticleFiles, error) {
	files, err := h.knowledge.Export(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleFiles{Files: oas.ArticleFileMap{}}
	maps.Copy(out.Files, files)
	return out, nil
}

// ImportArticles brings them to what files say.
func (h articles) ImportArticles(ctx context.Context, req *oas.ArticleFilesReq) (*oas.ArticleImport, error) {
	done, err := h.knowledge.Import(ctx, principal.From(ctx), req.Files, req.DryRun.Or(false))
	if err != nil {
		return nil, err
	}
	out := &oas.ArticleImport{Items: []oas.ArticleImported{}, DryRun: req.DryRun.Or(false)}
	for _, d := range done {
		if len(d.Do) == 0 {
			out.Unchanged++
			continue
		}
		out.Items = append(out.Items, oas.ArticleImported{Slug: d.Slug, Do: d.Do, Parts: append([]string{}, d.Parts...)})
	}
	return out, nil
}

func (h articles) uses(ctx context.Context, all ...knowledge.Use) ([]oas.TicketArticle, error) {
	var actors []string
	for _, u := range all {
		actors = append(actors, u.Actor, u.Article.Actor)
	}
	names, err := h.identity.Names(ctx, principal.House, actors)
	if err != nil {
		return nil, err
	}
	out := []oas.TicketArticle{}
	for _, u := range all {
		out = append(out, oas.TicketArticle{Article: h.item(ctx, u.Article, names), Version: u.Version, At: at(u.At), By: text(names[u.Actor])})
	}
	return out, nil
}

// ListTicketArticles lists what was of use in a ticket.
func (h articles) ListTicketArticles(ctx context.Context, params oas.ListTicketArticlesParams) (*oas.TicketArticleList, error) {
	all, err := h.queue.ArticlesOf(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	items, err := h.uses(ctx, all...)
	return &oas.TicketArticleList{Items: items}, err
}

// LinkTicketArticle notes that an article was of use.
func (h articles) LinkTicketArticle(ctx context.Context, params oas.LinkTicketArticleParams) (*oas.TicketArticle, error) {
	u, err := h.queue.UseArticle(ctx, principal.From(ctx), params.Number, params.Article)
	if err != nil {
		return nil, err
	}
	items, err := h.uses(ctx, u)
	if err != nil {
		return nil, err
	}
	return &items[0], nil
}

// UnlinkTicketArticle takes the note back.
func (h articles) UnlinkTicketArticle(ctx context.Context, params oas.UnlinkTicketArticleParams) error {
	return h.queue.UnuseArticle(ctx, principal.From(ctx), params.Number, params.Article)
}
