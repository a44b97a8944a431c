package main

import (
	"context"
	"fmt"

	"casemate/internal/server"
)

type doctorCmd struct {
	storeFlags
	Recount bool `help:"Prove counters, labels, the desk's rows and the search index against the tables. It is what the command does without flags, too."`
	Fix     bool `help:"Mend what is found. The server must be stopped."`
	Most    int  `help:"How many differences to print." default:"50"`
}

// differencesZH are what can differ, in Chinese.
var differencesZH = map[string]string{"counter": "计数", "label": "标签行", "row": "工单台行", "index": "检索索引", "article": "文章引用", "fact": "报表事实", "figures of a day": "报表日汇总"}

// Run looks, and fails when something is left that differs.
func (c doctorCmd) Run(ctx context.Context, o *output) error {
	found, err := server.Doctor(ctx, c.options(logger(o.err, "warn", false)), c.Fix)
	if err != nil {
		return err
	}
	for i, d := range found {
		if i == c.Most {
			o.printf(o.say("……还有 %d 处\n", "... and %d more\n"), len(found)-i)
			break
		}
		o.printf("%s\t%s\t%s\t%s\t%s\n", o.say(differencesZH[d.What], d.What), clean(d.Domain), clean(d.Name), clean(d.Have), clean(d.Want))
	}
	broken := 0 // what people must mend
	for _, d := range found {
		if d.What == "article" {
			broken++
		}
	}
	mended := len(found) - broken
	switch {
	case len(found) == 0:
		fmt.Fprintln(o.out, o.say("计数与索引均与数据一致", "counters and index are equal to the tables"))
	case mended == 0:
		return problem{fmt.Sprintf("%d 处文章引用失效；请修改相应文本或重新发布文章", broken), fmt.Sprintf("%d references to articles are broken: change the texts or publish the articles again", broken)}
	case c.Fix && broken > 0:
		return problem{fmt.Sprintf("发现 %d 处差异，已修复；另有 %d 处文章引用失效，请修改相应文本或重新发布文章", mended, broken), fmt.Sprintf("%d differences found and mended; %d references to articles are broken: change the texts or publish the articles again", mended, broken)}
	case c.Fix:
		o.printf(o.say("发现 %d 处差异，已修复\n", "%d differences found and mended\n"), len(found))
	default:
		return problem{fmt.Sprintf("发现 %d 处差异；停止服务后用 --fix 修复", mended), fmt.Sprintf("%d differences: --fix mends them while the server is stopped", mended)}
	}
	return nil
}
