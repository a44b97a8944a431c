package contract

import _ "embed"

// V2 is the contract of the customer API, for those who must know all of its
// operations by name: the self-test.
//
//go:embed v2.yaml
var V2 []byte
