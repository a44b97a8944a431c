package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"

	"casemate/internal/locale"
)

// Kind names a sort of entry; it is stored and shown in differences.
type Kind string

// The kinds, in the order in which differences list them.
const (
	KindSubType       Kind = "sub_type"
	KindProduct       Kind = "product"
	KindProblemType   Kind = "problem_type"
	KindTemplate      Kind = "template"
	KindParam         Kind = "param"
	KindCommonParam   Kind = "common_param"
	KindSeverity      Kind = "severity"
	KindPlan          Kind = "support_plan"
	KindRegion        Kind = "region"
	KindAreaCode      Kind = "area_code"
	KindDimension     Kind = "satisfaction_dimension"
	KindLimits        Kind = "limits"
	KindAgreementType Kind = "agreement_type"
	KindAgreement     Kind = "agreement"
	KindSetting       Kind = "configuration"
	KindDiagnosis     Kind = "diagnosis"
	KindCalendar      Kind = "calendar"
	KindSLA           Kind = "sla"
)

var kinds = []Kind{KindSubType, KindProduct, KindProblemType, KindTemplate, KindParam, KindCommonParam,
	KindSeverity, KindPlan, KindRegion, KindAreaCode, KindDimension, KindLimits, KindAgreementType,
	KindAgreement, KindSetting, KindDiagnosis, KindCalendar, KindSLA}

// Case types of problem types (contract: SimpleIncidentBusinessTypeV2).
const (
	Consultation = "0"
	Fault        = "5"
)

// Unlimited is the quota that has no end (contract: -1 in total and un_used).
const Unlimited = -1

// SubType is the upper level of the ticket categories: products, business.
type SubType struct {
	ID   string       `yaml:"id" json:"id"`
	Name locale.Texts `yaml:"name" json:"name"`
	at   origin
}

// Product is a product category: what a ticket is about.
type Product struct {
	ID                string       `yaml:"id" json:"id"`
	SubType           string       `yaml:"sub_type" json:"sub_type"`
	Name              locale.Texts `yaml:"name" json:"name"`
	Desc              locale.Texts `yaml:"desc" json:"desc"`
	Acronym           string       `yaml:"acronym" json:"acronym"`
	CanUseSupportPlan bool         `yaml:"can_use_support_plan" json:"can_use_support_plan"`
	at                origin
}

// ProblemType is what can be wrong with, or asked about, a product. The wire
// calls it business type.
type ProblemType struct {
	ID                string       `yaml:"id" json:"id"`
	Product           string       `yaml:"-" json:"product"`
	Name              locale.Texts `yaml:"name" json:"name"`
	CaseType          string       `yaml:"case_type" json:"case_type"` // Consultation or Fault
	CanUseSupportPlan bool         `yaml:"can_use_support_plan" json:"can_use_support_plan"`
	Quota             *int         `yaml:"quota" json:"quota,omitempty"`   // open tickets per customer; nil = the default of Limits
	Params            []string     `yaml:"params" json:"params,omitempty"` // keys of the additional parameters to ask for, in order
	Retired           bool         `yaml:"-" json:"-"`                     // no longer offered; tickets of old keep it
	at                origin
}

// Template is a text that helps the customer describe the problem.
type Template struct {
	ID          string       `yaml:"id" json:"id"`
	ProblemType string       `yaml:"-" json:"problem_type"`
	Name        locale.Texts `yaml:"name" json:"name"`
	Content     locale.Texts `yaml:"content" json:"content"`
	at          origin
}

// ParamKind is how an additional parameter is entered (contract/param_type.csv).
type ParamKind string

// The six kinds.
const (
	ParamInteger   ParamKind = "integer"
	ParamText      ParamKind = "text"      // one line
	ParamChoice    ParamKind = "choice"    // one of the items
	ParamChoices   ParamKind = "choices"   // several of the items
	ParamAgreement ParamKind = "agreement" // a box to tick
	ParamLines     ParamKind = "lines"     // several lines
)

var paramTypes = map[ParamKind]int{ParamInteger: 1, ParamText: 3, ParamChoice: 4, ParamChoices: 5, ParamAgreement: 7, ParamLines: 8}

