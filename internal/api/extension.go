package api

import (
	"encoding/json"
	"strings"

	"github.com/go-faster/jx"

	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/ticket"
	"casemate/internal/wire"
)

// extension reads extension_map. The keys are those the vendor's page on
// changing the contact names, cc_email beside remindCCEmail (semantics.md D27),
// and group_id at creation; others are ignored, for newer clients may send more.
func extension(in map[string]jx.Raw) (e ticket.Extension, group string, err error) {
	for _, f := range []struct {
		key string
		out **string
	}{{"contactType", &e.Kind}, {"isReceiveMsgRemind", &e.Receive}, {"remindEncryptCCEmail", &e.Encrypted}} {
		raw, ok := in[f.key]
		if !ok {
			continue
		}
		text, ok := scalar(raw)
		if !ok {
			return e, "", wire.ErrWrongType.In("extension_map." + f.key)
		}
		*f.out = &text
	}
	if raw, ok := in["group_id"]; ok {
		if group, ok = scalar(raw); !ok {
			return e, "", wire.ErrWrongType.In("extension_map.group_id")
		}
		const most = 64 // as group_id elsewhere in the contract
		if len(group) > most {
			return e, "", fault.TooLong.In("extension_map.group_id").With("max", most)
		}
	}
	for _, key := range []string{"cc_email", "remindCCEmail"} { // the later wins
		raw, ok := in[key]
		if !ok {
			continue
		}
		list, ok := addresses(raw)
		if !ok {
			return e, "", wire.ErrWrongType.In("extension_map." + key)
		}
		if e.Copies == nil || len(list) > 0 {
			e.Copies = &list
		}
	}
	return e, group, nil
}

// scalar is a JSON text, number or boolean as text; null is "".
func scalar(raw jx.Raw) (string, bool) {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return "", false
	}
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimSpace(v), true
	case float64, bool:
		return strings.TrimSpace(string(raw)), true
	}
	return "", false
}

// addresses reads one address, several joined by commas or semicolons, or a
// JSON list of them.
func addresses(raw jx.Raw) (list []string, ok bool) {
	list = []string{}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		text, ok := scalar(raw)
		if !ok {
			return nil, false
		}
		many = []string{text}
	}
	for _, text := range many {
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;，；\r\n", r) }) {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	return list, true
}

func rawValues(in map[string]jx.Raw) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(in))
	for k, v := range in {
		out[k] = json.RawMessage(v)
	}
	return out
}

// shownValue is an additional parameter of a ticket in an answer, its fields
// named as in ListExtendsParams.
type shownValue struct {
	Key       string `json:"param_key"`
	Name      string `json:"param_name"`
	Type      int    `json:"param_type"`
	Value     string `json:"param_value"` // as it is kept; masked when sensitive
	Shown     string `json:"param_value_name"`
	Sensitive int    `json:"is_sensitive"`
	Message   string `json:"message_id,omitempty"`
}

// shownValues are a ticket's parameters in the reader's language, those the
// catalogue has dropped since under their old names. Never nil.
func shownValues(c *catalog.Catalog, lang locale.Language, all []ticket.Value) []shownValue {
	return each(all, func(v ticket.Value) shownValue {
		out := shownValue{Key: v.Key, Name: v.Key, Value: v.Text, Shown: v.Text, Message: v.Message}
		if v.Sensitive {
			out.Sensitive = 1
		}
		if p, ok := c.EverParam(v.Key); ok {
			out.Name, out.Type = p.Name.In(lang), p.Kind.Wire()
			if !v.Sensitive {
				out.Shown = p.Show(v.Text, lang)
			}
		}
		return out
	})
}
