package privilege_test

import (
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/seal/sealtest"
)

// TestPartnersReach: a partner's engineer gets through to these operations of
// the desk and to no other, whatever role he has, but an auditor's, which partners do not have; an operation that forgets
// partners is closed to them.
func TestPartnersReach(t *testing.T) {
	open := []string{"desk.CreateSession", "desk.CreateTicketAttachment", "desk.DownloadTicketAttachment", "desk.ListTicketAttachments", "desk.MarkTicketRead", "desk.CreateTicketStep", "desk.DeleteSession", "desk.ListEngineers", "desk.ListTicketMessages", "desk.ListTickets", "desk.SearchTickets", "desk.SuggestSearch",
		"desk.ChangeLater", "desk.ChangeView", "desk.ClaimQueueTicket", "desk.CreateView", "desk.DeleteDraft", "desk.DeletePresence", "desk.DeleteView",
		"desk.FollowTicket", "desk.ListDrafts", "desk.ListLater", "desk.ListQueueTickets", "desk.ListQueues", "desk.ListTicketDrafts",
		"desk.ListTicketHistory", "desk.ListViewTickets", "desk.ListViews", "desk.MergeTicket", "desk.MoveTicketMessages", "desk.PutDraft",
		"desk.PutPresence", "desk.RecallLater", "desk.RelateTickets", "desk.SetUp", "desk.ShowQueue", "desk.ShowSession", "desk.ShowTicket", "desk.ShowTicketAsOf",
		"desk.ShowTicketClocks", "desk.ShowTicketTeam", "desk.ShowView", "desk.SnoozeTicket", "desk.SplitTicket", "desk.TransferTickets",
		"desk.UndoTicketChange", "desk.UndoTicketChanges", "desk.UnfollowTicket", "desk.UnrelateTickets", "desk.UnsnoozeTicket"}
	for _, role := range []string{principal.RoleEngineer, principal.RoleSupervisor, principal.RoleAdministrator, principal.RoleAuditor} {
		who := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "u", Role: role, Partner: "p"}
		for name, audience := range privilege.Policy {
			surface, op, _ := strings.Cut(name, ".")
			if surface != "desk" {
				continue
			}
			want := slices.Contains(open, name) && (role != principal.RoleAuditor || audience == privilege.Public)
			if err := privilege.Admit(surface, op, who); (err == nil) != want {
				t.Errorf("a partner's %s calling %s: %v", role, name, err)
			}
		}
	}
}

// TestMayExport: the main account always, others when the switch is on, nobody
// of another domain.
func TestMayExport(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ident := identity.New(d, sealtest.Keyring(t), identity.Options{PasswordMemory: 64})
		s, ctx := privilege.New(d, ident), t.Context()
		dom, err := ident.CreateDomain(ctx, principal.AsSystem(principal.House), identity.NewDomain{Name: "d"})
		if err != nil {
			t.Fatal(err)
		}
		main := principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: "m", Main: true}
		sub := principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: "s"}
		engineer := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "e", Role: principal.RoleEngineer}
		for _, on := range []bool{false, true, false} {
			op := map[bool]string{true: privilege.Create, false: privilege.Delete}[on]
			if err := s.Change(ctx, main, op, privilege.Export); err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				who  principal.Principal
				want fault.Kind
			}{
				{main, fault.None}, {sub, map[bool]fault.Kind{true: fault.None, false: fault.Forbidden}[on]},
				{principal.Principal{Kind: principal.Customer, Domain: "other", User: "x", Main: true}, fault.Forbidden}, {engineer, fault.Forbidden}, {principal.Principal{}, fault.Forbidden},
			} {
				err := d.View(ctx, func(tx *db.Tx) error {
					now, err := identity.DomainIn(tx, dom.ID)
					if err != nil {
						return err
					}
					return privilege.MayExport(tx, c.who, now)
				})
				if got := fault.KindOf(err); got != c.want {
					t.Errorf("switch %v, %v %s: %v, want %v", on, c.who.Kind, c.who.User, err, c.want)
				}
			}
		}
		for _, who := range []principal.Principal{engineer, {}, {Kind: principal.Local}} {
			if err := s.Change(ctx, who, privilege.Create, privilege.Export); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v changes a privilege: %v", who.Kind, err)
			}
			if _, err := s.Has(ctx, who, privilege.Export); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v asks for a privilege: %v", who.Kind, err)
			}
			if _, err := s.Policy(ctx, who, ""); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v asks for the policy: %v", who.Kind, err)
			}
		}
	})
}