// Wire is the kind's number on the wire, 0 for an unknown kind.
func (k ParamKind) Wire() int { return paramTypes[k] }

// Param is an additional parameter of some problem types.
type Param struct {
	Key       string       `yaml:"key" json:"key"`
	Kind      ParamKind    `yaml:"kind" json:"kind"`
	Name      locale.Texts `yaml:"name" json:"name"`
	Desc      locale.Texts `yaml:"desc" json:"desc,omitzero"`
	Tips      locale.Texts `yaml:"tips" json:"tips,omitzero"` // hint inside the empty input
	Required  bool         `yaml:"required" json:"required,omitempty"`
	Length    int          `yaml:"length" json:"length,omitempty"` // characters of the value at most
	Min       *int64       `yaml:"min" json:"min,omitempty"`       // integers: smallest value; choices: fewest items
	Max       *int64       `yaml:"max" json:"max,omitempty"`
	Default   string       `yaml:"default" json:"default,omitempty"` // choices: item values joined by commas
	Items     []Item       `yaml:"items" json:"items,omitempty"`
	Hidden    bool         `yaml:"hidden" json:"hidden,omitempty"`       // known to the service, not asked for
	Sensitive bool         `yaml:"sensitive" json:"sensitive,omitempty"` // to be sealed at rest and kept out of logs
	at        origin
}

// Item is one choice of a parameter.
type Item struct {
	Value string       `yaml:"value" json:"value"`
	Name  locale.Texts `yaml:"name" json:"name"`
}

// CommonParam is a field of the ticket form that every problem type has.
type CommonParam struct {
	Key      string       `yaml:"key" json:"key"`
	Name     locale.Texts `yaml:"name" json:"name"`
	Required string       `yaml:"required" json:"required"` // never, always, or fault: only for problem types of case type 5
	Hidden   bool         `yaml:"hidden" json:"hidden,omitempty"`
	at       origin
}

// RequiredFor tells whether the field is mandatory in tickets of the case type.
func (p CommonParam) RequiredFor(caseType string) bool {
	return p.Required == "always" || p.Required == "fault" && caseType == Fault
}

// Severity is how bad a problem is; the order of the list is highest first.
type Severity struct {
	ID    string       `yaml:"id" json:"id"`
	Name  locale.Texts `yaml:"name" json:"name"`
	Desc  locale.Texts `yaml:"desc" json:"desc,omitzero"`
	Color string       `yaml:"color" json:"color,omitempty"` // #rrggbb
	at    origin
}

// Calendars that ship.
const (
	ClockBusiness = "business hours"
	ClockAlways   = "24x7"
)

// Plan is a support plan: which severities its customers may choose and how
// soon the first answer comes.
type Plan struct {
	ID      string       `yaml:"id" json:"id"` // the name domains carry, as in contract/sla.csv
	Name    locale.Texts `yaml:"name" json:"name"`
	Clock   string       `yaml:"clock" json:"clock"` // id of a calendar
	Targets []Target     `yaml:"targets" json:"targets"`
	at      origin
}

// Target is the promise of a plan for a severity. Times are a number and a unit
// on the plan's clock: m minutes, h hours, d working days (sla.Times.Amount).
type Target struct {
	Severity      string `yaml:"severity" json:"severity"`
	FirstResponse string `yaml:"first_response" json:"first_response"`
	NextResponse  string `yaml:"next_response" json:"next_response,omitempty"` // "" = none
	Resolution    string `yaml:"resolution" json:"resolution,omitempty"`       // "" = none
}

// Region is where the resources of a ticket lie.
type Region struct {
	ID        string       `yaml:"id" json:"id"`
	Type      int          `yaml:"type" json:"type"` // 0 mainland, 1 international
	Name      locale.Texts `yaml:"name" json:"name"`
	Sensitive bool         `yaml:"sensitive" json:"sensitive,omitempty"`
	at        origin
}

// AreaCode is a country's calling code without plus sign.
type AreaCode struct {
	ID   int          `yaml:"id" json:"id"`
	Code string       `yaml:"code" json:"code"`
	ISO  string       `yaml:"iso" json:"iso,omitempty"` // ISO 3166-1 alpha-2; "" for codes of no country
	Name locale.Texts `yaml:"name" json:"name"`
	at   origin
}

