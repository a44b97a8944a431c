package catalog

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

var (
	labelForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	pathForm  = regexp.MustCompile(`^/[A-Za-z0-9._~/%-]*$`)
	wordForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	badEscape = regexp.MustCompile(`%([^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)`)
)

// FitsForm tells whether a value has the form of a diagnosis' parameter. Values
// that fit hold nothing that a shell, an URL or an option would take amiss.
func FitsForm(form, value string) bool {
	if value == "" || len(value) > maxParamValue {
		return false
	}
	switch form {
	case FormHost:
		_, ok := Host(value)
		return ok
	case FormPort:
		n, err := strconv.ParseUint(value, 10, 16)
		return err == nil && n > 0 && value[0] != '0' && value[0] != '+'
	case FormPath:
		return pathForm.MatchString(value) && !badEscape.MatchString(value)
	case FormWord:
		return wordForm.MatchString(value)
	case FormResource:
		return ResourceID(value)
	}
	return false
}

// ResourceID tells whether a text can be the id of a resource: 1..64 characters
// that need no escaping.
func ResourceID(id string) bool { return len(id) <= 64 && wordForm.MatchString(id) }

// Host is a name or an IP address as it is looked up: names in the ASCII form of
// IDNA without the dot at the end, addresses without a zone. Names need a dot: those
// without one mean something on the server's own network only.
func Host(value string) (string, bool) {
	if a, err := netip.ParseAddr(value); err == nil {
		return a.String(), a.Zone() == ""
	}
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(value, "."))
	if err != nil {
		// IDNA refuses the underscore that service names have.
		name = strings.ToLower(strings.TrimSuffix(value, "."))
	}
	labels := strings.Split(name, ".")
	if len(name) > 253 || len(labels) < 2 {
		return "", false
	}
	for _, l := range labels {
		if !labelForm.MatchString(l) {
			return "", false
		}
	}
	// A last label of digits makes an address in an odd spelling of it (127.1, 0x7f.1).
	if last := labels[len(labels)-1]; strings.IndexFunc(last, func(r rune) bool { return r >= 'a' && r <= 'z' }) < 0 || strings.HasPrefix(last, "0x") {
		return "", false
	}
	return name, true
}
