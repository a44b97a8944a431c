// Package wire is what the mappers of all surfaces share: how a generated
// decoder's error becomes a fault, which HTTP status a fault has, and how it
// is written. It knows no surface and no noun.
package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-faster/jx"
	ht "github.com/ogen-go/ogen/http"
	"github.com/ogen-go/ogen/middleware"
	"github.com/ogen-go/ogen/ogenerrors"
	"github.com/ogen-go/ogen/openapi"
	"github.com/ogen-go/ogen/validate"

	"casemate/internal/fault"
)

// Faults that arise before a noun is reached (contract/errors.csv).
var (
	ErrMalformed   = fault.New(fault.Invalid, fault.CodeMalformed, "请求体不是有效的 JSON", "the request body is not valid JSON")
	ErrWrongType   = fault.New(fault.Invalid, fault.CodeMalformed, "参数 {field} 的类型不正确", "{field} has the wrong type")
	ErrContentType = fault.New(fault.Invalid, fault.CodeMalformed, "不支持的 Content-Type：{type}", "Content-Type not supported: {type}")
	ErrNoBody      = fault.New(fault.Invalid, fault.CodeInvalid, "缺少请求体", "a request body is required").In("body")
	ErrUnreadable  = fault.New(fault.Invalid, "APIGW.0201", "请求格式不合法：{why}", "API request error: {why}")
	ErrTooLarge    = fault.New(fault.TooLarge, "APIGW.0201", "请求体过大，最多 {max} 字节", "Request entity too large: at most {max} bytes")
	ErrNoAPI       = fault.New(fault.NotFound, "APIGW.0101", "API 不存在或未发布：{method} {path}", "The API does not exist or has not been published in the environment: {method} {path}")
	ErrNoSpace     = fault.New(fault.Unavailable, fault.CodeInternal, "存储空间不足", "no space left to store this").After(10 * time.Second)
	ErrThrottled   = fault.New(fault.TooMany, "APIGW.0308", "请求过于频繁", "The throttling threshold has been reached")
	ErrNoToken     = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：缺少 x-auth-token", "Incorrect IAM authentication information: x-auth-token not found")

	errTooSmall  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不得小于 {min}", "{field} must be at least {min}")
	errTooBig    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不得大于 {max}", "{field} must be at most {max}")
	errTooShort  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 至少 {min} 个字符", "{field} must have at least {min} characters")
	errTooFew    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 至少 {min} 项", "{field} must have at least {min} items")
	errPattern   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 格式不正确", "{field} does not have the documented form")
	errNoField   = fault.New(fault.Invalid, fault.CodeInvalid, "没有参数 {field}", "there is no field {field}")
	errDuplicate = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 含有重复项", "{field} has an item twice")
)

// KnownQuery refuses a query parameter that the operation's contract does not
// have, with OSM.01010001 naming it: a filter written wrongly would otherwise
// answer everything. Of the surfaces of this product; the vendor's passes over
// unknown ones. others names operations whose callers add parameters of
// their own.
func KnownQuery(req middleware.Request, others ...string) error {
	if req.Raw.URL.RawQuery == "" || slices.Contains(others, req.OperationID) {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(req.Raw.URL.Query())) {
		if _, ok := req.Params[middleware.ParameterKey{Name: name, In: openapi.LocationQuery}]; !ok {
			return errNoField.In(name)
		}
	}
	return nil
}

// statusGone is what the log says of a request whose caller went away before
// the answer; nobody reads it. It is nginx's number for that.
const statusGone = 499

// errGone is the answer that nobody waits for any more.
var errGone = fault.New(fault.Gone, fault.CodeInternal, "请求已被调用方取消", "the caller gave the request up")

// gone tells that the caller went away.
func gone(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// Fault finds or makes the fault for any error of a surface: a noun's own
// fault, a decoder's or validator's error, or the internal one, which is
// logged here and shown without its text; that of a caller who went away is
// neither the server's fault nor worth more than a debug line.
func Fault(ctx context.Context, log *slog.Logger, err error) *fault.Error {
	if f, ok := fault.As(err); ok {
		if f.Kind == fault.Internal && gone(ctx) {
			log.DebugContext(ctx, "request given up", "error", err)
			return errGone
		}
		if f.Kind == fault.Internal {
			log.ErrorContext(ctx, "internal fault", "error", err)
		}
		return f
	}
	if f := decode(err); f != nil {
		return f
	}
	if gone(ctx) {
		log.DebugContext(ctx, "request given up", "error", err)
		return errGone
	}
	log.ErrorContext(ctx, "unknown error", "error", err)
	return fault.Broken
}

// decode knows the errors of the generated code (ogen), one case each.
func decode(err error) *fault.Error {
	var (
		tooLarge  *http.MaxBytesError
		mediaType *validate.InvalidContentTypeError
		param     *ogenerrors.DecodeParamError
		body      *ogenerrors.DecodeBodyError
		security  *ogenerrors.SecurityError
		params    *ogenerrors.DecodeParamsError
		request   *ogenerrors.DecodeRequestError
	)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT): // an upload put aside
		return ErrNoSpace
	case errors.As(err, &tooLarge):
		return ErrTooLarge.With("max", tooLarge.Limit)
	case errors.As(err, &security):
		return ErrNoToken
	case errors.Is(err, validate.ErrBodyRequired):
		return ErrNoBody
	case errors.As(err, &mediaType):
		return ErrContentType.With("type", mediaType.ContentType)
	case errors.As(err, &param):
		return field(param.Err, param.Name)
	case errors.As(err, &body):
		if !jx.Valid(body.Body) {
			return ErrMalformed
		}
		return field(body.Err, "")
	case errors.As(err, &params), errors.As(err, &request):
		if v := new(validate.Error); errors.As(err, &v) {
			return field(err, "")
		}
		if f := formPart(err); f != nil {
			return f
		}
		if strings.Contains(err.Error(), "media type") || strings.Contains(err.Error(), "mime:") {
			return ErrContentType.With("type", "?")
		}
		return ErrUnreadable.With("why", "decode")
	case errors.Is(err, ht.ErrNotImplemented):
		return fault.Later.With("what", "")
	}
	return nil
}

