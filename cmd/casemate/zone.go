package main

import (
	"os"
	"time"

	"casemate/internal/locale"
)

// utcFlag is --utc, which every command has that prints times.
type utcFlag bool

// AfterApply is called by the parser when the flag was given.
func (f utcFlag) AfterApply(o *output) error {
	if f {
		o.zone = time.UTC
	}
	return nil
}

// shellZone is the zone that times are printed in: the one of TZ, else the
// machine's own. A machine that was never given one says UTC, and there the
// product's default holds, GMT+8, as everywhere else.
func shellZone() *time.Location {
	_, given := os.LookupEnv("TZ")
	for _, m := range []time.Month{time.January, time.July} { // London is UTC in winter only
		_, offset := time.Date(time.Now().Year(), m, 1, 0, 0, 0, 0, time.Local).Zone()
		given = given || offset != 0
	}
	if given {
		return time.Local
	}
	return locale.Default().Zone
}

// when is an instant as tables print it: to the second, with the offset of its
// zone, one word for scripts.
func (o *output) when(t time.Time) string { return t.In(o.where()).Format(time.RFC3339) }

func (o *output) where() *time.Location {
	if o.zone == nil {
		return shellZone()
	}
	return o.zone
}
