package config

import (
	"errors"
	"fmt"
	"time"
)

// Attachment holds the limits of files in tickets (semantics.md section 7, D7)
// and what looks into them. A MB is 1,048,576 bytes.
type Attachment struct {
	MaxMB      int           `yaml:"max_mb"`      // largest file; 0 = 10, at most 99 (the wire's limit has two digits)
	DayMB      int           `yaml:"day_mb"`      // what a user may upload a day, deleted files included; 0 = 200, -1 = no limit
	DomainMB   int           `yaml:"domain_mb"`   // what is kept of one customer; 0 = 20480, -1 = no limit
	PerTicket  int           `yaml:"per_ticket"`  // files a ticket is created with; 0 = 5, at most 10
	PerMessage int           `yaml:"per_message"` // files of one message; 0 = 10, at most 10
	Types      []string      `yaml:"types"`       // extensions without dot; empty = the documented list
	Unclaimed  time.Duration `yaml:"unclaimed"`   // how long a file waits for its ticket or message; 0 = 24h, at least 1h
	CleanEvery time.Duration `yaml:"clean_every"` // how often files nobody needs are removed; 0 = 10m
	Scan       Scan          `yaml:"scan"`
}

// Scan is the virus scanner: clamd or a command, or none.
type Scan struct {
	Clamd   string        `yaml:"clamd"`   // HOST:PORT, or the path of its socket
	Command []string      `yaml:"command"` // gets the file on standard input; exit status 0 = clean, 1 = infected, else failed
	MaxMB   int           `yaml:"max_mb"`  // the scanner's own size limit, a larger file is never called clean; 0 = 25 (clamd's StreamMaxLength)
	Timeout time.Duration `yaml:"timeout"` // of one file; 0 = 2m
	// AllowUnscanned lets files be downloaded that wait for the scanner or that
	// it could not look into. Infected ones never are.
	AllowUnscanned bool `yaml:"allow_unscanned"`
}

// On tells whether there is a scanner.
func (s Scan) On() bool { return s.Clamd != "" || len(s.Command) > 0 }

// Check refuses values that mean nothing or that would switch off a limit that
// must stand.
func (a Attachment) Check() error {
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"attachment.max_mb", a.MaxMB, 0, 99}, {"attachment.day_mb", a.DayMB, -1, 1 << 30}, {"attachment.domain_mb", a.DomainMB, -1, 1 << 30},
		{"attachment.per_ticket", a.PerTicket, 0, 10}, {"attachment.per_message", a.PerMessage, 0, 10}, {"attachment.scan.max_mb", a.Scan.MaxMB, 0, 1 << 20},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("%s is %d to %d", f.name, f.low, f.high)
		}
	}
	switch {
	case a.Unclaimed < 0 || a.Unclaimed > 0 && a.Unclaimed < time.Hour:
		return errors.New("attachment.unclaimed is at least 1h")
	case a.CleanEvery < 0, a.Scan.Timeout < 0:
		return errors.New("attachment: a time cannot be negative")
	case a.Scan.Clamd != "" && len(a.Scan.Command) > 0:
		return errors.New("attachment.scan: clamd or command, not both")
	}
	return nil
}

// WithDefaults fills in what is not set.
func (a Attachment) WithDefaults() Attachment {
	set := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	set(&a.MaxMB, 10)
	set(&a.DayMB, 200)
	set(&a.DomainMB, 20480)
	set(&a.PerTicket, 5)
	set(&a.PerMessage, 10)
	set(&a.Scan.MaxMB, 25)
	if len(a.Types) == 0 {
		a.Types = []string{"jpg", "jpeg", "bmp", "png", "gif", "txt", "zip", "docx", "msg", "eml", "xlsx", "pdf", "log", "ini", "mp4", "mov"}
	}
	if a.Unclaimed == 0 {
		a.Unclaimed = 24 * time.Hour
	}
	if a.CleanEvery == 0 {
		a.CleanEvery = 10 * time.Minute
	}
	if a.Scan.Timeout == 0 {
		a.Scan.Timeout = 2 * time.Minute
	}
	return a
}

// MB is the unit of the sizes, in bytes.
const MB = 1 << 20

// MaxBytes is the largest file in bytes.
func (a Attachment) MaxBytes() int64 { return int64(a.WithDefaults().MaxMB) * MB }
