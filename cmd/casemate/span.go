package main

import (
	"strconv"
	"strings"
	"time"
)

// span is how long something took or takes, in words: days, hours and minutes down
// to the second, below a minute to a hundredth of it. What is zero is left out.
func (o *output) span(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	if d.Round(10*time.Millisecond) < time.Minute { // 59.999 s is a minute then, and not 60 s
		return sign + strconv.FormatFloat(d.Round(10*time.Millisecond).Seconds(), 'f', -1, 64) + o.say(" 秒", " s")
	}
	d = d.Round(time.Second)
	var parts []string
	for _, u := range []struct {
		of     time.Duration
		zh, en string
	}{{24 * time.Hour, " 天", " d"}, {time.Hour, " 小时", " h"}, {time.Minute, " 分", " min"}, {time.Second, " 秒", " s"}} {
		if n := d / u.of; n > 0 {
			parts = append(parts, strconv.FormatInt(int64(n), 10)+o.say(u.zh, u.en))
			d %= u.of
		}
	}
	return sign + strings.Join(parts, " ")
}