// Dimension is what a finished ticket can be scored on.
type Dimension struct {
	ID       int          `yaml:"id" json:"id"`
	Name     locale.Texts `yaml:"name" json:"name"`
	Desc     locale.Texts `yaml:"desc" json:"desc,omitzero"`
	Value    int          `yaml:"value" json:"value"`         // most points
	PerValue int          `yaml:"per_value" json:"per_value"` // points per step
	Category string       `yaml:"category" json:"category"`
	at       origin
}

// Limits are the numbers and switches of ticket creation.
type Limits struct {
	CopyAddresses    int  `yaml:"create_case_ccemail_max_count" json:"create_case_ccemail_max_count"` // per ticket (D14)
	OpenTickets      int  `yaml:"open_tickets_per_problem_type" json:"open_tickets_per_problem_type"` // per customer (D10); Unlimited = no end
	RequireAgreement bool `yaml:"create_requires_agreement" json:"create_requires_agreement"`
	// RequireAuthorization: granting an authorization needs the signature of the
	// newest agreement of type AgreementAuthorize.
	RequireAuthorization bool `yaml:"authorize_requires_agreement" json:"authorize_requires_agreement,omitempty"`
	at                   origin
}

// AgreementType is a kind of agreement.
type AgreementType struct {
	Type string       `yaml:"type" json:"type"`
	Name locale.Texts `yaml:"name" json:"name"`
	at   origin
}

// Agreement types of the contract.
const (
	AgreementCreate    = "0" // to create tickets, ordinary customers
	AgreementCreateISV = "1" // to create tickets, software vendors
	AgreementAuthorize = "2" // to grant authorizations
)

// Agreement is one published version of an agreement. It never changes: people
// have signed it. A new text is a new entry with a higher version.
type Agreement struct {
	ID      int32        `yaml:"id" json:"id"`
	Type    string       `yaml:"type" json:"type"`
	Version int32        `yaml:"version" json:"version"`
	Name    locale.Texts `yaml:"name" json:"name"`
	Content locale.Texts `yaml:"content" json:"content"`
	at      origin
}

// Setting is a value that clients may ask for by key (ShowConfiguration).
type Setting struct {
	Key   string `yaml:"key" json:"key"`
	Value string `yaml:"value" json:"value"`
	at    origin
}

// content is all a catalogue holds; the order of each list is the order shown.
type content struct {
	subTypes       []SubType
	products       []Product
	problemTypes   []ProblemType
	templates      []Template
	params         []Param
	commonParams   []CommonParam
	severities     []Severity
	plans          []Plan
	regions        []Region
	areaCodes      []AreaCode
	dimensions     []Dimension
	limits         []Limits // one, or none in a broken draft
	agreementTypes []AgreementType
	agreements     []Agreement
	settings       []Setting
	diagnoses      []Diagnosis
	calendars      []Calendar // none = the shipped ones
	sla            []SLA      // one, or none = the shipped one
}

// entry is an element of the content as it is stored.
type entry struct {
	kind    Kind
	id      string
	place   int // its place among its kind
	name    locale.Texts
	data    string // JSON
	retired bool   // stored ones only
}

// id and label of every type, for storing and for differences.
func (e SubType) key() (string, locale.Texts)       { return e.ID, e.Name }
func (e Product) key() (string, locale.Texts)       { return e.ID, e.Name }
func (e ProblemType) key() (string, locale.Texts)   { return e.ID, e.Name }
func (e Template) key() (string, locale.Texts)      { return e.ID, e.Name }
func (e Param) key() (string, locale.Texts)         { return e.Key, e.Name }
func (e CommonParam) key() (string, locale.Texts)   { return e.Key, e.Name }
func (e Severity) key() (string, locale.Texts)      { return e.ID, e.Name }
func (e Plan) key() (string, locale.Texts)          { return e.ID, e.Name }
func (e Region) key() (string, locale.Texts)        { return e.ID, e.Name }
func (e AreaCode) key() (string, locale.Texts)      { return strconv.Itoa(e.ID), e.Name }
func (e Dimension) key() (string, locale.Texts)     { return strconv.Itoa(e.ID), e.Name }
func (e Limits) key() (string, locale.Texts)        { return "limits", locale.Texts{} }
func (e AgreementType) key() (string, locale.Texts) { return e.Type, e.Name }
func (e Agreement) key() (string, locale.Texts)     { return strconv.Itoa(int(e.ID)), e.Name }
func (e Setting) key() (string, locale.Texts)       { return e.Key, locale.Texts{} }

