package catalog

import (
	"context"

	"casemate/internal/fault"
	"casemate/internal/locale"
)

// checkArticles holds the articles that templates refer to against the judge.
func (c *content) checkArticles(ctx context.Context, judge func(ctx context.Context, text string) error) ([]Mistake, error) {
	k := &checker{}
	for _, t := range c.templates {
		for _, l := range []struct{ lang, text string }{{"zh", t.Content.ZH}, {"en", t.Content.EN}} {
			err := judge(ctx, l.text)
			f, ok := fault.As(err)
			switch {
			case err == nil:
			case ok && f.Kind == fault.Invalid:
				f = f.In("content." + l.lang)
				k.say(t.at.In("content", l.lang), "%[1]s", "%[2]s", locale.Text(locale.ZH, f), locale.Text(locale.EN, f))
			default:
				return nil, err
			}
		}
	}
	return k.wrong, nil
}
