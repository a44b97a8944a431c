package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

func snippetOut(p queue.Snippet) *oas.Snippet {
	return &oas.Snippet{ID: p.ID, Kind: oas.SnippetKind(p.Kind), Shared: p.Owner == "", Shortcut: text(p.Shortcut), Folder: text(p.Folder), Title: bilingual(p.Title), Text: bilingual(p.Text),
		Version: p.Version, CreatedAt: at(p.Created), ChangedAt: at(p.Changed)}
}

func snippetIn(req *oas.SnippetReq) queue.NewSnippet {
	return queue.NewSnippet{Kind: string(req.Kind), Shared: req.Shared.Or(false), Shortcut: req.Shortcut.Or(""), Folder: req.Folder.Or(""), Title: textsIn(req.Title), Text: textsIn(req.Text)}
}

// ListSnippets lists texts to write with.
func (h automation) ListSnippets(ctx context.Context, params oas.ListSnippetsParams) (*oas.SnippetList, error) {
	all, err := h.queue.Snippets(ctx, principal.From(ctx), queue.SnippetFilter{Text: params.Q.Or(""), Kind: string(params.Kind.Or("")), Folder: params.Folder.Or("")})
	if err != nil {
		return nil, err
	}
	list := &oas.SnippetList{Items: []oas.Snippet{}}
	for _, p := range all {
		list.Items = append(list.Items, *snippetOut(p))
	}
	return list, nil
}

// CreateSnippet makes one.
func (h automation) CreateSnippet(ctx context.Context, req *oas.SnippetReq) (*oas.Snippet, error) {
	p, err := h.queue.CreateSnippet(ctx, principal.From(ctx), snippetIn(req))
	if err != nil {
		return nil, err
	}
	return snippetOut(p), nil
}

// ShowSnippet shows one.
func (h automation) ShowSnippet(ctx context.Context, params oas.ShowSnippetParams) (*oas.Snippet, error) {
	p, err := h.queue.Snippet(ctx, principal.From(ctx), params.SnippetID)
	if err != nil {
		return nil, err
	}
	return snippetOut(p), nil
}

// ChangeSnippet replaces one.
func (h automation) ChangeSnippet(ctx context.Context, req *oas.SnippetReq, params oas.ChangeSnippetParams) (*oas.Snippet, error) {
	p, err := h.queue.ChangeSnippet(ctx, principal.From(ctx), params.SnippetID, snippetIn(req), req.Version.Or(0))
	if err != nil {
		return nil, err
	}
	return snippetOut(p), nil
}

// DeleteSnippet removes one.
func (h automation) DeleteSnippet(ctx context.Context, params oas.DeleteSnippetParams) error {
	return h.queue.DeleteSnippet(ctx, principal.From(ctx), params.SnippetID, params.Version.Or(0))
}

// RenderSnippet fills one in for a ticket.
func (h automation) RenderSnippet(ctx context.Context, params oas.RenderSnippetParams) (*oas.RenderedSnippet, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	r, err := h.queue.RenderSnippet(ctx, who, params.SnippetID, params.Number)
	if err != nil {
		return nil, err
	}
	return &oas.RenderedSnippet{Text: r.Text, Language: string(r.Language), Missing: append([]string{}, r.Missing...)}, nil
}
