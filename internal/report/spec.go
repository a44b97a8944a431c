package report

import (
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// Units of amounts.
const (
	inMillis = "milliseconds"
	inPoints = "points"
	inMoney  = "thousandths" // of the operator's currency
)

// measure is a figure of a report.
type measure struct {
	name  string
	title locale.Texts
	unit  string   // of the amounts, "" = it only counts
	only  []string // details that count, nil = all
}

// spec is a report.
type spec struct {
	name     string
	title    locale.Texts
	measures []measure
	live     bool // as of now: it has no time and no periods
	by       []string
}

// nowDims are what open tickets are grouped by: the desk's rows have no channel.
var nowDims = []string{"domain", "engineer", "language", "product", "severity", "team"}

// specs are all reports; what happened is grouped by anything that facts have.
var specs = []spec{
	{name: "open", title: locale.Texts{ZH: "未完成工单", EN: "Open tickets"}, live: true, by: nowDims,
		measures: []measure{{name: mOpen, title: locale.Texts{ZH: "未完成", EN: "Open"}}}},
	{name: "backlog", title: locale.Texts{ZH: "积压时长", EN: "Age of the backlog"}, live: true, by: nowDims,
		measures: []measure{{name: mAge, title: locale.Texts{ZH: "已创建时长", EN: "Open, by age"}, unit: inMillis}}},
	{name: "load", title: locale.Texts{ZH: "工程师负载", EN: "Load of engineers"}, by: []string{"engineer"}, measures: []measure{
		{name: mOpen, title: locale.Texts{ZH: "处理中（当前）", EN: "Open now"}}, {name: mCapacity, title: locale.Texts{ZH: "容量（当前）", EN: "Capacity now"}},
		{name: mAnswer, title: locale.Texts{ZH: "答复数", EN: "Answers given"}}}},
	{name: "flow", title: locale.Texts{ZH: "新建与结束", EN: "Created and finished"}, by: Dims, measures: []measure{
		{name: mCreated, title: locale.Texts{ZH: "新建", EN: "Created"}}, {name: mFinished, title: locale.Texts{ZH: "结束", EN: "Finished"}, unit: inMillis},
		{name: mReopened, title: locale.Texts{ZH: "重新打开", EN: "Reopened"}}}},
	{name: "first_answer", title: locale.Texts{ZH: "首次响应", EN: "First answer"}, by: Dims, measures: []measure{{name: mFirst, title: locale.Texts{ZH: "首次响应", EN: "First answer"}, unit: inMillis}}},
	{name: "next_answer", title: locale.Texts{ZH: "后续响应", EN: "Next answers"}, by: Dims, measures: []measure{{name: mNext, title: locale.Texts{ZH: "后续响应", EN: "Next answer"}, unit: inMillis}}},
	{name: "resolution", title: locale.Texts{ZH: "解决", EN: "Resolution"}, by: Dims, measures: []measure{{name: mResolution, title: locale.Texts{ZH: "解决", EN: "Resolved"}, unit: inMillis}}},
	{name: "promises", title: locale.Texts{ZH: "时限预警与超时", EN: "Warnings and overdue"}, by: Dims, measures: []measure{{name: mAlarm, title: locale.Texts{ZH: "预警与超时", EN: "Warnings and overdue"}}}},
	{name: "scores", title: locale.Texts{ZH: "满意度", EN: "Satisfaction"}, by: Dims, measures: []measure{
		{name: mFinished, title: locale.Texts{ZH: "已完成工单", EN: "Completed tickets"}, only: []string{strconv.Itoa(int(ticket.Completed))}, unit: inMillis},
		{name: mRated, title: locale.Texts{ZH: "已评价", EN: "Rated"}}, {name: mComment, title: locale.Texts{ZH: "有评价意见", EN: "With a comment"}},
		{name: mScore, title: locale.Texts{ZH: "评分", EN: "Points"}, unit: inPoints}}},
	{name: "urges", title: locale.Texts{ZH: "催单", EN: "Urges"}, by: Dims, measures: []measure{{name: mUrge, title: locale.Texts{ZH: "催单", EN: "Urges"}}}},
	{name: "changes", title: locale.Texts{ZH: "重开、转派、合并与拆分", EN: "Reopened, transferred, merged, split"}, by: Dims, measures: []measure{
		{name: mReopened, title: locale.Texts{ZH: "重新打开", EN: "Reopened"}}, {name: mChange, title: locale.Texts{ZH: "变更", EN: "Changes"}}}},
	{name: "states", title: locale.Texts{ZH: "各状态停留时间", EN: "Time in each state"}, by: Dims, measures: []measure{{name: mState, title: locale.Texts{ZH: "停留", EN: "Stays"}, unit: inMillis}}},
	{name: "automation", title: locale.Texts{ZH: "宏与规则", EN: "Macros and rules"}, by: []string{"domain", "engineer", "language", "product"}, measures: []measure{
		{name: mMacro, title: locale.Texts{ZH: "宏的使用", EN: "Macros run"}}, {name: mRule, title: locale.Texts{ZH: "规则的执行", EN: "Rules run"}}}},
	{name: "codes", title: locale.Texts{ZH: "验证码", EN: "Verification codes"}, by: []string{"domain", "provider"}, measures: []measure{
		{name: mCode, title: locale.Texts{ZH: "请求的验证码", EN: "Codes asked for"}}, sentMeasure, deliveredMeasure, failedMeasure, pendingMeasure, costMeasure}},
	{name: "deliveries", title: locale.Texts{ZH: "发送", EN: "Deliveries"}, by: []string{"domain", "provider"}, measures: []measure{sentMeasure, deliveredMeasure, failedMeasure, pendingMeasure, costMeasure}},
}

// What is counted of the ledger of messages, and of now.
const (
	mOpen      = "open"
	mAge       = "age"
	mCapacity  = "capacity"
	mSent      = "sent"
	mDelivered = "delivered"
	mFailed    = "failed"
	mPending   = "pending"
	mCost      = "cost"
)

var (
	sentMeasure      = measure{name: mSent, title: locale.Texts{ZH: "服务商已接收", EN: "Taken by the provider"}}
	deliveredMeasure = measure{name: mDelivered, title: locale.Texts{ZH: "确认送达", EN: "Delivered"}}
	failedMeasure    = measure{name: mFailed, title: locale.Texts{ZH: "失败", EN: "Failed"}}
	pendingMeasure   = measure{name: mPending, title: locale.Texts{ZH: "进行中或未知", EN: "Under way or unknown"}}
	costMeasure      = measure{name: mCost, title: locale.Texts{ZH: "费用", EN: "Cost"}, unit: inMoney}
)

// Names are all reports, in the order in which they are offered.
func Names() (names []string) {
	for _, s := range specs {
		names = append(names, s.name)
	}
	return names
}

func specOf(name string) (spec, bool) {
	for _, s := range specs {
		if s.name == name {
			return s, true
		}
	}
	return spec{}, false
}

func (s spec) measure(name string) (measure, bool) {
	for _, m := range s.measures {
		if m.name == name {
			return m, true
		}
	}
	return measure{}, false
}

var dimNames = map[string]locale.Texts{
	"channel": {ZH: "渠道", EN: "Channel"}, "domain": {ZH: "客户", EN: "Customer"}, "engineer": {ZH: "工程师", EN: "Engineer"}, "language": {ZH: "语言", EN: "Language"},
	"product": {ZH: "产品", EN: "Product"}, "severity": {ZH: "级别", EN: "Severity"}, "team": {ZH: "团队", EN: "Team"}, "provider": {ZH: "服务商", EN: "Provider"},
}

var nobody = map[string]locale.Texts{
	"engineer": {ZH: "（无处理人）", EN: "(nobody)"}, "team": {ZH: "（无团队）", EN: "(no team)"}, "severity": {ZH: "（无级别）", EN: "(none)"},
}

var detailNames = map[string]locale.Texts{
	"merge": {ZH: "合并", EN: "Merged"}, "split": {ZH: "拆分", EN: "Split"}, "move": {ZH: "移动消息", EN: "Messages moved"}, "undo": {ZH: "撤销变更", EN: "Undone"}, "transfer": {ZH: "转派", EN: "Transferred"},
	"mail": {ZH: "邮件", EN: "Mail"}, "sms": {ZH: "短信", EN: "Text message"}, "api": {ZH: "接口与控制台", EN: "API and console"},
	"warned": {ZH: "预警", EN: "Warned"}, "breached": {ZH: "超时", EN: "Overdue"}, "escalated": {ZH: "升级", EN: "Escalated"},
}

// ages are the classes of the backlog: up to so many hours.
var ages = []struct {
	id    string
	hours int64
	title locale.Texts
}{
	{"4h", 4, locale.Texts{ZH: "4 小时以内", EN: "Up to 4 hours"}}, {"1d", 24, locale.Texts{ZH: "4 小时至 1 天", EN: "4 hours to 1 day"}}, {"3d", 72, locale.Texts{ZH: "1 至 3 天", EN: "1 to 3 days"}},
	{"7d", 168, locale.Texts{ZH: "3 至 7 天", EN: "3 to 7 days"}}, {"14d", 336, locale.Texts{ZH: "7 至 14 天", EN: "7 to 14 days"}}, {"30d", 720, locale.Texts{ZH: "14 至 30 天", EN: "14 to 30 days"}},
	{"90d", 2160, locale.Texts{ZH: "30 至 90 天", EN: "30 to 90 days"}}, {"older", 0, locale.Texts{ZH: "90 天以上", EN: "Over 90 days"}},
}

// ageOf is the class of an age in milliseconds: the first whose bound is above it.
func ageOf(age int64) string {
	for _, a := range ages {
		if a.hours == 0 || age < a.hours*3_600_000 {
			return a.id
		}
	}
	return ""
}

// detailName is what a detail is called.
func detailName(cat *catalog.Catalog, measure, detail string, lang locale.Language) string {
	switch measure {
	case mFinished, mState, mOpen:
		if n, err := strconv.Atoi(detail); err == nil {
			if n == int(ticket.Deleted) {
				return locale.Texts{ZH: "已删除", EN: "Deleted"}.In(lang)
			}
			return ticket.Status(n).Name(lang)
		}
	case mAlarm:
		mark, clock, _ := strings.Cut(detail, ".")
		return detailNames[mark].In(lang) + " · " + ticket.KindName(sla.Kind(clock), lang)
	case mScore:
		return cat.Name(catalog.KindDimension, detail, lang)
	case mAge:
		for _, a := range ages {
			if a.id == detail {
				return a.title.In(lang)
			}
		}
	}
	return detailNames[detail].In(lang)
}
