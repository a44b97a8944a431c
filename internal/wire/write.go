package wire

import (
	"context"
	"net/http"

	"github.com/go-faster/jx"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

type headerKey struct{}

// WithHeader lets mappers that only return a body set response headers
// (Retry-After); the server puts the writer's header there.
func WithHeader(ctx context.Context, h http.Header) context.Context {
	return context.WithValue(ctx, headerKey{}, h)
}

// SetRetryAfter sets the header of the answer for this fault and status.
func SetRetryAfter(ctx context.Context, f *fault.Error, status int) {
	h, ok := ctx.Value(headerKey{}).(http.Header)
	if !ok {
		return
	}
	if v := RetryAfter(f, status); v != "" {
		h.Set("Retry-After", v)
	}
}

// Texts are the code and message to show, in the caller's language; neither is
// ever empty, because the SDKs show raw bodies otherwise.
func Texts(ctx context.Context, f *fault.Error) (code, msg string) {
	code = f.Code
	if code == "" {
		code = fault.CodeInternal
	}
	return code, locale.Text(locale.From(ctx).Language, f)
}

type openStackKey struct{}

// WithOpenStack makes Write add OpenStack's error object, for the identity
// surface (semantics.md D28).
func WithOpenStack(ctx context.Context) context.Context {
	return context.WithValue(ctx, openStackKey{}, true)
}

type baseKey struct{}

// WithBase puts the address by which the caller reached the server, without a
// trailing slash, into the context, for answers that hold links.
func WithBase(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseKey{}, base)
}

// Base is the address by which the caller reached the server.
func Base(ctx context.Context) string {
	base, _ := ctx.Value(baseKey{}).(string)
	return base
}

// Write answers with a fault: {"error_code","error_msg"}, and request_id for
// the errors of the door (APIGW codes, as the original gateway does).
func Write(ctx context.Context, w http.ResponseWriter, f *fault.Error, documented bool) {
	status := Status(f, documented)
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if v := RetryAfter(f, status); v != "" {
		h.Set("Retry-After", v)
	}
	w.WriteHeader(status)
	code, msg := Texts(ctx, f)
	e := jx.GetEncoder()
	defer jx.PutEncoder(e)
	e.ObjStart()
	if on, _ := ctx.Value(openStackKey{}).(bool); on {
		e.FieldStart("error")
		e.ObjStart()
		e.FieldStart("code")
		e.Int(status)
		e.FieldStart("title")
		e.Str(http.StatusText(status))
		e.FieldStart("message")
		e.Str(msg)
		e.ObjEnd()
	}
	e.FieldStart("error_code")
	e.Str(code)
	e.FieldStart("error_msg")
	e.Str(msg)
	if id := h.Get("X-Request-Id"); id != "" {
		e.FieldStart("request_id")
		e.Str(id)
	} else if id := principal.From(ctx).RequestID; id != "" {
		e.FieldStart("request_id")
		e.Str(id)
	}
	e.ObjEnd()
	_, _ = w.Write(e.Bytes()) // a client that went away needs no answer
}
