package desk

import (
	"context"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/locale"
)

// catalogNames tells everybody of the house what there is to choose from.
type catalogNames struct{ catalog *catalog.Service }

// ListCatalogNames is what the catalogue in force offers, by id and name.
func (h catalogNames) ListCatalogNames(ctx context.Context) (*oas.CatalogNames, error) {
	c, lang := h.catalog.Now(), locale.From(ctx).Language
	out := &oas.CatalogNames{Products: []oas.CatalogName{}, ProblemTypes: []oas.CatalogName{}, Severities: []oas.CatalogName{}}
	name := func(id string, t locale.Texts) oas.CatalogName { return oas.CatalogName{ID: id, Name: t.In(lang)} }
	for _, s := range c.SubTypes() {
		for _, p := range c.ProductsOf(s.ID) {
			n := name(p.ID, p.Name)
			n.GroupName = text(s.Name.In(lang))
			out.Products = append(out.Products, n)
			for _, k := range c.ProblemTypesOf(p.ID) {
				n := name(k.ID, k.Name)
				n.Group, n.GroupName = text(p.ID), text(p.Name.In(lang))
				out.ProblemTypes = append(out.ProblemTypes, n)
			}
		}
	}
	for _, s := range c.Severities() {
		out.Severities = append(out.Severities, name(s.ID, s.Name))
	}
	return out, nil
}

// ListCatalogAreaCodes are the calling codes of the catalogue in force; each reader
// gets them in the order that customers of his language see.
func (h catalogNames) ListCatalogAreaCodes(ctx context.Context) (*oas.CatalogAreaCodes, error) {
	site := 0
	if locale.From(ctx).Language == locale.EN {
		site = 1
	}
	out := &oas.CatalogAreaCodes{Items: []oas.CatalogAreaCode{}}
	for _, a := range h.catalog.Now().AreaCodes(site) {
		out.Items = append(out.Items, oas.CatalogAreaCode{Code: a.Code, Iso: text(a.ISO), Zh: a.Name.ZH, En: a.Name.EN})
	}
	return out, nil
}
