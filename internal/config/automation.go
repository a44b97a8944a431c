package config

import "errors"

// Automation bounds what rules may do. Zero values are the defaults; the numbers
// are guesses.
type Automation struct {
	RuleDepth   int `yaml:"rule_depth"`    // how many rules may follow one another on what a rule caused; 0 = 3
	RulePerHour int `yaml:"rule_per_hour"` // how often a rule runs on one ticket within an hour; 0 = 10
	KeepDays    int `yaml:"keep_days"`     // records of what rules did are deleted after; 0 = 90, -1 = never
}

// Check refuses values that mean nothing.
func (c Automation) Check() error {
	switch {
	case c.RuleDepth < 0 || c.RuleDepth > 10:
		return errors.New("automation.rule_depth is 1 to 10")
	case c.RulePerHour < 0 || c.RulePerHour > 1000:
		return errors.New("automation.rule_per_hour is 1 to 1000")
	case c.KeepDays < -1 || c.KeepDays > 3650:
		return errors.New("automation.keep_days is -1 to 3650")
	}
	return nil
}

// WithDefaults fills in what is not set.
func (c Automation) WithDefaults() Automation {
	if c.RuleDepth == 0 {
		c.RuleDepth = 3
	}
	if c.RulePerHour == 0 {
		c.RulePerHour = 10
	}
	if c.KeepDays == 0 {
		c.KeepDays = 90
	}
	return c
}
