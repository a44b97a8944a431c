package world

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Sign signs a request as the documents say (contract: Signature), host and
// time signed, and the security token of a temporary key. It shares nothing with
// the server's verifier.
func Sign(r *http.Request, body []byte, ak, sk string, at time.Time) {
	sum := sha256.Sum256(body)
	signed := []string{"host", "x-sdk-date"}
	if r.Header.Get("X-Security-Token") != "" {
		signed = append(signed, "x-security-token")
	}
	sign(r, hex.EncodeToString(sum[:]), signed, ak, sk, at)
}

// SignUnsigned signs a form upload, whose body no signature covers.
func SignUnsigned(r *http.Request, ak, sk string, at time.Time) {
	r.Header.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD")
	sign(r, "UNSIGNED-PAYLOAD", []string{"host", "x-sdk-content-sha256", "x-sdk-date"}, ak, sk, at)
}

func sign(r *http.Request, payload string, signed []string, ak, sk string, at time.Time) {
	encode := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	stamp := at.UTC().Format("20060102T150405Z")
	path := r.URL.EscapedPath()
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	q := r.URL.Query()
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(q)) {
		for _, v := range slices.Sorted(slices.Values(q[k])) {
			pairs = append(pairs, encode(k)+"="+encode(v))
		}
	}
	hash := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	r.Header.Set("X-Sdk-Date", stamp)
	headers := ""
	for _, name := range signed {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.URL.Host
		}
		headers += name + ":" + value + "\n"
	}
	canonical := strings.Join([]string{r.Method, path, strings.Join(pairs, "&"), headers, strings.Join(signed, ";"), payload}, "\n")
	mac := hmac.New(sha256.New, []byte(sk))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + stamp + "\n" + hash([]byte(canonical))))
	r.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+ak+", SignedHeaders="+strings.Join(signed, ";")+", Signature="+hex.EncodeToString(mac.Sum(nil)))
}
