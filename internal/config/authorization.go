package config

import (
	"errors"
	"fmt"
)

// Authorization holds the rules of asking customers for access (semantics.md
// section 8).
type Authorization struct {
	// Approval is required (the default: an engineer's request waits for a
	// supervisor before the customer is asked) or none. Requests of supervisors
	// and administrators never wait.
	Approval    string `yaml:"approval"`
	PendingDays int    `yaml:"pending_days"` // a request nobody answers expires; 0 = 7, 1 to 90
	LongestDays int    `yaml:"longest_days"` // of one grant; 0 = 30, 1 to 365
	// CheckHosts lets customers try a host's login from this server (D12).
	CheckHosts CheckHosts `yaml:"check_hosts"`
}

// CheckHosts is off by default: it makes this server connect to addresses that
// engineers name.
type CheckHosts struct {
	Enabled    bool     `yaml:"enabled"`
	Allow      []string `yaml:"allow"`       // addresses or ranges that may be reached although they are not public
	ListedOnly bool     `yaml:"listed_only"` // nothing but Allow may be reached
	PerMinute  int      `yaml:"per_minute"`  // tries of one user; 0 = 10, at most 60
}

// Values of Approval.
const (
	ApprovalRequired = "required"
	ApprovalNone     = "none"
)

// Check refuses values that mean nothing, and a try limit that would make an
// oracle for passwords. The ranges of Allow are read by who uses them.
func (a Authorization) Check() error {
	switch a.Approval {
	case "", ApprovalRequired, ApprovalNone:
	default:
		return errors.New("authorization.approval is required or none")
	}
	for _, f := range []struct {
		name       string
		value, max int
	}{
		{"pending_days", a.PendingDays, 90}, {"longest_days", a.LongestDays, 365}, {"check_hosts.per_minute", a.CheckHosts.PerMinute, 60},
	} {
		if f.value < 0 || f.value > f.max {
			return fmt.Errorf("authorization.%s is 1 to %d", f.name, f.max)
		}
	}
	return nil
}

// WithDefaults fills in what is not set.
func (a Authorization) WithDefaults() Authorization {
	set := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	if a.Approval == "" {
		a.Approval = ApprovalRequired
	}
	set(&a.PendingDays, 7)
	set(&a.LongestDays, 30)
	set(&a.CheckHosts.PerMinute, 10)
	return a
}

// Demo lets one person play both sides: without a word in the configuration no
// supervisor is needed.
func (a Authorization) Demo() Authorization {
	if a.Approval == "" {
		a.Approval = ApprovalNone
	}
	return a
}
