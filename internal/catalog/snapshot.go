package catalog

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"casemate/internal/locale"
)

// Catalog is one version of the catalogue, immutable and held in memory: its
// methods cost no I/O and may be called inside transactions. The slices they
// return are shared; nobody may change them.
type Catalog struct {
	Version int64 // 0: nothing was ever applied

	live content // what is offered now

	international []AreaCode // by English name (D26)
	offshore      []Region   // type 1 only (D26)
	limits        Limits
	unlimited     bool

	subTypes       map[string]SubType
	products       map[string]Product
	problemTypes   map[string]ProblemType // retired ones too
	params         map[string]Param
	everParams     map[string]Param // retired ones too: old tickets have values of them
	severities     map[string]Severity
	plans          map[string]Plan
	regions        map[string]Region
	dimensions     map[int]Dimension
	agreements     map[int32]Agreement
	everAgreements map[int32]Agreement  // withdrawn ones too, without their texts: they were signed
	latest         map[string]Agreement // by type
	settings       map[string]string
	productsOf     map[string][]Product
	problemTypesOf map[string][]ProblemType
	templatesOf    map[string][]Template
	names          map[name]locale.Texts // of everything, retired entries too
	promises       promises
}

type name struct {
	kind Kind
	id   string
}

// build makes a snapshot of stored rows; they come in order of place.
func build(version int64, rows []entry, unlimited bool) (*Catalog, error) {
	var live, gone content
	for _, e := range rows {
		into := &live
		if e.retired {
			into = &gone
		}
		if err := into.add(e); err != nil {
			return nil, err
		}
	}
	c := &Catalog{Version: version, live: live, unlimited: unlimited, names: map[name]locale.Texts{},
		productsOf: map[string][]Product{}, problemTypesOf: map[string][]ProblemType{}, templatesOf: map[string][]Template{},
		latest: map[string]Agreement{}, settings: map[string]string{}}
	for _, e := range slices.Concat(gone.entries(), live.entries()) {
		c.names[name{e.kind, e.id}] = e.name
	}
	c.subTypes = index(live.subTypes, func(e SubType) string { return e.ID })
	c.products = index(live.products, func(e Product) string { return e.ID })
	for i := range gone.problemTypes {
		gone.problemTypes[i].Retired = true
	}
	c.problemTypes = index(slices.Concat(gone.problemTypes, live.problemTypes), func(e ProblemType) string { return e.ID })
	c.params = index(live.params, func(e Param) string { return e.Key })
	c.everParams = index(slices.Concat(gone.params, live.params), func(e Param) string { return e.Key })
	c.severities = index(live.severities, func(e Severity) string { return e.ID })
	c.plans = index(live.plans, func(e Plan) string { return e.ID })
	c.regions = index(live.regions, func(e Region) string { return e.ID })
	c.dimensions = index(live.dimensions, func(e Dimension) int { return e.ID })
	c.agreements = index(live.agreements, func(e Agreement) int32 { return e.ID })
	c.everAgreements = map[int32]Agreement{}
	for _, a := range slices.Concat(gone.agreements, live.agreements) {
		a.Content = locale.Texts{}
		c.everAgreements[a.ID] = a
	}
	for _, p := range live.products {
		c.productsOf[p.SubType] = append(c.productsOf[p.SubType], p)
	}
	for _, p := range live.problemTypes {
		c.problemTypesOf[p.Product] = append(c.problemTypesOf[p.Product], p)
	}
	for _, t := range live.templates {
		c.templatesOf[t.ProblemType] = append(c.templatesOf[t.ProblemType], t)
	}
	for _, a := range live.agreements {
		if a.Version > c.latest[a.Type].Version {
			c.latest[a.Type] = a
		}
	}
	for _, s := range live.settings {
		c.settings[s.Key] = s.Value
	}
	if len(live.limits) > 0 {
		c.limits = live.limits[0]
	}
	var err error
	if c.promises, err = promisesOf(live); err != nil {
		return nil, err
	}
	c.international = slices.Clone(live.areaCodes)
	slices.SortStableFunc(c.international, func(a, b AreaCode) int { return cmp.Compare(folded(a.Name.EN), folded(b.Name.EN)) })
	for _, r := range live.regions {
		if r.Type == 1 {
			c.offshore = append(c.offshore, r)
		}
	}
	return c, nil
}