var (
	partMissing = regexp.MustCompile(`query parameter "([^"]+)" not set`)
	partBroken  = regexp.MustCompile(`decode "([^"]+)"`)
)

// formPart finds what is wrong with a part of a form; a part's own rules are
// told without its name.
func formPart(err error) *fault.Error {
	text := err.Error()
	if m := partMissing.FindStringSubmatch(text); m != nil {
		return fault.Missing.In(m[1])
	}
	if m := partBroken.FindStringSubmatch(text); m != nil {
		return field(err, m[1])
	}
	var (
		long  *validate.MaxLengthError
		short *validate.MinLengthError
	)
	if errors.As(err, &long) || errors.As(err, &short) {
		return field(err, "")
	}
	return nil
}

var (
	fieldName = regexp.MustCompile(`decode field "([^"]+)"`)
	// A body that takes no other fields is refused with the name of the first one.
	unexpected = regexp.MustCompile(`unexpected field "([A-Za-z0-9_.-]{1,64})"`)
	bound      = regexp.MustCompile(`(greater|less) than(?: or equal to)? (-?\d+(?:\.\d+)?)`)
)

// field describes a validator's or a value decoder's error; at is the wire
// name of the place it happened, "" for the body.
func field(err error, at string) *fault.Error {
	for {
		var v *validate.Error
		if !errors.As(err, &v) || len(v.Fields) == 0 {
			break
		}
		// Decoding wraps each level as text, validating nests errors.
		at = join(at, textPath(strings.SplitN(err.Error(), "invalid:", 2)[0]))
		at = join(at, v.Fields[0].Name)
		err = v.Fields[0].Error
	}
	text := err.Error()
	var (
		long  *validate.MaxLengthError
		short *validate.MinLengthError
		regex *validate.NoRegexMatchError
		twice *validate.DuplicateItemsError
	)
	list := strings.Contains(text, "array")
	switch {
	case errors.Is(err, validate.ErrFieldRequired), strings.Contains(text, "value is not set"),
		strings.Contains(text, "not set"), strings.Contains(text, "nil is invalid"):
		return fault.Missing.In(at)
	case errors.As(err, &long) && list:
		return fault.TooManyItems.In(at).With("max", long.MaxLength)
	case errors.As(err, &long):
		return fault.TooLong.In(at).With("max", long.MaxLength)
	case errors.As(err, &short) && list:
		return errTooFew.In(at).With("min", short.MinLength)
	case errors.As(err, &short):
		return errTooShort.In(at).With("min", short.MinLength)
	case errors.As(err, &regex):
		return errPattern.In(at)
	case errors.As(err, &twice):
		return errDuplicate.In(at)
	case strings.Contains(text, "invalid value"):
		return fault.Unknown.In(at)
	}
	if m := unexpected.FindStringSubmatch(text); m != nil {
		return errNoField.In(join(at, m[1]))
	}
	if m := bound.FindStringSubmatch(text); m != nil {
		if m[1] == "greater" {
			return errTooBig.In(at).With("max", m[2])
		}
		return errTooSmall.In(at).With("min", m[2])
	}
	if at = join(at, textPath(text)); at == "" {
		at = "body" // JSON, but no object
	}
	return ErrWrongType.In(at)
}

func textPath(text string) string {
	var names []string
	for _, m := range fieldName.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return strings.Join(names, ".")
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "" || a == b || strings.HasSuffix(a, "."+b):
		return a
	case strings.HasPrefix(b, "["):
		return a + b
	}
	return a + "." + b
}

// Status is the HTTP status of a fault (semantics.md D1). With documented,
// business errors (OSM.0101....) go out with 200 as the vendor's table says.
func Status(f *fault.Error, documented bool) int {
	if n, ok := strings.CutPrefix(f.Code, "OSM.0101"); ok {
		if documented {
			return http.StatusOK
		}
		switch n, _ := strconv.Atoi(n); n {
		case 1, 3, 6, 8, 10, 12, 13, 16, 30, 31, 47:
			return http.StatusBadRequest
		case 2, 7, 9, 11:
			return http.StatusForbidden
		case 15, 32, 57, 62:
			return http.StatusNotFound
		case 48, 49, 50, 51, 55, 56, 58, 59, 61:
			return http.StatusConflict
		case 4, 5, 23, 24:
			return http.StatusTooManyRequests
		}
		return http.StatusInternalServerError
	}
	switch f.Kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.NotBuilt:
		return http.StatusNotImplemented
	case fault.Gone:
		return statusGone
	}
	return http.StatusInternalServerError
}

// RetryAfter is the value of the Retry-After header for the status: whole
// seconds, at least 1 with every 429 and 503 (threats.md E3), "" with others.
func RetryAfter(f *fault.Error, status int) string {
	if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable && f.RetryAfter <= 0 {
		return ""
	}
	secs := int64((f.RetryAfter + 999_999_999) / 1_000_000_000)
	return fmt.Sprint(max(secs, 1))
}
