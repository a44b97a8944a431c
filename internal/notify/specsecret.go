package notify

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"casemate/internal/config"
	"casemate/internal/fault"
)

// A secret can be written and never read. What follows keeps that true when
// settings change: a stored secret goes only where it was given for.

var (
	errSecretAnew    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：设置改为通向别处，已存的密钥不会随之发送；请重新给出该密钥，或以空值移除", "{field}: the changed settings lead elsewhere and the stored secret does not go along: give it anew, or remove it with an empty value")
	errSecretLiteral = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：{name} 的值看起来是密钥，不能明文写在设置中；请写 {mark}，并将其值作为密钥 secret 给出", "{field}: the value of {name} looks like a secret, which never stands in settings: write {mark} there and give it as the provider's secret")
	errSecretGone    = fault.New(fault.Conflict, fault.CodeInvalid, "参数 {field}：该通道缺少所需的密钥，给出之前不能启用或使用", "{field}: the provider lacks a secret that its settings need, and cannot be switched on or used before it is given")
)

// showsSecret tells whether a gateway's secret leaves through a text.
func showsSecret(text string) bool {
	return strings.Contains(text, "{secret}") || strings.Contains(text, "{digest}")
}

// texts are the parts of a gateway's request that have placeholders, by field.
func (m HTTPSettings) texts() map[string]string {
	all := map[string]string{"http.url": m.URL, "http.body": m.Body}
	for name, v := range m.Headers {
		all["http.headers."+name] = v
	}
	return all
}

// needs are the secrets without which the settings cannot work.
func (s Spec) needs() (all []string) {
	switch {
	case s.SMTP != nil:
		if s.SMTP.User != "" {
			all = append(all, SecretPassword)
		}
		if s.SMTP.DKIMSelector != "" {
			all = append(all, SecretDKIM)
		}
	case s.HTTP != nil:
		for _, text := range s.HTTP.texts() {
			if showsSecret(text) {
				all = append(all, SecretToken)
				break
			}
		}
		if s.HTTP.Receipt != nil {
			all = append(all, SecretReceipt)
		}
	}
	return all
}

// lacks are the secrets a provider needs and does not have.
func (s Spec) lacks(has map[string]bool) []string {
	return slices.DeleteFunc(s.needs(), func(slot string) bool { return has[slot] })
}

// has are the secrets that are stored.
func (s Spec) has() map[string]bool { return held(slices.Collect(maps.Keys(s.sealed)), nil) }

// origin is the part of an address that tells who is reached.
func origin(text string) string {
	u, err := url.Parse(mark.ReplaceAllString(text, "x"))
	if err != nil {
		return text
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// exposed are the secrets that would go to somebody else, or be shown in another
// way, if they were kept under other settings of the same kind. A key of DKIM
// signs here and goes nowhere.
func exposed(before, next Spec) (slots []string) {
	switch {
	case before.SMTP != nil && next.SMTP != nil:
		a, b := before.SMTP, next.SMTP
		if !strings.EqualFold(a.Host, b.Host) || a.Port != b.Port || cmp.Or(a.TLS, config.TLSStart) != cmp.Or(b.TLS, config.TLSStart) || a.CA != b.CA {
			slots = append(slots, SecretPassword)
		}
	case before.SMPP != nil && next.SMPP != nil:
		a, b := before.SMPP, next.SMPP
		if !strings.EqualFold(a.Address, b.Address) || a.TLS != b.TLS || a.CA != b.CA {
			slots = append(slots, SecretPassword)
		}
	case before.HTTP != nil && next.HTTP != nil:
		a, b := before.HTTP, next.HTTP
		if origin(a.URL) != origin(b.URL) || a.CA != b.CA {
			return []string{SecretToken, SecretReceipt}
		}
		was := a.texts()
		for field, text := range b.texts() {
			if showsSecret(text) && was[field] != text {
				return []string{SecretToken}
			}
		}
	}
	return slots
}

// strayed are the stored secrets that a change would take along to where they
// were not given for; given are those that the change names, be it the same again.
func strayed(before *Spec, next Spec, given map[string]bool) []string {
	if before == nil {
		return nil
	}
	has := before.has()
	return slices.DeleteFunc(exposed(*before, next), func(slot string) bool { return !has[slot] || given[slot] })
}

// checkStrayed refuses a change that would take a stored secret elsewhere.
func checkStrayed(before *Spec, next Spec, given map[string]bool) error {
	if slots := strayed(before, next, given); len(slots) > 0 {
		return errSecretAnew.In("secrets." + slots[0])
	}
	return nil
}

// Unsecured tells, of settings that come back without secrets (an earlier version
// of the configuration holds none), which stored secrets they must not have, and
// which they need and would be without then.
func Unsecured(in Spec, stored *Spec, given map[string]bool) (drop, lacks []string) {
	has := maps.Clone(given)
	if has == nil {
		has = map[string]bool{}
	}
	drop = strayed(stored, in, given)
	if stored != nil && stored.Kind == in.Kind {
		for slot := range stored.has() {
			if !slices.Contains(drop, slot) {
				has[slot] = true
			}
		}
	}
	lacks = in.lacks(has)
	if in.SMPP != nil && (stored == nil || len(drop) > 0) && !has[SecretPassword] {
		lacks = append(lacks, SecretPassword) // hardly a centre does without: somebody looks at it first
	}
	return drop, lacks
}

// secretNames are words in the names of headers and parameters that hold secrets.
var secretNames = []string{"key", "token", "secret", "password", "signature"}

// literal refuses a secret that stands written out in what anybody may read who
// may see the settings, in exports and in versions.
func (r *rules) literal(field, name, v string) {
	lower := strings.ToLower(name)
	named := lower == "authorization" || lower == "proxy-authorization" || slices.ContainsFunc(secretNames, func(word string) bool { return strings.Contains(lower, word) })
	// A value of placeholders alone, such as a message's {id}, holds none.
	if named && !showsSecret(v) && strings.TrimSpace(mark.ReplaceAllString(v, "")) != "" {
		r.wrong(errSecretLiteral.In(field).With("name", name).With("mark", "{secret}"))
	}
}

// literals looks for secrets in a gateway's headers and URL.
func (r *rules) literals(m *HTTPSettings) {
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		r.literal("http.headers."+name, http.CanonicalHeaderKey(name), m.Headers[name])
	}
	whole, _, _ := strings.Cut(m.URL, "#")
	_, query, _ := strings.Cut(whole, "?")
	for pair := range strings.FieldsFuncSeq(query, func(c rune) bool { return c == '&' || c == ';' }) {
		name, v, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		r.literal("http.url", name, v)
	}
}
