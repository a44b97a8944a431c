package api

import "casemate/internal/fault"

// Operations that are not built yet: written methods that say so with 501
// (semantics.md D28), so that a forgotten operation does not compile. They call
// later until their noun exists; the test run prints what is left.

func later[T any](operation string) (T, error) {
	var none T
	return none, fault.Later.With("what", operation)
}
