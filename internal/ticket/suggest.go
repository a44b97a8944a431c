package ticket

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Suggestion completes the last word of a query.
type Suggestion struct {
	Insert string // in place of that word
	Value  bool   // it is a whole condition; else an operator that waits for its value
}

// maxSuggestions is how many are offered at once.
const maxSuggestions = 10

// Suggest completes the last word of a query, in the language: an operator by
// the beginning of its name, or behind an operator's colon a value by any part
// of it. A partner's people are offered the customers they serve and their
// colleagues only. It fails with OSM.01010002 for callers who may not search.
func (s *Service) Suggest(ctx context.Context, who principal.Principal, text string, lang locale.Language) (all []Suggestion, err error) {
	if err := maySeeMore(who); err != nil {
		return nil, err
	}
	last := search.LastWord(text)
	if last.Op == "" {
		for _, op := range search.OperatorNames() {
			names := search.Operators()[op]
			name := names[0]
			if lang == locale.ZH || last.Name != "" && last.Name[0] >= 0x80 {
				name = names[len(names)-1]
			}
			if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, last.Name) }) {
				all = append(all, Suggestion{Insert: last.Minus + name + ":"})
			}
		}
		return all, nil
	}
	values, err := s.suggested(ctx, who, last.Op, foldLabel(last.Value), lang)
	for _, v := range values {
		if len(all) < maxSuggestions && strings.Contains(foldLabel(v), foldLabel(last.Value)) {
			all = append(all, Suggestion{Insert: last.Minus + last.Name + ":" + search.Quote(v), Value: true})
		}
	}
	return all, err
}

// suggested are values of an operator; those of long lists by a part.
func (s *Service) suggested(ctx context.Context, who principal.Principal, op, part string, lang locale.Language) (all []string, err error) {
	zh := lang == locale.ZH
	pick := func(chinese, english string) []string {
		if zh {
			return strings.Fields(chinese)
		}
		return strings.Fields(english)
	}
	switch op {
	case "status":
		all = pick("未完成 已结束", "open closed")
		for _, st := range Statuses {
			all = append(all, st.Name(lang))
		}
	case "severity", "product", "plan":
		for _, e := range s.entries(op) {
			name := e.names[len(e.names)-1]
			if zh {
				name = e.names[len(e.names)-2]
			}
			if name == "" || op == "plan" {
				name = e.id
			}
			all = append(all, name)
		}
	case "lang":
		all = pick("中文 英文", "zh en")
	case "has":
		all = pick("附件", "attachment")
	case "in":
		all = pick("描述 留言 备注 附件 评价 客户", "description messages notes files judgement customer")
	case "before", "after", "created", "updated":
		all = pick("今天 昨天 7天 30天", "today yesterday 7d 30d")
	case "assignee":
		all = append(pick("我", "me"), pick("无", "none")...)
		people, err := s.ident.PartnerEngineers(ctx, who, "")
		for _, u := range people {
			all = append(all, u.Name)
		}
		return all, err
	case "customer":
		return s.suggestNames(ctx, "SELECT name FROM domains WHERE id <> 'house' AND sandbox = 0 AND lower(name) LIKE ? ESCAPE '!' AND (? = '' OR partner_id = ?) ORDER BY name LIMIT ?",
			likePart(part), who.Partner, who.Partner, maxSuggestions)
	case "queue":
		name := "name_en"
		if zh {
			name = "name_zh"
		}
		return s.suggestNames(ctx, "SELECT CASE WHEN "+name+" = '' THEN name_zh || name_en ELSE "+name+" END FROM desk_queues WHERE (lower(name_zh) LIKE ? ESCAPE '!' OR lower(name_en) LIKE ? ESCAPE '!') AND (? = '' OR team = '') ORDER BY place, id LIMIT ?",
			likePart(part), likePart(part), who.Partner, maxSuggestions)
	case "tag":
		if who.Partner == "" {
			return s.suggestNames(ctx, "SELECT min(tag) FROM ticket_tags /* all domains: the desk's search */ WHERE tag_key LIKE ? ESCAPE '!' GROUP BY tag_key ORDER BY 1 LIMIT ?", likePart(part), maxSuggestions)
		}
	case "label":
		if who.Partner == "" {
			return s.suggestNames(ctx, "SELECT DISTINCT name FROM labels /* all domains: the desk's search */ WHERE name_key LIKE ? ESCAPE '!' ORDER BY name LIMIT ?", likePart(part), maxSuggestions)
		}
	}
	return all, nil
}

func likePart(part string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(part) + "%"
}

func (s *Service) suggestNames(ctx context.Context, sql string, args ...any) (all []string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var name string
			err := r.Scan(&name)
			all = append(all, name)
			return err
		}, sql, args...)
	})
	return all, err
}
