package mailin

import "casemate/internal/locale"

// Outcomes of mails.
const (
	OutcomeTicket  = "ticket"
	OutcomeMessage = "message"
	OutcomeNote    = "note"
	OutcomeBounce  = "bounce"
	OutcomeIgnored = "ignored"
)

// Causes why a mail was ignored or quarantined.
const (
	CauseAutoReply  = "auto_reply"     // an absence assistant or a reading receipt wrote it
	CauseOwn        = "own_mail"       // it is ours
	CauseDuplicate  = "duplicate"      // the same mail made a ticket or message before
	CauseBounce     = "foreign_bounce" // a bounce about a mail that is not ours
	CauseAutomatic  = "automatic"      // a program wrote it, or the null sender sent it
	CauseNoSender   = "no_sender"      // no address to tell who wrote it
	CauseUnreadable = "unreadable"     // it is no mail
	CauseDMARC      = "dmarc_failed"   // our own server says that the sender is forged
	CauseUnproved   = "unauthenticated"
	CauseUnknown    = "unknown_sender" // the address is nobody's
	CauseAmbiguous  = "ambiguous_sender"
	CauseStranger   = "stranger" // it answers a ticket its sender has nothing to do with
	CauseStaff      = "staff"    // a person of the house, without his signed address
	CauseForeign    = "foreign_token"
	CauseTooMany    = "too_many" // too many mails of one address about one ticket, or, a machine's, that would be new tickets
	CauseRefused    = "refused"  // the rules of tickets do not allow it; the words say which
	CauseFailed     = "failed"   // it could not be handled, again and again
	CauseAnswered   = "answered" // an engineer's answer after a colleague's that he did not know of: kept as a note
	CauseTooBig     = "too_big"  // it is over the limit of size and was left in its mailbox
	CauseLeft       = "left"     // it could not be fetched or stored and was left in its mailbox
)

// causes are what people read.
var causes = map[string]locale.Texts{
	CauseAutoReply:  {ZH: "自动回复或已读回执", EN: "an automatic reply or a reading receipt"},
	CauseOwn:        {ZH: "本系统自己发出的邮件", EN: "a mail of our own"},
	CauseDuplicate:  {ZH: "同一封邮件已处理过", EN: "the same mail was handled before"},
	CauseBounce:     {ZH: "与本系统邮件无关的退信", EN: "a bounce about a mail that is not ours"},
	CauseAutomatic:  {ZH: "由程序自动发出的邮件", EN: "a program wrote it"},
	CauseNoSender:   {ZH: "没有可识别的发件人地址", EN: "it names no sender"},
	CauseUnreadable: {ZH: "内容不是邮件", EN: "it is no mail"},
	CauseDMARC:      {ZH: "发件人未通过 DMARC 验证，可能系伪造", EN: "DMARC says that the sender may be forged"},
	CauseUnproved:   {ZH: "发件人未经验证（DMARC）", EN: "nothing proves the sender (DMARC)"},
	CauseUnknown:    {ZH: "发件人不是已登记的用户", EN: "the sender's address is no user's"},
	CauseAmbiguous:  {ZH: "发件人地址属于多个用户，无法确定是谁", EN: "the sender's address is that of several users"},
	CauseStranger:   {ZH: "发件人与所回复的工单无关", EN: "the sender has nothing to do with the ticket it answers"},
	CauseStaff:      {ZH: "发件人是内部人员，但未使用其专用回复地址", EN: "a person of the house wrote without the reply address he was given"},
	CauseForeign:    {ZH: "回复地址不属于该发件人", EN: "the reply address was given to somebody else"},
	CauseTooMany:    {ZH: "同一地址短时间内来信过多", EN: "too many mails of one address in a short time"},
	CauseRefused:    {ZH: "不符合工单规则", EN: "the rules of tickets do not allow it"},
	CauseFailed:     {ZH: "多次处理失败", EN: "it could not be handled, again and again"},
	CauseAnswered:   {ZH: "同事已先答复客户，邮件回复未发送", EN: "a colleague answered before; the reply was not sent"},
	CauseTooBig:     {ZH: "邮件超过大小限制，已留在邮箱中", EN: "the mail is too large; it was left in the mailbox"},
	CauseLeft:       {ZH: "邮件无法收取，已留在邮箱中", EN: "the mail could not be fetched; it was left in the mailbox"},
}

// CauseWords is what a cause means; the zero value for a word that is none.
func CauseWords(cause string) locale.Texts { return causes[cause] }
