// Package contract carries the wire contracts of Casemate: v2.yaml (customers),
// iam.yaml (identity), desk.yaml (engineers and administration) and web.yaml
// (browser sessions). They are the source of the generated code of the
// surfaces; change them first, then run make generate.
package contract
