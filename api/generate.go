// Package contract carries the wire contracts of Casemate: v2.yaml (customers),
// desk.yaml (engineers and administration) and web.yaml (browser sessions); the
// latter two are not served yet. They are the source of the generated code of
// the surfaces; change them first, then run make generate.
package contract
