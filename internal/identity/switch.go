package identity

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Switch is one of the things a main account allows or forbids its sub-users
// (semantics.md D24).
type Switch string

// The switches.
const (
	SwitchSubmitByPermission Switch = "submit_by_permission" // sub-users submit only when a group permits it
	SwitchExport             Switch = "export_by_users"      // sub-users export tickets
	SwitchAssumeAll          Switch = "assume_all"           // sub-users act on every ticket of the domain
)

// switches are the statements that set each.
var switches = map[Switch]string{
	SwitchSubmitByPermission: "UPDATE domains SET submit_by_permission = ? WHERE id = ?",
	SwitchExport:             "UPDATE domains SET export_by_users = ? WHERE id = ?",
	SwitchAssumeAll:          "UPDATE domains SET assume_all = ? WHERE id = ?",
}

// Set turns a switch of the caller's domain on or off; it holds at once here and
// within a second on other nodes (threats.md B8). Main account only. Setting it
// as it is changes nothing.
func (s *Service) Set(ctx context.Context, who principal.Principal, sw Switch, on bool) error {
	if switches[sw] == "" || who.Kind != principal.Customer || !who.Main {
		return fault.NoPermission
	}
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		d, err := DomainIn(tx, who.Domain)
		if err != nil {
			return err
		}
		d.turn(tx, who, sw, on)
		return nil
	})
}

// turn sets a switch and records it; as it is nothing happens.
func (d *Domain) turn(tx *db.Tx, who principal.Principal, sw Switch, on bool) {
	if d.is(sw) == on {
		return
	}
	tx.Write(1, switches[sw], number(on), d.ID)
	event.Record(tx, who, event.Event{Domain: d.ID, Kind: "domain.privilege", Subject: "domain", SubjectID: d.ID, LogCode: event.NoLog,
		Data: map[string]any{"switch": sw, "on": on, "from": !on, "to": on}})
	switch sw {
	case SwitchSubmitByPermission:
		d.SubmitByPermission = on
	case SwitchExport:
		d.ExportByUsers = on
	default:
		d.AssumeAll = on
	}
}

func (d Domain) is(sw Switch) bool {
	switch sw {
	case SwitchSubmitByPermission:
		return d.SubmitByPermission
	case SwitchExport:
		return d.ExportByUsers
	}
	return d.AssumeAll
}
