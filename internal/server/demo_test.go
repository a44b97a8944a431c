package server

import (
	"fmt"
	"testing"

	"casemate/internal/config"
)

// TestTryable: a demo on this machine may connect to it, and checks logins
// nowhere else; a demo that others reach, what the operator wrote, and every
// other installation stay as they are (threats.md D12).
func TestTryable(t *testing.T) {
	t.Parallel()
	written := func(c config.CheckHosts, allow ...string) config.Config {
		return config.Config{Authorization: config.Authorization{CheckHosts: c}, Diagnose: config.Diagnose{Allow: allow}}
	}
	machine := []string{"127.0.0.0/8"}
	for name, tt := range map[string]struct {
		in   Options
		want config.Config
	}{
		"demo":            {Options{Demo: true}, written(config.CheckHosts{Enabled: true, ListedOnly: true, Allow: machine}, machine...)},
		"demo for others": {Options{Demo: true, DemoPublic: true}, config.Config{}},
		"no demo":         {Options{}, config.Config{}},
		"operator's own":  {Options{Demo: true, Config: written(config.CheckHosts{Enabled: true}, "10.0.0.0/8")}, written(config.CheckHosts{Enabled: true}, "10.0.0.0/8")},
		"kept off":        {Options{Demo: true, Config: written(config.CheckHosts{PerMinute: 10})}, written(config.CheckHosts{PerMinute: 10}, machine...)},
	} {
		tt.in.tryable()
		if got := tt.in.Config; fmt.Sprint(got.Authorization.CheckHosts, got.Diagnose.Allow) != fmt.Sprint(tt.want.Authorization.CheckHosts, tt.want.Diagnose.Allow) {
			t.Errorf("%s: %+v %v", name, got.Authorization.CheckHosts, got.Diagnose.Allow)
		}
	}
}
