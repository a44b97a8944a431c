package api

import (
	"context"

	"casemate/internal/api/oas"
	"casemate/internal/catalog"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// configQueries is what a client asks before it creates a ticket. Everything
// but severities comes from memory. Lists are sent even when they are empty.
type configQueries struct {
	catalog   *catalog.Service
	knowledge *knowledge.Service
}

func (h configQueries) ListAreaCodes(ctx context.Context, _ oas.ListAreaCodesParams) (*oas.ListAreaCodesResponse, error) {
	l := locale.From(ctx)
	list := each(h.catalog.Now().AreaCodes(l.Site), func(a catalog.AreaCode) oas.AreaCodeSimpleInfoV2 {
		return oas.AreaCodeSimpleInfoV2{ID: oas.NewOptInt32(int32(a.ID)), AreaCode: oas.NewOptString(a.Code),
			AreaName: oas.NewOptString(a.Name.In(l.Language))}
	})
	return &oas.ListAreaCodesResponse{AreaCodeList: list}, nil
}

func (h configQueries) ListCaseCategories(ctx context.Context, _ oas.ListCaseCategoriesParams) (*oas.ListCaseCategoriesResponse, error) {
	c, lang := h.catalog.Now(), locale.From(ctx).Language
	list := each(c.SubTypes(), func(s catalog.SubType) oas.IncidentSubTypeV2Do {
		return oas.IncidentSubTypeV2Do{IncidentSubTypeID: oas.NewOptString(s.ID), IncidentSubTypeName: oas.NewOptString(s.Name.In(lang)),
			IncidentProductCategoryList: products(c.ProductsOf(s.ID), lang)}
	})
	return &oas.ListCaseCategoriesResponse{TotalCount: int32(len(list)), IncidentSubTypeList: list}, nil
}

func (h configQueries) ListProductCategories(ctx context.Context, p oas.ListProductCategoriesParams) (*oas.ListProductCategoriesResponse, error) {
	list := products(h.catalog.Now().FindProducts(p.ProductCategoryName.Or("")), locale.From(ctx).Language)
	return &oas.ListProductCategoriesResponse{TotalCount: int32(len(list)), IncidentProductCategoryList: list}, nil
}

func products(list []catalog.Product, lang locale.Language) []oas.IncidentProductCategoryV2 {
	return each(list, func(p catalog.Product) oas.IncidentProductCategoryV2 {
		return oas.IncidentProductCategoryV2{
			IncidentProductCategoryID:      oas.NewOptString(p.ID),
			IncidentProductCategoryName:    oas.NewOptString(p.Name.In(lang)),
			IncidentProductCategoryDesc:    oas.NewOptString(p.Desc.In(lang)),
			IncidentProductCategoryAcronym: oas.NewOptString(p.Acronym),
			CanUseSupportPlan:              oas.NewOptBool(p.CanUseSupportPlan),
		}
	})
}

// ListProblemTypes lists those of a product, or all. The product is a filter:
// an unknown one has none.
func (h configQueries) ListProblemTypes(ctx context.Context, p oas.ListProblemTypesParams) (*oas.ListProblemTypesResponse, error) {
	c, lang := h.catalog.Now(), locale.From(ctx).Language
	types := c.ProblemTypes()
	if product, ok := p.ProductCategoryID.Get(); ok {
		types = c.ProblemTypesOf(product)
	}
	list := each(types, func(p catalog.ProblemType) oas.SimpleIncidentBusinessTypeV2 {
		return oas.SimpleIncidentBusinessTypeV2{BusinessTypeID: oas.NewOptString(p.ID), BusinessTypeName: oas.NewOptString(p.Name.In(lang)),
			CaseType: oas.NewOptString(p.CaseType), CanUseSupportPlan: oas.NewOptBool(p.CanUseSupportPlan)}
	})
	return &oas.ListProblemTypesResponse{TotalCount: int32(len(list)), IncidentBusinessTypeList: list}, nil
}

func (h configQueries) ListCaseTemplates(ctx context.Context, p oas.ListCaseTemplatesParams) (*oas.ListCaseTemplatesResponse, error) {
	c, lang := h.catalog.Now(), locale.From(ctx).Language
	if _, err := c.FitProblemType(p.BusinessTypeID, "", ""); err != nil {
		return nil, err
	}
	all := c.Templates(p.BusinessTypeID)
	texts, err := h.knowledge.Expand(ctx, lang, each(all, func(t catalog.Template) string { return t.Content.In(lang) })...)
	if err != nil {
		return nil, err
	}
	list := []oas.IncidentTempV2{}
	for i, t := range all {
		list = append(list, oas.IncidentTempV2{IncidentTemplateID: oas.NewOptString(t.ID), IncidentTemplateName: oas.NewOptString(t.Name.In(lang)), IncidentTemplateContent: oas.NewOptString(texts[i])})
	}
	return &oas.ListCaseTemplatesResponse{TotalCount: int32(len(list)), IncidentTemplateList: list}, nil
}

func (h configQueries) ListExtendsParams(ctx context.Context, p oas.ListExtendsParamsParams) (*oas.ListExtendsParamsResponse, error) {
	c, lang := h.catalog.Now(), locale.From(ctx).Language
	problem, err := c.FitProblemType(p.BusinessTypeID, p.IncidentSubTypeID.Or(""), p.ProductCategoryID.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.ListExtendsParamsResponse{
		ExtendsParams: each(c.Params(problem), func(p catalog.Param) oas.ExtendsParamV2 { return extendsParam(p, lang) }),
		CommonParams: each(c.CommonParams(), func(p catalog.CommonParam) oas.CommonParamV2 {
			return oas.CommonParamV2{ParamKey: oas.NewOptString(p.Key), ParamName: oas.NewOptString(p.Name.In(lang)),
				IsShow: flag(!p.Hidden), IsRequired: flag(p.RequiredFor(problem.CaseType))}
		}),
	}, nil
}

func extendsParam(p catalog.Param, lang locale.Language) oas.ExtendsParamV2 {
	out := oas.ExtendsParamV2{
		Language:     oas.NewOptString(string(lang)),
		ParamKey:     oas.NewOptString(p.Key),
		ParamName:    oas.NewOptString(p.Name.In(lang)),
		ParamType:    oas.NewOptInt32(int32(p.Kind.Wire())),
		ParamDesc:    oas.NewOptString(p.Desc.In(lang)),
		Tips:         oas.NewOptString(p.Tips.In(lang)),
		DefaultValue: oas.NewOptString(p.Default),
		SelectItem:   oas.NewOptString(p.SelectItem(lang)),
		Required:     flag(p.Required),
		IsShow:       flag(!p.Hidden),
		IsSensitive:  flag(p.Sensitive),
	}
	if p.Length > 0 {
		out.Length = oas.NewOptInt32(int32(p.Length))
	}
	if p.Min != nil {
		out.MinValue = oas.NewOptInt64(*p.Min)
	}
	if p.Max != nil {
		out.MaxValue = oas.NewOptInt64(*p.Max)
	}
	return out
}

func (h configQueries) ListSeverities(ctx context.Context, p oas.ListSeveritiesParams) (*oas.ListSeveritiesResponse, error) {
	lang := locale.From(ctx).Language
	offered, err := h.catalog.Offered(ctx, principal.From(ctx), p.ProductCategoryID, p.BusinessTypeID)
	if err != nil {
		return nil, err
	}
	list := each(offered, func(s catalog.Severity) oas.SeverityV2Do {
		return oas.SeverityV2Do{Language: oas.NewOptString(string(lang)), SeverityID: oas.NewOptString(s.ID), SeverityName: oas.NewOptString(s.Name.In(lang))}
	})
	return &oas.ListSeveritiesResponse{Show: len(list) > 0, SeverityList: list}, nil
}

func (h configQueries) ListRegions(ctx context.Context, _ oas.ListRegionsParams) (*oas.ListRegionsResponse, error) {
	l := locale.From(ctx)
	list := each(h.catalog.Now().Regions(l.Site), func(r catalog.Region) oas.DataCenterV2Do {
		return oas.DataCenterV2Do{Type: oas.NewOptInt32(int32(r.Type)), RegionID: oas.NewOptString(r.ID),
			RegionName: oas.NewOptString(r.Name.In(l.Language)), IsSensitive: flag(r.Sensitive)}
	})
	return &oas.ListRegionsResponse{TotalCount: int32(len(list)), DataCenterList: list}, nil
}

func (h configQueries) ListSatisfactionDimensions(ctx context.Context, _ oas.ListSatisfactionDimensionsParams) (*oas.ListSatisfactionDimensionsResponse, error) {
	lang := locale.From(ctx).Language
	list := each(h.catalog.Now().Dimensions(), func(d catalog.Dimension) oas.SatisfactionDimensionSimpleInfoV2 {
		return oas.SatisfactionDimensionSimpleInfoV2{
			SatisfactionID: oas.NewOptInt32(int32(d.ID)), SatisfactionName: oas.NewOptString(d.Name.In(lang)),
			SatisfactionDesc: oas.NewOptString(d.Desc.In(lang)), SatCategoryID: oas.NewOptString(d.Category),
			Value: oas.NewOptInt32(int32(d.Value)), PerValue: oas.NewOptInt32(int32(d.PerValue)),
		}
	})
	return &oas.ListSatisfactionDimensionsResponse{TotalCount: int32(len(list)), SatisfactionDimensionList: list}, nil
}

func (h configQueries) ListCaseLimits(context.Context, oas.ListCaseLimitsParams) (*oas.ListCaseLimitsResponse, error) {
	return &oas.ListCaseLimitsResponse{Config: oas.NewOptTenantConfigV2(oas.TenantConfigV2{
		CreateCaseCcemailMaxCount: oas.NewOptInt32(int32(h.catalog.Now().CopyAddresses()))})}, nil
}

// each translates a list; the result is never nil, so that it is sent as [].
func each[A, B any](list []A, translate func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = translate(v)
	}
	return out
}

// flag is a boolean as the wire's 0 or 1.
func flag(b bool) oas.OptInt32 {
	if b {
		return oas.NewOptInt32(1)
	}
	return oas.NewOptInt32(0)
}
