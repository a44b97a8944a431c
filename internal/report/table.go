package report

import (
	"strconv"
	"time"

	"casemate/internal/locale"
	"casemate/internal/sheet"
)

// columns of a report as a table.
var columns = []struct {
	title locale.Texts
	width float64
	cell  func(f Figure) string
}{
	{locale.Texts{ZH: "周期", EN: "Period"}, 14, func(f Figure) string { return f.Period.Name }},
	{locale.Texts{ZH: "分组", EN: "Group"}, 28, func(f Figure) string { return f.GroupName }},
	{locale.Texts{ZH: "分组 ID", EN: "Group id"}, 28, func(f Figure) string { return f.Group }},
	{locale.Texts{ZH: "指标", EN: "Figure"}, 22, func(f Figure) string { return f.MeasureName }},
	{locale.Texts{ZH: "明细", EN: "Detail"}, 28, func(f Figure) string { return f.DetailName }},
	{locale.Texts{ZH: "明细 ID", EN: "Detail id"}, 20, func(f Figure) string { return f.Detail }},
	{locale.Texts{ZH: "数量", EN: "Count"}, 10, func(f Figure) string { return strconv.FormatInt(f.Count, 10) }},
	{locale.Texts{ZH: "单位", EN: "Unit"}, 14, func(f Figure) string { return f.Unit }},
	{locale.Texts{ZH: "合计", EN: "Sum"}, 16, func(f Figure) string { return where(f.Unit != "", f.Sum) }},
	{locale.Texts{ZH: "平均", EN: "Average"}, 16, func(f Figure) string {
		if f.Unit == "" || f.Count == 0 {
			return ""
		}
		return strconv.FormatFloat(float64(f.Sum)/float64(f.Count), 'f', 2, 64)
	}},
	{locale.Texts{ZH: "P50", EN: "P50"}, 14, func(f Figure) string { return where(f.Unit == inMillis, f.P50) }},
	{locale.Texts{ZH: "P90", EN: "P90"}, 14, func(f Figure) string { return where(f.Unit == inMillis, f.P90) }},
	{locale.Texts{ZH: "按时", EN: "In time"}, 10, func(f Figure) string { return where(f.Promised, f.Met) }},
	{locale.Texts{ZH: "超时", EN: "Overdue"}, 10, func(f Figure) string { return where(f.Promised, f.Missed) }},
	{locale.Texts{ZH: "按时率 %", EN: "In time %"}, 10, func(f Figure) string {
		if !f.Promised {
			return ""
		}
		return strconv.FormatFloat(float64(f.MetTenths())/10, 'f', 1, 64)
	}},
}

func where(is bool, n int64) string {
	if !is {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// Widths are those of the table's columns, in characters.
func Widths() (all []float64) {
	for _, c := range columns {
		all = append(all, c.width)
	}
	return all
}

// Write writes the report as a table with headings, and as its last row as of
// when it is; it closes the table.
func (r Report) Write(to sheet.Writer, l locale.Locale) error {
	row := make([]string, len(columns))
	for i, c := range columns {
		row[i] = c.title.In(l.Language)
	}
	if err := to.Row(row); err != nil {
		return err
	}
	for _, f := range r.Figures {
		for i, c := range columns {
			row[i] = c.cell(f)
		}
		if err := to.Row(row); err != nil {
			return err
		}
	}
	clear(row)
	row[0] = locale.Texts{ZH: "截至事件", EN: "As of event"}.In(l.Language) + " " + strconv.FormatInt(r.Seq, 10) + ", " + time.UnixMilli(r.At).In(l.Zone).Format(time.RFC3339)
	if err := to.Row(row); err != nil {
		return err
	}
	return to.Close()
}