func index[K comparable, T any](list []T, key func(T) K) map[K]T {
	m := make(map[K]T, len(list))
	for _, v := range list {
		m[key(v)] = v
	}
	return m
}

// folded makes names sort as a reader expects: without case and accents.
func folded(s string) string {
	return strings.NewReplacer("å", "a", "é", "e", "ç", "c", "ô", "o", "ã", "a", "í", "i", "ü", "u").Replace(strings.ToLower(s))
}

// SubTypes are the upper level of the categories.
func (c *Catalog) SubTypes() []SubType { return c.live.subTypes }

// SubType finds one that is offered.
func (c *Catalog) SubType(id string) (SubType, bool) { v, ok := c.subTypes[id]; return v, ok }

// Products are all product categories.
func (c *Catalog) Products() []Product { return c.live.products }

// ProductsOf are those of a sub type; none for an unknown one.
func (c *Catalog) ProductsOf(subType string) []Product { return c.productsOf[subType] }

// Product finds one that is offered.
func (c *Catalog) Product(id string) (Product, bool) { v, ok := c.products[id]; return v, ok }

// FindProducts are those whose name, in either language, or acronym contains
// the text, whatever its case; all for "".
func (c *Catalog) FindProducts(text string) []Product {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return c.live.products
	}
	var found []Product
	for _, p := range c.live.products {
		if strings.Contains(strings.ToLower(p.Name.ZH+"\n"+p.Name.EN+"\n"+p.Acronym), text) {
			found = append(found, p)
		}
	}
	return found
}

// ProblemTypes are all problem types.
func (c *Catalog) ProblemTypes() []ProblemType { return c.live.problemTypes }

// ProblemTypesOf are those of a product; none for an unknown one.
func (c *Catalog) ProblemTypesOf(product string) []ProblemType { return c.problemTypesOf[product] }

// ProblemType finds one that is offered: what a new ticket may have.
func (c *Catalog) ProblemType(id string) (ProblemType, bool) {
	p, ok := c.problemTypes[id]
	if !ok || p.Retired {
		return ProblemType{}, false
	}
	return p, true
}

// EverProblemType finds one that is or was offered: what an existing ticket has.
func (c *Catalog) EverProblemType(id string) (ProblemType, bool) {
	p, ok := c.problemTypes[id]
	return p, ok
}

// Templates of a problem type.
func (c *Catalog) Templates(problemType string) []Template { return c.templatesOf[problemType] }

// Param finds an additional parameter.
func (c *Catalog) Param(key string) (Param, bool) { v, ok := c.params[key]; return v, ok }

// EverParam finds one that is or was offered: what an existing ticket has.
func (c *Catalog) EverParam(key string) (Param, bool) { v, ok := c.everParams[key]; return v, ok }

// EverAgreement finds an agreement that is or was published, without its text.
func (c *Catalog) EverAgreement(id int32) (Agreement, bool) {
	v, ok := c.everAgreements[id]
	return v, ok
}

// Params are the additional parameters a problem type asks for, in its order.
func (c *Catalog) Params(p ProblemType) []Param {
	list := make([]Param, 0, len(p.Params))
	for _, key := range p.Params {
		if v, ok := c.params[key]; ok {
			list = append(list, v)
		}
	}
	return list
}

// CommonParams are the form fields of every problem type.
func (c *Catalog) CommonParams() []CommonParam { return c.live.commonParams }

