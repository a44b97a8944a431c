package catalog

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/fault"
	"casemate/internal/locale"
)

// Faults of additional parameters.
var (
	errNoParam = fault.New(fault.Invalid, fault.CodeInvalid, "该问题类型没有附加参数 {field}", "{field} is not an additional parameter of this problem type")
	errTick    = fault.New(fault.Invalid, fault.CodeInvalid, "请勾选同意 {field}", "{field} must be agreed to")
	errPick    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须选择 {min} 到 {max} 项", "choose {min} to {max} items of {field}")
)

const paramsField = "extends_map"

// Value is a value of an additional parameter in the form in which it is kept:
// integers in digits, agreements "0" or "1", several choices joined by commas.
type Value struct {
	Key       string
	Text      string // "" = taken away
	Sensitive bool
}

// FitParams holds the additional parameters of a new ticket, JSON values by
// key, against its problem type, and returns them in the type's order. Null and
// "" count as not given. It fails with OSM.01010001 naming the key: a required
// one is missing, a value is none the parameter can have, or the problem type
// has no such parameter. An unknown key is refused and not ignored as unknown
// query parameters are (semantics.md D22): keys come from this catalogue, not
// from the vendor's page, so that one it does not know is a mistake, and a
// customer who believes he has told something must not be left in that belief.
func (c *Catalog) FitParams(p ProblemType, given map[string]json.RawMessage) ([]Value, error) {
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if _, ok := c.params[key]; !ok || !slices.Contains(p.Params, key) {
			return nil, errNoParam.In(named(key))
		}
	}
	var all []Value
	for _, param := range c.Params(p) {
		text, err := param.read(given[param.Key])
		switch {
		case err != nil:
			return nil, err
		case text == "" && param.Required:
			return nil, fault.Missing.In(named(param.Key))
		case text != "":
			all = append(all, Value{Key: param.Key, Text: text, Sensitive: param.Sensitive})
		}
	}
	return all, nil
}

// FitMore holds parameters that are submitted for an existing ticket. An
// engineer may have asked for something its form does not have, so any
// parameter of the catalogue is taken; null and "" take a value away. It fails
// like FitParams, and for an empty map.
func (c *Catalog) FitMore(given map[string]json.RawMessage) ([]Value, error) {
	if len(given) == 0 {
		return nil, fault.Missing.In(paramsField)
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if _, ok := c.params[key]; !ok {
			return nil, errNoParam.In(named(key))
		}
	}
	var all []Value
	for _, param := range c.live.params {
		raw, ok := given[param.Key]
		if !ok {
			continue
		}
		text, err := param.read(raw)
		if err != nil {
			return nil, err
		}
		all = append(all, Value{Key: param.Key, Text: text, Sensitive: param.Sensitive})
	}
	return all, nil
}

// FitCommon holds the form fields that every ticket has against the common
// parameters: given tells of each field whether it is filled in. Fields it does
// not name are not judged, nor is a severity where none is offered.
func (c *Catalog) FitCommon(p ProblemType, plan string, given map[string]bool) error {
	for _, f := range c.live.commonParams {
		filled, known := given[f.Key]
		if !known || filled || !f.RequiredFor(p.CaseType) {
			continue
		}
		if f.Key == "severity_id" && len(c.SeveritiesOf(plan, p)) == 0 {
			continue
		}
		return fault.Missing.In(f.Key)
	}
	return nil
}

// named is the field as errors spell it; a key is the caller's text, so it is cut.
func named(key string) string {
	if r := []rune(key); len(r) > maxShortName*2 {
		key = string(r[:maxShortName*2]) + "..."
	}
	return paramsField + "." + key
}

// read is a JSON value as the parameter keeps it, "" for null and "".
func (p Param) read(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fault.Unknown.In(named(p.Key)).Because(err)
	}
	text, ok := p.text(v)
	if !ok {
		return "", fault.Unknown.In(named(p.Key))
	}
	if text == "" || (p.Kind == ParamText || p.Kind == ParamLines) && strings.TrimSpace(text) == "" {
		return "", nil
	}
	return text, p.judge(text)
}

// text is a decoded value in its one spelling; ok is false for a value of
// another type. Numbers and booleans may also come as text, as forms send them.
func (p Param) text(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		text = v
		if p.Kind != ParamText && p.Kind != ParamLines {
			text = strings.TrimSpace(text)
		}
	case json.Number:
		if p.Kind == ParamText || p.Kind == ParamLines {
			return "", false
		}
		text = v.String()
	case bool:
		if p.Kind != ParamAgreement {
			return "", false
		}
		text = strconv.FormatBool(v)
	case []any:
		if p.Kind != ParamChoices {
			return "", false
		}
		parts := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok || strings.Contains(s, ",") {
				return "", false
			}
			parts[i] = s
		}
		text = strings.Join(parts, ",")
	default:
		return "", false
	}
	switch {
	case text == "":
	case p.Kind == ParamInteger:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", false
		}
		text = strconv.FormatInt(n, 10)
	case p.Kind == ParamAgreement && text == "true":
		text = "1"
	case p.Kind == ParamAgreement && text == "false":
		text = "0"
	case p.Kind == ParamChoices:
		parts := strings.Split(text, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		text = strings.Join(parts, ",")
	}
	return text, true
}

// judge refuses a text that the parameter cannot have, with the rule it breaks.
func (p Param) judge(text string) error {
	field := named(p.Key)
	if p.Length > 0 && utf8.RuneCountInString(text) > p.Length {
		return fault.TooLong.In(field).With("max", p.Length)
	}
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' }
	if strings.ContainsFunc(text, control) {
		return fault.Unknown.In(field)
	}
	if p.Kind == ParamAgreement && p.Required && text == "0" {
		return errTick.In(field)
	}
	if p.accepts(text) {
		return nil
	}
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if p.Kind == ParamChoices {
		least, most = 1, int64(len(p.Items))
	}
	if p.Min != nil {
		least = max(least, *p.Min)
	}
	if p.Max != nil {
		most = min(most, *p.Max)
	}
	switch p.Kind {
	case ParamInteger:
		return fault.OutOfRange.In(field).With("min", least).With("max", most)
	case ParamChoices:
		unlimited := p
		unlimited.Min, unlimited.Max = nil, nil
		if unlimited.accepts(text) {
			return errPick.In(field).With("min", least).With("max", most)
		}
	}
	return fault.Unknown.In(field)
}

var (
	yes = locale.Texts{ZH: "是", EN: "Yes"}
	no  = locale.Texts{ZH: "否", EN: "No"}
)

// Show is a kept value as a person reads it: the names of choices, yes or no
// for agreements.
func (p Param) Show(text string, lang locale.Language) string {
	name := func(value string) string {
		if i := slices.IndexFunc(p.Items, func(i Item) bool { return i.Value == value }); i >= 0 {
			return p.Items[i].Name.In(lang)
		}
		return value // an item that was taken away since
	}
	switch p.Kind {
	case ParamChoice:
		return name(text)
	case ParamChoices:
		parts := strings.Split(text, ",")
		for i := range parts {
			parts[i] = name(parts[i])
		}
		if lang == locale.EN {
			return strings.Join(parts, ", ")
		}
		return strings.Join(parts, "、")
	case ParamAgreement:
		if text == "1" {
			return yes.In(lang)
		}
		return no.In(lang)
	}
	return text
}
