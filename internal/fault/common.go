package fault

import "strings"

// Faults of the common kinds. Nouns declare their own beside the rule they
// guard; these serve where no more precise text exists.
var (
	// Missing: a mandatory field is absent or empty.
	Missing = New(Invalid, CodeInvalid, "缺少必填参数 {field}", "{field} is required")
	// TooLong: a text has more characters than {max}.
	TooLong = New(Invalid, CodeInvalid, "参数 {field} 最多 {max} 个字符", "{field} may have at most {max} characters")
	// OutOfRange: a number is outside {min}..{max}.
	OutOfRange = New(Invalid, CodeInvalid, "参数 {field} 须在 {min} 到 {max} 之间", "{field} must be between {min} and {max}")
	// TooManyItems: a list has more items than {max}.
	TooManyItems = New(Invalid, CodeInvalid, "参数 {field} 最多 {max} 项", "{field} may have at most {max} items")
	// Unknown: the value is not one of those allowed or known.
	Unknown = New(Invalid, CodeInvalid, "参数 {field} 的值无效", "the value of {field} is not known")
	// NotOneOf: the value is none of the few {known} ones; OneOf makes it.
	NotOneOf = New(Invalid, CodeInvalid, "参数 {field} 的值无效，可用：{known}", "the value of {field} is not known; there are: {known}")
	// BadFormat: the value does not have the documented form ({form}).
	BadFormat = New(Invalid, CodeInvalid, "参数 {field} 格式不正确，应为 {form}", "{field} must have the form {form}")
	// NoPermission: the caller may not do this.
	NoPermission = New(Forbidden, CodeNoPermission, "没有操作权限", "No operation permission.")
	// NoTicket: unknown, deleted and foreign tickets alike (semantics.md D9).
	NoTicket = New(NotFound, CodeNoTicket, "工单不存在", "This case does not exist.")
	// Later: part of the contract that is not built yet (semantics.md D28); {what} names it.
	Later = New(NotBuilt, CodeInternal, "尚未支持：{what}", "not supported yet: {what}")
	// Busy: the service cannot take this now.
	Busy = New(Unavailable, CodeInternal, "服务繁忙，请稍后再试", "The service is busy, please try again later.")
	// Broken is what an unknown error looks like from outside.
	Broken = New(Internal, CodeInternal, "服务内部错误", "Internal error.")
)

// OneOf is the fault of a field whose value is none of the known ones, which it
// tells.
func OneOf[S ~string](field string, known ...S) *Error {
	list := make(List, len(known))
	for i, k := range known {
		list[i] = string(k)
	}
	return NotOneOf.In(field).With("known", list)
}

// List is a value of several words; how they are joined depends on the language.
type List []string

// String joins them as English has it, and logs.
func (l List) String() string { return strings.Join(l, ", ") }