// SelectItem is the parameter's choices as the wire carries them: a JSON array
// of {"value","label"} in one string, "" for kinds without choices.
func (p Param) SelectItem(lang locale.Language) string {
	if len(p.Items) == 0 {
		return ""
	}
	type choice struct {
		Value string `json:"value"`
		Label string `json:"label"`
	}
	list := make([]choice, len(p.Items))
	for i, item := range p.Items {
		list[i] = choice{item.Value, item.Name.In(lang)}
	}
	text, err := json.Marshal(list)
	if err != nil { // strings always marshal
		return ""
	}
	return string(text)
}

// Severities are all severities, highest first.
func (c *Catalog) Severities() []Severity { return c.live.severities }

// Severity finds one by id.
func (c *Catalog) Severity(id string) (Severity, bool) { v, ok := c.severities[id]; return v, ok }

// Plan finds a support plan by the name domains carry.
func (c *Catalog) Plan(id string) (Plan, bool) { v, ok := c.plans[id]; return v, ok }

// Plans are all support plans.
func (c *Catalog) Plans() []Plan { return c.live.plans }

// SeveritiesOf are those a customer with the plan may choose for the problem
// type, highest first; none without a plan or where plans do not apply.
func (c *Catalog) SeveritiesOf(plan string, p ProblemType) []Severity {
	if !c.planApplies(p) {
		return nil
	}
	targets := c.plans[plan].Targets
	var list []Severity
	for _, s := range c.live.severities {
		if slices.ContainsFunc(targets, func(t Target) bool { return t.Severity == s.ID }) {
			list = append(list, s)
		}
	}
	return list
}

// Regions are those of the site: all on the China site (0), those of type 1 on
// the international site (D26).
func (c *Catalog) Regions(site int) []Region {
	if site == 1 {
		return c.offshore
	}
	return c.live.regions
}

// Region finds one by id, whatever the site.
func (c *Catalog) Region(id string) (Region, bool) { v, ok := c.regions[id]; return v, ok }

// AreaCodes are the country calling codes in the order of the site (D26).
func (c *Catalog) AreaCodes(site int) []AreaCode {
	if site == 1 {
		return c.international
	}
	return c.live.areaCodes
}

// Dimensions are what finished tickets are scored on.
func (c *Catalog) Dimensions() []Dimension { return c.live.dimensions }

// Dimension finds one by id; its Value is the most points it can get.
func (c *Catalog) Dimension(id int) (Dimension, bool) { v, ok := c.dimensions[id]; return v, ok }

// CopyAddresses is how many copy addresses a ticket may have (D14).
func (c *Catalog) CopyAddresses() int { return c.limits.CopyAddresses }

// RequireAgreement tells whether creating a ticket needs the signature of the
// newest agreement of type AgreementCreate.
func (c *Catalog) RequireAgreement() bool { return c.limits.RequireAgreement }

// RequireAuthorizationAgreement tells whether granting an authorization needs
// the signature of the newest agreement of type AgreementAuthorize; ask
// SignedLatest in the transaction that grants.
func (c *Catalog) RequireAuthorizationAgreement() bool { return c.limits.RequireAuthorization }

// Quota is how many open tickets of the problem type a customer may have
// (D10), or Unlimited. Retired and unknown types have the default.
func (c *Catalog) Quota(problemType string) int {
	if c.unlimited {
		return Unlimited
	}
	if p, ok := c.problemTypes[problemType]; ok && p.Quota != nil {
		return *p.Quota
	}
	return c.limits.OpenTickets
}

// LatestAgreement is the newest published version of a type.
func (c *Catalog) LatestAgreement(kind string) (Agreement, bool) {
	v, ok := c.latest[kind]
	return v, ok
}

// Setting is the value of a configuration key.
func (c *Catalog) Setting(key string) (string, bool) { v, ok := c.settings[key]; return v, ok }

// Called is what an entry is called in both languages, also of one that is
// retired; the zero texts for one that never was.
func (c *Catalog) Called(kind Kind, id string) locale.Texts { return c.names[name{kind, id}] }

// Name is what an entry is called in the language, "" for an unknown id.
// Retired entries keep their names: tickets of old still show them.
func (c *Catalog) Name(kind Kind, id string, lang locale.Language) string {
	return c.names[name{kind, id}].In(lang)
}
