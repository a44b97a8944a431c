package catalog_test

import (
	"encoding/json"
	"testing"

	"casemate/internal/locale"
)

// TestShow: kept values as a person reads them.
func TestShow(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	for _, tt := range []struct{ key, text, zh, en string }{
		{"os_type", "other", "其他", "Other"},
		{"os_type", "dropped", "dropped", "dropped"},
		{"symptoms", "slow,cpu", "响应缓慢、CPU 使用率高", "Slow answers, High CPU use"},
		{"restart_consent", "1", "是", "Yes"},
		{"restart_consent", "0", "否", "No"},
		{"remote_port", "22", "22", "22"},
		{"error_message", "a\nb", "a\nb", "a\nb"},
	} {
		p, ok := c.EverParam(tt.key)
		if !ok {
			t.Fatalf("no parameter %s", tt.key)
		}
		if zh, en := p.Show(tt.text, locale.ZH), p.Show(tt.text, locale.EN); zh != tt.zh || en != tt.en {
			t.Errorf("%s %q: %q, %q", tt.key, tt.text, zh, en)
		}
	}
}

// TestDefaultsFit: what forms are filled in with is a value the parameter takes.
func TestDefaultsFit(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	seen := 0
	for _, p := range c.ProblemTypes() {
		for _, param := range c.Params(p) {
			if param.Default == "" {
				continue
			}
			seen++
			value, _ := json.Marshal(param.Default)
			_, err := c.FitMore(map[string]json.RawMessage{param.Key: value})
			if ticked := param.Required && param.Default == "0"; (err == nil) == ticked {
				t.Errorf("%s: default %q: %v", param.Key, param.Default, err)
			}
		}
	}
	if seen == 0 {
		t.Error("no defaults")
	}
}
