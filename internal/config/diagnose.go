package config

import (
	"errors"
	"net/netip"
	"strings"
)

// Diagnose holds what self-service diagnoses may reach and how many there may
// be. Zero values are the defaults; the numbers are guesses.
type Diagnose struct {
	Allow         []string `yaml:"allow"`          // addresses or ranges that may be reached although they are not public, and over http (threats.md D12)
	Resolver      string   `yaml:"resolver"`       // IP:port of the DNS server that is asked; "" = the system's, which may know inner names
	Commands      bool     `yaml:"commands"`       // the catalogue's command checks may run
	Running       int      `yaml:"running"`        // at once, of one user; 0 = 3
	Hourly        int      `yaml:"hourly"`         // in an hour, of one user; 0 = 30
	DomainRunning int      `yaml:"domain_running"` // at once, of one domain; 0 = 10
	DomainHourly  int      `yaml:"domain_hourly"`  // in an hour, of one domain; 0 = 200
	NodeRunning   int      `yaml:"node_running"`   // at once, on one node; 0 = 3: others' jobs need workers too
	KeepDays      int      `yaml:"keep_days"`      // records are deleted after; 0 = 90, -1 = never
}

// Check refuses values that mean nothing.
func (c Diagnose) Check() error {
	for _, n := range []int{c.Running, c.Hourly, c.DomainRunning, c.DomainHourly, c.NodeRunning} {
		if n < 0 || n > 100000 {
			return errors.New("diagnose: the limits are 1 to 100000")
		}
	}
	if c.NodeRunning > 6 {
		return errors.New("diagnose.node_running is 1 to 6: a node has 8 workers for everything")
	}
	if c.KeepDays < -1 || c.KeepDays > 3650 {
		return errors.New("diagnose.keep_days is -1 to 3650")
	}
	if c.Resolver != "" {
		if _, err := netip.ParseAddrPort(c.Resolver); err != nil {
			return errors.New("diagnose.resolver is an address with a port, for example 223.5.5.5:53")
		}
	}
	for _, a := range c.Allow {
		if strings.TrimSpace(a) == "" {
			return errors.New("diagnose.allow holds an empty range")
		}
	}
	return nil
}

// WithDefaults fills in what is not set.
func (c Diagnose) WithDefaults() Diagnose {
	for _, d := range []struct {
		n        *int
		standard int
	}{{&c.Running, 3}, {&c.Hourly, 30}, {&c.DomainRunning, 10}, {&c.DomainHourly, 200}, {&c.NodeRunning, 3}, {&c.KeepDays, 90}} {
		if *d.n == 0 {
			*d.n = d.standard
		}
	}
	return c
}
