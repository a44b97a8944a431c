package api_test

import (
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

var readContract = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromFile("../../api/v2.yaml") })

// contractOf is what this package serves, read once for all tests: none changes it.
func contractOf(t testing.TB) *openapi3.T {
	t.Helper()
	contract, err := readContract()
	if err != nil {
		t.Fatal(err)
	}
	return contract
}
