package identity

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Request signing as the official SDKs do it (contract README, section 3).
const (
	algorithm   = "SDK-HMAC-SHA256"
	dateForm    = "20060102T150405Z"
	clockSkew   = 15 * time.Minute
	unsigned    = "UNSIGNED-PAYLOAD"
	uploadPath  = "/v2/servicerequest/accessorys"
	maxHeaders  = 100
	lockAddress = 5 // more bad signatures in a row lock the key for the address
	lockDemo    = 1000
	lockKey     = 1000 // more an hour over all addresses lock the key
	lockFor     = 5 * time.Minute
)

var (
	errSignature = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：AK/SK 签名校验失败，规范请求：{canonical}", "Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:{canonical}")
	errOne       = form("须且仅能有一个 Authorization 头", "exactly one Authorization header is needed")
	errParse     = form("Authorization 须为 SDK-HMAC-SHA256 Access=..., SignedHeaders=..., Signature=...", "Authorization must be SDK-HMAC-SHA256 Access=..., SignedHeaders=..., Signature=...")
	errSorted    = form("SignedHeaders 须按字母排序且不重复", "SignedHeaders is a sorted list without repeats")
	errDate      = form("X-Sdk-Date 格式应为 20060102T150405Z", "X-Sdk-Date has the form 20060102T150405Z")
	errUnsigned  = form("请求头 {name} 须且仅能发送一次，并参与签名", "the header {name} must be sent exactly once and signed")
	errClock     = fault.New(fault.Unauthenticated, "APIGW.0303", "认证信息不正确：签名时间与服务器时间相差超过 15 分钟，X-Sdk-Date: {date}", "Incorrect IAM authentication information: the signature's time differs by more than 15 minutes, X-Sdk-Date: {date}")
	errLocked    = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：该访问密钥失败次数过多，已被暂时锁定", "Incorrect IAM authentication information: AK access failed to reach the limit, forbidden")
)

// form is the refusal of a signature's form.
func form(zh, en string) *fault.Error {
	return fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确："+zh, "Incorrect IAM authentication information: "+en)
}

var authorization = regexp.MustCompile(`^SDK-HMAC-SHA256 Access=([A-Za-z0-9]{1,64}), ?SignedHeaders=([a-z0-9!#$%&'*+.^|~;-]+), ?Signature=([0-9a-f]{64})$`)

// signature is a parsed Authorization header.
type signature struct {
	access  string
	headers []string
	value   string
}

func parseAuthorization(r *http.Request) (signature, error) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return signature{}, errOne
	}
	m := authorization.FindStringSubmatch(values[0])
	if m == nil {
		return signature{}, errParse
	}
	s := signature{access: m[1], headers: strings.Split(m[2], ";"), value: m[3]}
	if len(s.headers) > maxHeaders || !slices.IsSorted(s.headers) || len(slices.Compact(slices.Clone(s.headers))) != len(s.headers) {
		return signature{}, errSorted
	}
	return s, nil
}

// check holds the rules that need no key.
func (s signature) check(r *http.Request, now time.Time) error {
	signed := func(name string) bool { _, ok := slices.BinarySearch(s.headers, name); return ok }
	dates := r.Header.Values("X-Sdk-Date")
	if len(dates) != 1 || !signed("x-sdk-date") {
		return errUnsigned.With("name", "X-Sdk-Date")
	}
	t, err := time.Parse(dateForm, dates[0])
	if err != nil {
		return errDate
	}
	if d := now.Sub(t); d > clockSkew || d < -clockSkew {
		return errClock.With("date", dates[0])
	}
	for _, name := range []string{"X-Security-Token", "X-Domain-Id", "X-Project-Id", "X-Sdk-Content-Sha256"} {
		if n := len(r.Header.Values(name)); n > 1 || n == 1 && !signed(strings.ToLower(name)) {
			return errUnsigned.With("name", name)
		}
	}
	for _, name := range s.headers {
		if name != "host" && len(r.Header.Values(name)) != 1 {
			return errUnsigned.With("name", name)
		}
	}
	return nil
}

// payload is the text that stands for the body in the canonical request.
func payload(r *http.Request, body []byte) (text string, ok bool) {
	stated := r.Header.Get("X-Sdk-Content-Sha256")
	if stated == unsigned {
		upload := r.Method == http.MethodPost && strings.TrimSuffix(r.URL.Path, "/") == uploadPath && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data")
		return unsigned, upload
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	return hash, stated == "" || strings.EqualFold(stated, hash)
}

// canonical is the canonical request; wireOrder keeps repeated values of one
// query key in the order sent, as one official client signs them.
func (s signature) canonical(r *http.Request, body string, wireOrder bool) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	for i, part := range strings.Split(r.URL.EscapedPath(), "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if plain, err := url.PathUnescape(part); err == nil {
			part = plain
		}
		escape(&b, part)
	}
	if !strings.HasSuffix(r.URL.EscapedPath(), "/") {
		b.WriteByte('/')
	}
	b.WriteByte('\n')
	writeQuery(&b, r.URL.RawQuery, wireOrder)
	b.WriteByte('\n')
	for _, name := range s.headers {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(strings.TrimSpace(value))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.headers, ";"))
	b.WriteByte('\n')
	b.WriteString(body)
	return b.String()
}

