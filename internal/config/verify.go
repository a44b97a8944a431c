package config

import (
	"fmt"
	"strings"
)

// Verify holds the limits of verification codes (threats.md A9, A10, A13) that
// an installation may change. Six digits, five minutes, five tries and one
// send a minute are not among them.
type Verify struct {
	Caps      SendCaps `yaml:"caps"`
	Guesses   Guesses  `yaml:"guesses"`
	ProofDays int      `yaml:"proof_days"` // how long a proof of a contact holds; 0 = 90
	// SMSCountries may get text messages: calling codes (86) or, where several
	// countries share one, region codes (US). Empty = 86.
	SMSCountries []string `yaml:"sms_countries"`
	Pumping      Pumping  `yaml:"pumping"`
}

// Modes of the defence against pumping.
const (
	PumpingBlock   = "block"   // the default: what looks like an attack is stopped
	PumpingMonitor = "monitor" // it is recorded, and goes out all the same
)

// Pumping is the defence against text messages that only somebody's purse
// wants (threats.md A9, A11).
type Pumping struct {
	Mode string `yaml:"mode"` // block (default) or monitor
	// DayNumber is the most text messages with codes of the whole installation a
	// day (UTC); 0 = 10,000, -1 = no limit.
	DayNumber int `yaml:"day_number"`
	// DayCost likewise in thousandths of the operator's currency; 0 = no limit.
	DayCost int64 `yaml:"day_cost"`
	// Prices of one message by calling code, in thousandths; "*" = all others.
	Prices map[string]int64 `yaml:"prices"`
}

// Price is what a message to the calling code costs.
func (p Pumping) Price(area string) int64 {
	if n, ok := p.Prices[area]; ok {
		return n
	}
	return p.Prices["*"]
}

// SendCaps are the most codes sent in a sliding hour or day; 0 = the default.
// Those per caller may be switched off with -1, those per contact may not.
type SendCaps struct {
	ContactHour int `yaml:"contact_hour"` // 5
	ContactDay  int `yaml:"contact_day"`  // 10
	UserHour    int `yaml:"user_hour"`    // 10
	UserDay     int `yaml:"user_day"`     // 30
	DomainHour  int `yaml:"domain_hour"`  // 100
	DomainDay   int `yaml:"domain_day"`   // 500
	AddressHour int `yaml:"address_hour"` // 60, of one client address (IPv6: of one /64)
	PrefixHour  int `yaml:"prefix_hour"`  // 10 text messages to numbers that differ in the last four digits only
	CountryHour int `yaml:"country_hour"` // 200 text messages to one calling code
}

// Guesses are the most wrong codes in a sliding day; 0 = the default.
type Guesses struct {
	ContactDay int `yaml:"contact_day"` // 20
	UserDay    int `yaml:"user_day"`    // 50
}

// Check refuses what would switch off a limit that must stand.
func (v Verify) Check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"verify.caps.contact_hour", v.Caps.ContactHour}, {"verify.caps.contact_day", v.Caps.ContactDay},
		{"verify.guesses.contact_day", v.Guesses.ContactDay}, {"verify.guesses.user_day", v.Guesses.UserDay},
		{"verify.proof_days", v.ProofDays},
	} {
		if f.value < 0 {
			return fmt.Errorf("%s cannot be switched off", f.name)
		}
	}
	switch v.Pumping.Mode {
	case "", PumpingBlock, PumpingMonitor:
	default:
		return fmt.Errorf("verify.pumping.mode is %s or %s, not %q", PumpingBlock, PumpingMonitor, v.Pumping.Mode)
	}
	for area, price := range v.Pumping.Prices {
		if price < 0 || area != "*" && (area == "" || strings.Trim(area, "0123456789") != "") {
			return fmt.Errorf("verify.pumping.prices: %q: %d is no price of a calling code", area, price)
		}
	}
	for _, c := range v.SMSCountries {
		if strings.Trim(c, "0123456789") != "" && (len(c) != 2 || strings.ToUpper(c) != c) {
			return fmt.Errorf("verify.sms_countries: %q is neither a calling code nor a region", c)
		}
	}
	return nil
}

// WithDefaults fills in what is not set.
func (v Verify) WithDefaults() Verify {
	set := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	set(&v.Caps.ContactHour, 5)
	set(&v.Caps.ContactDay, 10)
	set(&v.Caps.UserHour, 10)
	set(&v.Caps.UserDay, 30)
	set(&v.Caps.DomainHour, 100)
	set(&v.Caps.DomainDay, 500)
	set(&v.Caps.AddressHour, 60)
	set(&v.Guesses.ContactDay, 20)
	set(&v.Guesses.UserDay, 50)
	set(&v.Caps.PrefixHour, 10)
	set(&v.Caps.CountryHour, 200)
	set(&v.ProofDays, 90)
	set(&v.Pumping.DayNumber, 10000)
	if v.Pumping.Mode == "" {
		v.Pumping.Mode = PumpingBlock
	}
	if len(v.SMSCountries) == 0 {
		v.SMSCountries = []string{"86"}
	}
	return v
}

// Demo widens the caps per caller, so that a demo can be played with; what
// protects a contact stays (design: the demo world).
func (v Verify) Demo() Verify {
	v.Caps.UserHour, v.Caps.UserDay, v.Caps.DomainHour, v.Caps.DomainDay, v.Caps.AddressHour, v.Caps.PrefixHour, v.Caps.CountryHour = -1, -1, -1, -1, -1, -1, -1
	return v
}
