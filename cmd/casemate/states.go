package main

import (
	"slices"
	"strconv"
	"strings"
)

// statesByName are the states by number, first as they are shown, then shorter, as
// search takes them.
var statesByName = []struct {
	number int
	open   bool
	names  []string
}{
	{0, true, []string{"待受理", "to be processed", "new", "submitted"}},
	{1, true, []string{"处理中", "processing"}},
	{2, true, []string{"待确认结果", "to be confirmed", "confirm"}},
	{3, false, []string{"已完成", "completed", "done"}},
	{4, false, []string{"已撤销", "canceled", "cancelled"}},
	{5, true, []string{"暂停", "paused"}},
	{12, false, []string{"无效", "invalid"}},
	{13, false, []string{"已删除", "deleted"}},
	{17, true, []string{"待反馈", "pending feedback", "feedback", "pending"}},
}

// states are the numbers of the states that a word means: a number, a name in
// either language, open or closed.
func states(word string) (found []string, err error) {
	folded := strings.ToLower(strings.Join(strings.Fields(word), " "))
	for _, s := range statesByName {
		switch folded {
		case "open", "未完成":
			if !s.open {
				continue
			}
		case "closed", "已结束":
			if s.open || s.number == 13 {
				continue
			}
		default:
			if folded != strconv.Itoa(s.number) && !slices.Contains(s.names, folded) {
				continue
			}
		}
		found = append(found, strconv.Itoa(s.number))
	}
	if found == nil {
		return nil, problem{"没有状态 " + word + "：可用编号或名称，如 0、处理中、open、closed", "there is no state " + word + ": give numbers or names, such as 0, processing, feedback, open, closed"}
	}
	return found, nil
}