func writeQuery(b *strings.Builder, raw string, wireOrder bool) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return // refused before; an empty query signs nothing of it
	}
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	first := true
	for _, k := range keys {
		vs := values[k]
		if !wireOrder {
			slices.Sort(vs)
		}
		for _, v := range vs {
			if !first {
				b.WriteByte('&')
			}
			first = false
			escape(b, k)
			b.WriteByte('=')
			escape(b, v)
		}
	}
}

func escape(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
}

// matches compares in constant time.
func (s signature) matches(r *http.Request, secret []byte, body string, wireOrder bool) bool {
	sum := sha256.Sum256([]byte(s.canonical(r, body, wireOrder)))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(algorithm + "\n" + r.Header.Get("X-Sdk-Date") + "\n" + hex.EncodeToString(sum[:])))
	want := make([]byte, 64)
	hex.Encode(want, mac.Sum(nil))
	return subtle.ConstantTimeCompare(want, []byte(s.value)) == 1
}

// BySignature is the caller a signed request stands for; body is the raw body,
// nil for a streamed upload. It fails with the documented texts of APIGW.0301
// and APIGW.0303 and never shows a secret (threats.md C2, C6, C9).
func (s *Service) BySignature(ctx context.Context, r *http.Request, body []byte) (principal.Principal, error) {
	sig, err := parseAuthorization(r)
	if err != nil {
		return principal.Principal{}, err
	}
	address := principal.From(ctx).Address
	if s.locks.locked(sig.access, address) {
		return principal.Principal{}, errLocked
	}
	if err := sig.check(r, s.db.Now()); err != nil {
		return principal.Principal{}, err
	}
	key, err := s.signingKey(ctx, sig.access)
	if err != nil {
		return principal.Principal{}, err
	}
	text, ok := payload(r, body)
	if !ok || !sig.matches(r, key.secret, text, false) && !sig.matches(r, key.secret, text, true) {
		s.locks.bad(sig.access, address)
		return principal.Principal{}, errSignature.With("canonical", mask(sig.canonical(r, text, false)))
	}
	if err := s.checkTemporary(key, r.Header.Get("X-Security-Token")); err != nil {
		return principal.Principal{}, err
	}
	if d := r.Header.Get("X-Domain-Id"); d != "" && d != key.domain.ID {
		return principal.Principal{}, errScope
	}
	if p := r.Header.Get("X-Project-Id"); p != "" && p != key.domain.Project {
		return principal.Principal{}, errScope
	}
	s.locks.good(sig.access, address)
	p := holder(key.user, key.domain)
	p.AccessKey = sig.access
	return p, nil
}

var secretLine = regexp.MustCompile(`(?im)^(x-auth-token|x-security-token|x-subject-token|cookie):.*$|((?:password|code|token|secret)[^=&\n]*)=[^&\n]*`)

// mask writes a canonical request on one line, secret values hidden.
func mask(canonical string) string {
	hidden := secretLine.ReplaceAllStringFunc(canonical, func(m string) string {
		i := strings.IndexAny(m, ":=")
		return m[:i+1] + "****"
	})
	return strings.ReplaceAll(hidden, "\n", "|")
}

// signatureLocks count bad signatures: in a row per key and address, and per
// hour per key. An access key id is no secret, so one stranger must not shut a
// customer out (threats.md C6).
type signatureLocks struct {
	now  func() time.Time
	most int
	mu   *sync.Mutex
	row  map[string]*strikes
	hour map[string]*strikes
}

type strikes struct {
	n     int
	since time.Time
	until time.Time
}

func newSignatureLocks(now func() time.Time, demo bool) signatureLocks {
	most := lockAddress
	if demo {
		most = lockDemo
	}
	return signatureLocks{now: now, most: most, mu: new(sync.Mutex), row: map[string]*strikes{}, hour: map[string]*strikes{}}
}

func (l *signatureLocks) locked(ak, address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for _, s := range []*strikes{l.row[ak+" "+address], l.hour[ak]} {
		if s != nil && now.Before(s.until) {
			return true
		}
	}
	return false
}

func (l *signatureLocks) bad(ak, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.row) > 100000 { // a flood of made-up pairs must not fill the memory
		clear(l.row)
	}
	strike := func(m map[string]*strikes, k string, most int) {
		s := m[k]
		if s == nil || now.Sub(s.since) > time.Hour {
			s = &strikes{since: now}
			m[k] = s
		}
		if s.n++; s.n > most {
			s.n, s.until = 0, now.Add(lockFor)
		}
	}
	strike(l.row, ak+" "+address, l.most)
	strike(l.hour, ak, lockKey)
}

func (l *signatureLocks) good(ak, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.row, ak+" "+address)
}
