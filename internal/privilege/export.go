package privilege

import (
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// MayExport refuses who may not export the tickets of a domain: its main
// account may, others where the main account has granted it to all of its
// users (semantics.md D24). It fails with OSM.01010002, and .11 for callers who
// are no customers of the domain.
func MayExport(tx *db.Tx, who principal.Principal, domain string) error {
	if who.Kind != principal.Customer || who.Domain != domain {
		return errNoCustomer
	}
	if who.Main {
		return nil
	}
	granted, err := exportGranted(tx, domain)
	if err != nil {
		return err
	}
	if !granted {
		return fault.NoPermission
	}
	return nil
}

// exportGranted tells whether the main account lets all its users export. A
// domain cannot hold that grant yet, so nobody has it.
func exportGranted(*db.Tx, string) (bool, error) { return false, nil }

// InGroup refuses a group that the caller is not in; the main account may name
// any of its domain's. Unknown and foreign groups answer alike, naming the field.
func InGroup(tx *db.Tx, who principal.Principal, group, field string) error {
	if who.Kind != principal.Customer {
		return errNoCustomer
	}
	var groups, mine int
	err := tx.Get("SELECT count(*) FROM user_groups WHERE domain_id = ? AND id = ?", who.Domain, group).Scan(&groups)
	if err != nil {
		return err
	}
	err = tx.Get("SELECT count(*) FROM group_members WHERE domain_id = ? AND group_id = ? AND user_id = ?", who.Domain, group, who.User).Scan(&mine)
	if err != nil {
		return err
	}
	if groups == 0 || mine == 0 && !who.Main {
		return fault.NoPermission.In(field)
	}
	return nil
}
