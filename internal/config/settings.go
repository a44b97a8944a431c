package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Setting is one value in force.
type Setting struct {
	Key   string // as in the file, for example notify.mail[0].host
	Value string // as people write it; where a secret is read from, never the secret
	Given bool   // it stands in the file; else it is the default
}

// Settings lists the values in force by key, defaults filled in; file is what
// the configuration file gave. A value that equals the zero value counts as not
// given. Values of headers are left out, and so is a password inside an address.
func (c Config) Settings(file Config) []Setting {
	var all []Setting
	flatten("", reflect.ValueOf(file), reflect.ValueOf(c.WithDefaults()), &all)
	slices.SortStableFunc(all, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// flatten appends what is in force below a key; given is the same place of the
// file, or no value where the file has none.
func flatten(key string, given, force reflect.Value, into *[]Setting) {
	there := given.IsValid() && !given.IsZero()
	if force.Kind() == reflect.Pointer {
		if force.IsNil() {
			return // absent means something of its own, which the file's documentation tells
		}
		if there {
			given = given.Elem()
		}
		force = force.Elem()
	}
	put := func(value string) { *into = append(*into, Setting{Key: key, Value: value, Given: there}) }
	switch v := force.Interface().(type) {
	case time.Duration:
		put(span(v))
		return
	case Secret:
		switch {
		case v.Env != "":
			put("env: " + v.Env)
		case v.File != "":
			put("file: " + v.File)
		default:
			put("")
		}
		return
	case string:
		if u, err := url.Parse(v); err == nil && u.User != nil {
			v = u.Redacted()
		}
		put(v)
		return
	case []string:
		put(strings.Join(v, ", "))
		return
	}
	switch force.Kind() {
	case reflect.Struct:
		for i := range force.NumField() {
			name, _, _ := strings.Cut(force.Type().Field(i).Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			sub := reflect.Value{}
			if given.IsValid() {
				sub = given.Field(i)
			}
			flatten(strings.TrimPrefix(key+"."+name, "."), sub, force.Field(i), into)
		}
	case reflect.Slice:
		if force.Len() == 0 {
			put("")
		}
		for i := range force.Len() {
			sub := reflect.Value{}
			if given.IsValid() && i < given.Len() {
				sub = given.Index(i)
			}
			flatten(fmt.Sprintf("%s[%d]", key, i), sub, force.Index(i), into)
		}
	case reflect.Map:
		var parts []string
		for _, k := range force.MapKeys() {
			if strings.HasSuffix(key, "headers") {
				parts = append(parts, k.String())
			} else {
				parts = append(parts, fmt.Sprintf("%v: %v", k, force.MapIndex(k)))
			}
		}
		slices.Sort(parts)
		put(strings.Join(parts, ", "))
	default:
		put(fmt.Sprint(force.Interface()))
	}
}

// span is a duration as people write it into the file: 72h, not 72h0m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