// entries is the content as rows.
func (c *content) entries() []entry {
	var all []entry
	all = appendEntries(all, KindSubType, c.subTypes)
	all = appendEntries(all, KindProduct, c.products)
	all = appendEntries(all, KindProblemType, c.problemTypes)
	all = appendEntries(all, KindTemplate, c.templates)
	all = appendEntries(all, KindParam, c.params)
	all = appendEntries(all, KindCommonParam, c.commonParams)
	all = appendEntries(all, KindSeverity, c.severities)
	all = appendEntries(all, KindPlan, c.plans)
	all = appendEntries(all, KindRegion, c.regions)
	all = appendEntries(all, KindAreaCode, c.areaCodes)
	all = appendEntries(all, KindDimension, c.dimensions)
	all = appendEntries(all, KindLimits, c.limits)
	all = appendEntries(all, KindAgreementType, c.agreementTypes)
	all = appendEntries(all, KindAgreement, c.agreements)
	all = appendEntries(all, KindSetting, c.settings)
	all = appendEntries(all, KindDiagnosis, c.diagnoses)
	all = appendEntries(all, KindCalendar, c.calendars)
	return appendEntries(all, KindSLA, c.sla)
}

func appendEntries[T interface{ key() (string, locale.Texts) }](all []entry, kind Kind, list []T) []entry {
	for i, v := range list {
		id, name := v.key()
		data, err := json.Marshal(v)
		if err != nil { // plain structs of strings and numbers always marshal
			panic(fmt.Sprintf("catalog: %s %s: %v", kind, id, err))
		}
		all = append(all, entry{kind: kind, id: id, place: i, name: name, data: string(data)})
	}
	return all
}

// add decodes a row and appends it to the list of its kind. Rows of a kind
// that this release does not know are left out: a newer node wrote them.
func (c *content) add(e entry) (err error) {
	switch e.kind {
	case KindSubType:
		c.subTypes, err = decode(c.subTypes, e)
	case KindProduct:
		c.products, err = decode(c.products, e)
	case KindProblemType:
		c.problemTypes, err = decode(c.problemTypes, e)
	case KindTemplate:
		c.templates, err = decode(c.templates, e)
	case KindParam:
		c.params, err = decode(c.params, e)
	case KindCommonParam:
		c.commonParams, err = decode(c.commonParams, e)
	case KindSeverity:
		c.severities, err = decode(c.severities, e)
	case KindPlan:
		c.plans, err = decode(c.plans, e)
	case KindRegion:
		c.regions, err = decode(c.regions, e)
	case KindAreaCode:
		c.areaCodes, err = decode(c.areaCodes, e)
	case KindDimension:
		c.dimensions, err = decode(c.dimensions, e)
	case KindLimits:
		c.limits, err = decode(c.limits, e)
	case KindAgreementType:
		c.agreementTypes, err = decode(c.agreementTypes, e)
	case KindAgreement:
		c.agreements, err = decode(c.agreements, e)
	case KindSetting:
		c.settings, err = decode(c.settings, e)
	case KindDiagnosis:
		c.diagnoses, err = decode(c.diagnoses, e)
	case KindCalendar:
		c.calendars, err = decode(c.calendars, e)
	case KindSLA:
		c.sla, err = decode(c.sla, e)
	}
	if err != nil {
		return fmt.Errorf("stored catalogue entry %s %s: %w", e.kind, e.id, err)
	}
	return nil
}

func decode[T any](list []T, e entry) ([]T, error) {
	var v T
	err := json.Unmarshal([]byte(e.data), &v)
	return append(list, v), err
}
