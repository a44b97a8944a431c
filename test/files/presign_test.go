package files

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"casemate/test/world"
)

// presigned checks a query-signed GET as the object store's maker documents it
// (Signature Version 4, "Authenticating Requests: Using Query Parameters"), by
// hand: it shares no code with the library that signs.
func presigned(r *http.Request, secret string, now time.Time) error {
	q := r.URL.Query()
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	life, err := time.ParseDuration(q.Get("X-Amz-Expires") + "s")
	if err != nil || life > time.Minute || now.After(at.Add(life)) || now.Before(at.Add(-time.Minute)) {
		return fmt.Errorf("life %v from %v", life, at)
	}
	scope := strings.Split(q.Get("X-Amz-Credential"), "/")
	if len(scope) != 5 || q.Get("X-Amz-SignedHeaders") != "host" {
		return fmt.Errorf("scope %v, headers %q", scope, q.Get("X-Amz-SignedHeaders"))
	}
	var pairs []string
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	for k := range q {
		if k != "X-Amz-Signature" {
			pairs = append(pairs, escape(k)+"="+escape(q.Get(k)))
		}
	}
	sort.Strings(pairs)
	canonical := "GET\n" + r.URL.EscapedPath() + "\n" + strings.Join(pairs, "&") + "\nhost:" + r.Host + "\n\nhost\nUNSIGNED-PAYLOAD"
	sum := sha256.Sum256([]byte(canonical))
	mac := func(key []byte, s string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		return h.Sum(nil)
	}
	key := []byte("AWS4" + secret)
	for _, part := range scope[1:] {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+q.Get("X-Amz-Date")+"\n"+strings.Join(scope[1:], "/")+"\n"+hex.EncodeToString(sum[:])))
	if want != q.Get("X-Amz-Signature") {
		return fmt.Errorf("signature over %q", canonical)
	}
	return nil
}

// TestPresignedDownloads: with downloads=URL the link of an attachment leads on
// to the object store, signed for a minute, and the bytes do not pass the server;
// what may not be opened any more is refused before.
func TestPresignedDownloads(t *testing.T) {
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(backend).Server()
	s3 := httptest.NewServer(inner)
	defer s3.Close()
	const secret = "a-secret-of-the-bucket"
	var direct atomic.Int64
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := presigned(r, secret, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		direct.Add(1)
		w.Header().Set("X-Disposition", r.URL.Query().Get("response-content-disposition"))
		w.Header().Set("X-Media", r.URL.Query().Get("response-content-type"))
		inner.ServeHTTP(w, r)
	}))
	defer public.Close()
	w := world.Start(t, world.Options{Args: []string{"--blobs", "s3://files/casemate?endpoint=" + s3.URL + "&downloads=" + public.URL},
		Env: []string{"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=" + secret}})
	tk := token(t, w, 0)
	text := bytes.Repeat([]byte("presigned "), 1000)
	body, length := form("截图 1.txt", int64(len(text)), bytes.NewReader(text))
	status, answer, err := send(w, tk, body, length)
	if status != 200 || err != nil {
		t.Fatal(status, answer, err)
	}
	id := accessory(answer)
	link := func() string {
		got, err := client(t, w, 0).ListAccessoryAccessUrls(&model.ListAccessoryAccessUrlsRequest{AccessoryIds: []string{id}})
		if err != nil {
			t.Fatal(err)
		}
		return *(*got.AccessoryUrls)[0].AccessoryUrl
	}
	one := link()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := stay.Get(one)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	to := res.Header.Get("Location")
	if res.StatusCode != http.StatusTemporaryRedirect || !strings.HasPrefix(to, public.URL+"/files/casemate/") || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s to %q, want %s, %v", res.Status, to, public.URL, res.Header.Get("Cache-Control"))
	}
	if res, err := stay.Head(one); err != nil || res.StatusCode != 200 || res.ContentLength != int64(len(text)) {
		t.Errorf("HEAD of the link: %v %v", res, err)
	}
	if res, err = http.Get(to); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != 200 || !bytes.Equal(got, text) || direct.Load() != 1 {
		t.Errorf("from the store: %s, %d bytes, %v", res.Status, len(got), err)
	}
	if d := res.Header.Get("X-Disposition"); !strings.HasPrefix(d, "attachment; ") || !strings.Contains(d, url.PathEscape("截图")) || res.Header.Get("X-Media") != "application/octet-stream" {
		t.Errorf("headers asked for: %q %q", d, res.Header.Get("X-Media"))
	}
	for _, bad := range []string{strings.Replace(to, "X-Amz-Expires=60", "X-Amz-Expires=59", 1), to[:len(to)-1] + "x"} {
		if res, err := http.Get(bad); err != nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("a changed address: %v %v", res, err)
		}
	}
	// The other ways to the file go through the server, as the SDKs want it.
	if res, body := get(t, w.URL+accessorys+"/"+id, tk); res.StatusCode != 200 || len(body) != len(text) {
		t.Errorf("by the API: %s, %d bytes", res.Status, len(body))
	}
	if res, err = stay.Get(one + "x"); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a changed link: %v %v", res, err)
	}
	r, err := http.NewRequest(http.MethodDelete, w.URL+accessorys+"/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", tk)
	if res, err = http.DefaultClient.Do(r); err != nil || res.StatusCode/100 != 2 {
		t.Fatal(res, err)
	}
	if res, err = stay.Get(one); err != nil || res.StatusCode != http.StatusNotFound || res.Header.Get("Location") != "" {
		t.Errorf("the link of a removed file: %v %v", res, err)
	}
}
