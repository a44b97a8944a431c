package ticket

import (
	"casemate/internal/fault"
	"casemate/internal/locale"
)

// steps are what people call changes of a ticket that the customer's audit
// (traces) has no line for.
var steps = map[string]locale.Texts{
	"ticket." + StepAssign:   {ZH: "转派", EN: "Ticket assigned"},
	"ticket." + StepRelease:  {ZH: "退回", EN: "Ticket given back"},
	"ticket." + StepTransfer: {ZH: "转移", EN: "Ticket transferred"},
	"ticket." + StepSeverity: {ZH: "修改级别", EN: "Severity changed"},
	"ticket." + StepTag:      {ZH: "添加内部标签", EN: "Tags put on"},
	"ticket." + StepUntag:    {ZH: "移除内部标签", EN: "Tags taken off"},
	kindNote:                 {ZH: "备注", EN: "Note written"},
	kindAbsorb:               {ZH: "并入其他工单的消息", EN: "Another ticket merged into it"},
	kindReceive:              {ZH: "移入消息", EN: "Messages received"},
	kindWake:                 {ZH: "延后到期", EN: "Snooze ended"},
	"ticket.read":            {ZH: "已读", EN: "Messages read"},
	"ticket.snooze":          {ZH: "延后", EN: "Snoozed"},
	"ticket.unsnooze":        {ZH: "取消延后", EN: "Snooze taken back"},
	"attachment.claim":       {ZH: "添加附件", EN: "Files added"},
	eventWarned:              {ZH: "即将超时", EN: "Nearly due"},
	eventEscalated:           {ZH: "上报主管", EN: "Escalated"},
	eventBreached:            {ZH: "超时", EN: "Overdue"},
	eventTurned:              {ZH: "服务时限随配置变更", EN: "Targets changed with the configuration"},
	KindWithheld:             {ZH: "消息未发送", EN: "Message not sent"},
}

// untold is a change that the history does not tell, or has no name.
var untold = locale.Texts{ZH: "其他变更", EN: "another change"}

// stepName is what people call the change that an event tells of.
func stepName(kind string) locale.Texts {
	if n, ok := steps[kind]; ok {
		return n
	}
	if t, ok := traces[kind]; ok {
		return t.title
	}
	return untold
}

// naming gives a fault the name of a change in both languages.
func naming(f *fault.Error, kind string) *fault.Error {
	n := stepName(kind)
	return f.With("kind.zh", n.ZH).With("kind.en", n.EN)
}
