package privilege_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// TestPolicyComplete: every operation of the contract has a row, and no row is
// for an operation that does not exist.
func TestPolicyComplete(t *testing.T) {
	operations := map[string]bool{}
	for surface, file := range map[string]string{"v2": "../../api/v2.yaml", "iam": "../../api/iam.yaml", "desk": "../../api/desk.yaml", "web": "../../api/web.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Paths map[string]map[string]struct {
				OperationID string `yaml:"operationId"`
			} `yaml:"paths"`
		}
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		for _, methods := range doc.Paths {
			for _, o := range methods {
				operations[surface+"."+o.OperationID] = true
			}
		}
	}
	v2 := 0
	for o := range operations {
		if strings.HasPrefix(o, "v2.") {
			v2++
		}
	}
	if v2 != 82 {
		t.Errorf("%d operations of the customer API read, want 82", v2)
	}
	for o := range operations {
		if _, ok := privilege.Policy[o]; !ok {
			t.Errorf("%s has no policy row", o)
		}
	}
	for o := range privilege.Policy {
		if !operations[o] {
			t.Errorf("the row %s is for no operation", o)
		}
	}
}

func TestAdmit(t *testing.T) {
	for _, tt := range []struct {
		who  principal.Kind
		op   string
		want fault.Kind
	}{
		{principal.Customer, "ListCases", fault.None},
		{principal.Anonymous, "ListCases", fault.Unauthenticated},
		{principal.Engineer, "ListCases", fault.Forbidden},
		{principal.Local, "ListCases", fault.Forbidden},
		{principal.Customer, "NoSuchOperation", fault.Forbidden},
	} {
		err := privilege.Admit("v2", tt.op, principal.Principal{Kind: tt.who})
		if got := fault.KindOf(err); got != tt.want {
			t.Errorf("%v calling %s: %v, want %v", tt.who, tt.op, got, tt.want)
		}
	}
}

// TestRoles: which role of the house gets through to what; the table is the
// promise of the desk's documentation.
func TestRoles(t *testing.T) {
	roles := []string{principal.RoleAdministrator, principal.RoleSupervisor, principal.RoleEngineer, principal.RoleAuditor}
	for op, want := range map[string][]string{
		"ShowSession":       roles,
		"ShowSystem":        roles,
		"CreateTicketStep":  {principal.RoleAdministrator, principal.RoleSupervisor, principal.RoleEngineer},
		"ListTickets":       roles,
		"SearchTickets":     {principal.RoleAdministrator, principal.RoleSupervisor, principal.RoleEngineer},
		"ListEvents":        {principal.RoleAdministrator, principal.RoleAuditor},
		"CreateUser":        {principal.RoleAdministrator},
		"ResetUserPassword": {principal.RoleAdministrator},
		"CreateAccessKey":   {principal.RoleAdministrator},
		"ApplyCatalog":      {principal.RoleAdministrator},
		"ShowOutboxCode":    {principal.RoleAdministrator},
		"ListDomains":       {principal.RoleAdministrator, principal.RoleAuditor},
		"GrantRole":         {principal.RoleAdministrator},
		"ListAudit":         {principal.RoleAdministrator, principal.RoleAuditor},

		"DownloadTicketAttachment": {principal.RoleAdministrator, principal.RoleSupervisor, principal.RoleEngineer},

		"ExportConfiguration":       {principal.RoleAdministrator},
		"PlanConfiguration":         {principal.RoleAdministrator},
		"ApplyConfiguration":        {principal.RoleAdministrator},
		"RollbackConfiguration":     {principal.RoleAdministrator},
		"ListConfigurationVersions": {principal.RoleAdministrator},

		"RevealTicketDetails": {principal.RoleAdministrator, principal.RoleSupervisor, principal.RoleEngineer},
		"ListAbuseReports":    {principal.RoleAdministrator, principal.RoleSupervisor},
		"ShowAbuseReport":     {principal.RoleAdministrator, principal.RoleSupervisor},
		"HandleAbuseReport":   {principal.RoleAdministrator, principal.RoleSupervisor},
	} {
		for _, role := range roles {
			err := privilege.Admit("desk", op, principal.Principal{Kind: principal.Engineer, Domain: principal.House, Role: role})
			if (err == nil) != slices.Contains(want, role) {
				t.Errorf("%s calling %s: %v", role, op, err)
			}
		}
		if privilege.Admit("desk", op, principal.Principal{Kind: principal.Local}) != nil {
			t.Errorf("the operator on the machine may not call %s", op)
		}
		for _, kind := range []principal.Kind{principal.Customer, principal.Anonymous} {
			if privilege.Admit("desk", op, principal.Principal{Kind: kind, Role: principal.RoleAdministrator}) == nil {
				t.Errorf("%v may call %s", kind, op)
			}
		}
	}
	for _, op := range []string{"SetUp", "CreateSession"} {
		if err := privilege.Admit("desk", op, principal.Principal{}); err != nil {
			t.Errorf("%s needs credentials: %v", op, err)
		}
	}
}
