package ticket

import (
	"fmt"
	"strings"

	"casemate/internal/locale"
	"casemate/internal/sla"
)

var kindNames = map[sla.Kind]locale.Texts{
	sla.FirstAnswer: {ZH: "首次响应", EN: "First answer"},
	sla.NextAnswer:  {ZH: "后续响应", EN: "Next answer"},
	sla.Resolution:  {ZH: "解决", EN: "Resolution"},
}

var clockStates = map[sla.State]locale.Texts{
	sla.Running:  {ZH: "计时中", EN: "running"},
	sla.Paused:   {ZH: "暂停计时", EN: "paused"},
	sla.Met:      {ZH: "按时完成", EN: "in time"},
	sla.Breached: {ZH: "已超时", EN: "overdue"},
	sla.Stopped:  {ZH: "工单已结束，停止计时", EN: "stopped, the ticket ended"},
}

var reasonNames = map[sla.Reason]locale.Texts{
	sla.InHours:      {ZH: "服务时间内", EN: "in service hours"},
	sla.ExtraDay:     {ZH: "调休工作日", EN: "extra working day"},
	sla.OutsideHours: {ZH: "非服务时间", EN: "outside service hours"},
	sla.DayOff:       {ZH: "休息日", EN: "day off"},
	sla.OnHoliday:    {ZH: "节假日", EN: "holiday"},
	sla.OnPause:      {ZH: "工单已暂停", EN: "the ticket was paused"},
	sla.ForCustomer:  {ZH: "等待客户反馈", EN: "waiting for the customer"},
	sla.ForConfirm:   {ZH: "等待客户确认结果", EN: "waiting for the customer's word on the solution"},
	sla.Ended:        {ZH: "工单已结束", EN: "the ticket was over"},
}

// KindName is what people call a target.
func KindName(k sla.Kind, lang locale.Language) string { return kindNames[k].In(lang) }

// ClockStateName is what people call the state of a clock.
func ClockStateName(s sla.State, lang locale.Language) string { return clockStates[s].In(lang) }

// ReasonName says why an interval counted or not, with the holiday's name.
func ReasonName(r sla.Rule, i sla.Interval, lang locale.Language) string {
	name := reasonNames[i.Reason].In(lang)
	if i.Holiday > 0 && i.Holiday <= len(r.Calendar.Holidays) {
		if h := r.Calendar.Holidays[i.Holiday-1].Name.In(lang); h != "" {
			return name + locale.Texts{ZH: "：", EN: ": "}.In(lang) + h
		}
	}
	return name
}

// Amount is a duration in words, to the second.
func Amount(ms int64, lang locale.Language) string {
	units := []struct {
		ms   int64
		name locale.Texts
	}{{3_600_000, locale.Texts{ZH: " 小时", EN: " h"}}, {60_000, locale.Texts{ZH: " 分钟", EN: " min"}}, {1000, locale.Texts{ZH: " 秒", EN: " s"}}}
	sign := ""
	if ms < 0 {
		sign, ms = "-", -ms
	}
	var parts []string
	for _, u := range units {
		if n := ms / u.ms; n > 0 {
			parts = append(parts, fmt.Sprint(n)+u.name.In(lang))
			ms -= n * u.ms
		}
	}
	if len(parts) == 0 {
		return "0" + units[1].name.In(lang)
	}
	return sign + strings.Join(parts, " ")
}

// Summary is the sum of a clock in one line.
func Summary(c sla.Clock, lang locale.Language) string {
	n := 0
	for _, i := range c.Intervals {
		if i.Counted {
			n++
		}
	}
	form := locale.Texts{ZH: "目标 %s，已计 %s（共 %d 段，计入 %d 段），%s %s",
		EN: "target %s, counted %s (in %[4]d of %[3]d intervals), %[5]s %[6]s"}.In(lang)
	left, over := locale.Texts{ZH: "剩余", EN: "left"}.In(lang), locale.Texts{ZH: "超时", EN: "overdue by"}.In(lang)
	// In whole seconds that add up.
	used := c.Used / 1000 * 1000
	rest := c.Target - used
	if c.Left < 0 {
		used = (c.Used + 999) / 1000 * 1000
		left, rest = over, used-c.Target
	}
	sum := fmt.Sprintf(form, Amount(c.Target, lang), Amount(used, lang), len(c.Intervals), n, left, Amount(rest, lang))
	if c.Left < 0 && c.State == sla.Breached {
		return sum // which is said already
	}
	return sum + locale.Texts{ZH: "，", EN: ", "}.In(lang) + ClockStateName(c.State, lang)
}
