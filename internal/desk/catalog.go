package desk

import (
	"context"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

type catalogue struct{ catalog *catalog.Service }

// ExportCatalog is the catalogue as files.
func (h catalogue) ExportCatalog(ctx context.Context) (*oas.CatalogFiles, error) {
	files, err := h.catalog.Export(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.CatalogFiles{Version: h.catalog.Now().Version, Files: oas.CatalogFileMap{}}
	for name, text := range files {
		out.Files[name] = string(text)
	}
	return out, nil
}

func bytesOf(in oas.CatalogFileMap) map[string][]byte {
	out := map[string][]byte{}
	for name, text := range in {
		out[name] = []byte(text)
	}
	return out
}

func difference(ctx context.Context, d catalog.Diff) *oas.CatalogDiff {
	lang := locale.From(ctx).Language
	out := &oas.CatalogDiff{Version: d.Version, Layout: d.Layout, Changes: []oas.CatalogChange{}}
	for _, c := range d.Changes {
		var fields []string
		for _, f := range c.Fields {
			fields = append(fields, f.Line(quoted))
		}
		out.Changes = append(out.Changes, oas.CatalogChange{Action: oas.CatalogChangeAction(c.What), Kind: string(c.Kind), ID: c.ID, Name: text(c.Name.In(lang)), Detail: text(strings.Join(fields, "; "))})
	}
	return out
}

func quoted(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:59]) + "…"
	}
	return `"` + s + `"`
}

// PlanCatalog tells what files would change.
func (h catalogue) PlanCatalog(ctx context.Context, req *oas.PlanCatalogReq) (*oas.CatalogDiff, error) {
	d, err := h.catalog.Plan(ctx, principal.From(ctx), bytesOf(req.Files))
	if err != nil {
		return nil, err
	}
	return difference(ctx, d), nil
}

// ApplyCatalog puts files in force.
func (h catalogue) ApplyCatalog(ctx context.Context, req *oas.ApplyCatalogReq) (*oas.CatalogDiff, error) {
	expected := req.Version.Or(0)
	if expected == 0 {
		expected = catalog.AnyVersion
	}
	d, err := h.catalog.Apply(ctx, principal.From(ctx), bytesOf(req.Files), expected)
	if err != nil {
		return nil, err
	}
	return difference(ctx, d), nil
}
