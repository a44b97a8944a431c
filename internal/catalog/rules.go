package catalog

import (
	"slices"

	"casemate/internal/fault"
)

// What a customer chose that the catalogue does not allow (contract/errors.csv).
var (
	ErrSubType     = fault.New(fault.Invalid, "OSM.01010030", "工单类型不存在", "The caseTypeId is not exist.")
	ErrSeverity    = fault.New(fault.Invalid, "OSM.01010006", "严重程度不存在", "Severity Id does not exist.")
	ErrBenefit     = fault.New(fault.Forbidden, "OSM.01010009", "您的支持计划不支持创建该工单", "Can't create a case because of customer benefit not matching the rule.")
	errProblemType = fault.Unknown.In("business_type_id")
	errProduct     = fault.Unknown.In("product_category_id")
	errMismatch    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 与 {other} 不匹配", "{field} does not belong to {other}")
	errNoRegion    = fault.New(fault.Invalid, fault.CodeInvalid, "报障类问题必须填写 region_id", "region_id is required for fault tickets").In("region_id")
)

// Choice is what a customer picked for a new ticket; only ProblemType must be
// there.
type Choice struct {
	ProblemType string
	SubType     string
	Product     string
	Region      string
	Severity    string
	Plan        string // support plan of the customer's domain, "" for none
}

// Fit judges a choice and returns its problem type. It fails with
// OSM.01010001 naming the field (unknown ids, ids that do not belong together,
// a fault without region: D17), OSM.01010030 (sub type), OSM.01010006
// (severity), OSM.01010009 (the plan does not give this severity, or a fault
// ticket where plans apply without a plan: semantics.md section 4).
func (c *Catalog) Fit(in Choice) (ProblemType, error) {
	p, err := c.FitProblemType(in.ProblemType, in.SubType, in.Product)
	if err != nil {
		return p, err
	}
	if in.Region == "" && p.CaseType == Fault {
		return p, errNoRegion
	}
	if _, ok := c.regions[in.Region]; !ok && in.Region != "" {
		return p, fault.Unknown.In("region_id")
	}
	if _, ok := c.severities[in.Severity]; !ok && in.Severity != "" {
		return p, ErrSeverity.In("severity_id")
	}
	_, planned := c.plans[in.Plan]
	if p.CaseType == Fault && c.planApplies(p) && !planned {
		return p, ErrBenefit
	}
	offered := slices.ContainsFunc(c.SeveritiesOf(in.Plan, p), func(s Severity) bool { return s.ID == in.Severity })
	if in.Severity != "" && !offered {
		return p, ErrBenefit.In("severity_id")
	}
	return p, nil
}

// FitProblemType finds a problem type that is offered; a sub type or product
// given beside it must exist and be its own.
func (c *Catalog) FitProblemType(problemType, subType, product string) (ProblemType, error) {
	if problemType == "" {
		return ProblemType{}, fault.Missing.In("business_type_id")
	}
	p, ok := c.ProblemType(problemType)
	if !ok {
		return p, errProblemType
	}
	if _, ok := c.subTypes[subType]; !ok && subType != "" {
		return p, ErrSubType.In("incident_sub_type_id")
	}
	if _, ok := c.products[product]; !ok && product != "" {
		return p, errProduct
	}
	if product != "" && p.Product != product {
		return p, errMismatch.In("business_type_id").With("other", "product_category_id")
	}
	if subType != "" && c.products[p.Product].SubType != subType {
		return p, errMismatch.In("business_type_id").With("other", "incident_sub_type_id")
	}
	return p, nil
}

func (c *Catalog) planApplies(p ProblemType) bool {
	return p.CanUseSupportPlan && c.products[p.Product].CanUseSupportPlan
}
