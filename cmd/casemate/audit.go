package main

import (
	"fmt"

	"casemate/internal/event"
)

// damagesZH are the ways in which the event chain may not hold, in Chinese.
var damagesZH = map[event.Damage]string{event.Changed: "被修改", event.Removed: "被删除", event.Inserted: "被插入", event.Moved: "被移动", event.Cut: "末尾缺失",
	event.BadHead: "编号末端不符", event.Forged: "锚点或检查点不真实", event.Unsigned: "与已签名的检查点不符"}

// chainSays is what a check of the event chain found, in both languages.
func chainSays(r event.Report) problem {
	if r.OK() {
		return problem{fmt.Sprintf("共 %d 条事件，链完整，至第 %d 条（%d 个锚点，%d 个检查点，%d 条尚未封存）", r.Events, r.Last, r.Anchors, r.Checkpoints, r.Unsealed), r.String()}
	}
	b := r.Broken[0]
	return problem{fmt.Sprintf("共 %d 条事件，%d 处不符，首处为第 %d 条（%s）：%s", r.Events, r.Damages, b.Seq, damagesZH[b.Damage], b.Why), r.String()}
}
