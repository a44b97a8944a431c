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
// time signed. It shares nothing with the server's verifier.
func Sign(r *http.Request, body []byte, ak, sk string, at time.Time) {
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
	canonical := strings.Join([]string{r.Method, path, strings.Join(pairs, "&"), "host:" + r.URL.Host + "\nx-sdk-date:" + stamp + "\n", "host;x-sdk-date", hash(body)}, "\n")
	mac := hmac.New(sha256.New, []byte(sk))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + stamp + "\n" + hash([]byte(canonical))))
	r.Header.Set("X-Sdk-Date", stamp)
	r.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+ak+", SignedHeaders=host;x-sdk-date, Signature="+hex.EncodeToString(mac.Sum(nil)))
}
