package setup

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/privacy"
)

// retentionShape is a rule of what goes by its age. Its id is its kind, for one
// account with a dot and the account's id behind.
type retentionShape struct {
	ID   string `yaml:"id"`
	Days int    `yaml:"days"`
}

func retentionShapeOf(r privacy.Retention) retentionShape {
	id := r.Kind
	if r.Domain != "" {
		id += "." + r.Domain
	}
	return retentionShape{id, r.Days}
}

func (s retentionShape) retention() privacy.Retention {
	kind, domain, _ := strings.Cut(s.ID, ".")
	return privacy.Retention{Kind: kind, Domain: domain, Days: s.Days}
}

var errRetentionKind = fault.New(fault.Invalid, fault.CodeInvalid, "未知类别 {id}；可用：{known}", "unknown kind {id}; there are: {known}").In("id")

var retentionKind = kind[retentionShape]{
	name:  "retention",
	title: locale.Texts{ZH: "保留期限：超过 days 天的记录被删除；id 为类别，某一账号的规则为 类别.账号id。移除规则即不再按期删除", EN: "Retention: what is older than days goes; ids are kinds, of one account's rule kind.account. Without a rule nothing goes by its age"},
	id:    func(s *retentionShape) *string { return &s.ID }, label: func(retentionShape) locale.Texts { return locale.Texts{} },
	form: regexp.MustCompile(`^[a-z]+(\.[a-zA-Z0-9][a-zA-Z0-9._-]{0,31})?$`),
	check: func(_ context.Context, e env, s *retentionShape) []error {
		r := s.retention()
		err := privacy.CheckRetention(r)
		if f, ok := fault.As(err); ok {
			switch f.Field {
			case "kind":
				err = errRetentionKind.With("id", strconv.Quote(r.Kind)).With("known", fault.List(privacy.RetentionKinds))
			case "domain_id":
				err = f.In("id")
			}
		}
		if err != nil {
			return []error{err}
		}
		if r.Domain == "" {
			return nil
		}
		return known(e.domains, "id", r.Domain)
	},
}
