package selftest

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

func upper(s string) string { return strings.ToUpper(s) }

// random is n characters of letters and digits, lower case.
func random(n int) string {
	s := ""
	for len(s) < n {
		s += strings.ToLower(rand.Text())
	}
	return s[:n]
}

// request is what an operation is called with.
type request struct {
	path   map[string]string
	query  url.Values
	header map[string]string
	body   any     // sent as JSON
	file   *upload // sent as a form
	token  string  // says who calls, instead of a signature
}

type upload struct {
	name string
	data []byte
	form string // the text field form_data
}

// refused is an error answer.
type refused struct {
	operation  string
	status     int
	code, text string
}

func (e refused) Error() string {
	return fmt.Sprintf("%s was refused: %d %s %s", e.operation, e.status, e.code, e.text)
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 32 << 20

// call calls an operation of the customer API as the user, signed as the
// vendor's clients sign. It fails with errNotBuilt, or refused for an answer
// with an error code or a status from 300 on.
func (r *run) call(operation string, who User, in request) (answer, error) {
	row := r.rows[operation]
	path := row.Path
	for name, v := range in.path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(v))
	}
	target := strings.TrimRight(r.o.URL, "/") + path
	if len(in.query) > 0 {
		target += "?" + strings.ReplaceAll(in.query.Encode(), "+", "%20")
	}
	body, kind, err := in.encode()
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(r.Context, row.Method, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("X-Language", "en-us")
	for name, v := range in.header {
		req.Header.Set(name, v)
	}
	if in.token != "" {
		req.Header.Set("X-Auth-Token", in.token)
	} else {
		sign(req, body, in.file != nil, who.AK, who.SK, time.Now())
	}
	began := time.Now()
	got, err := r.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", operation, err)
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	row.Calls++
	row.Status = got.StatusCode
	row.MS = max(row.MS, float64(time.Since(began).Microseconds()/100)/10)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", operation, err)
	}
	out := answer{raw: raw, header: got.Header}
	if strings.Contains(got.Header.Get("Content-Type"), "json") {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // ids may be longer than a float tells apart
		if err := d.Decode(&out.v); err != nil {
			return out, fmt.Errorf("%s: the answer is no JSON: %w", operation, err)
		}
	}
	code := out.at("error_code").text()
	switch {
	case got.StatusCode == http.StatusNotImplemented:
		row.Result = NotBuilt
		return out, errNotBuilt
	case got.StatusCode >= 300 || strings.Contains(code, "."): // {"error_code":"none"} is no error
		return out, refused{operation, got.StatusCode, code, out.at("error_msg").text()}
	}
	r.answered[operation]++
	return out, nil
}

func (in request) encode() (body []byte, kind string, err error) {
	if in.file == nil {
		if in.body != nil {
			body, err = json.Marshal(in.body)
		}
		return body, "application/json", err // the SDKs send it on every request
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("form_data", in.file.form); err != nil {
		return nil, "", err
	}
	part, err := w.CreateFormFile("file", in.file.name)
	if err != nil {
		return nil, "", err
	}
	if _, err := part.Write(in.file.data); err != nil {
		return nil, "", err
	}
	err = w.Close() // writes the end of the form
	return b.Bytes(), w.FormDataContentType(), err
}

// sign signs a request as the vendor's documents say: SDK-HMAC-SHA256 over
// method, path, query, the signed headers and the body's hash. A form is sent
// unsigned, as the official clients do, and says so in a signed header.
func sign(r *http.Request, body []byte, form bool, ak, sk string, at time.Time) {
	hash := func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	stamp, payload := at.UTC().Format("20060102T150405Z"), hash(body)
	r.Header.Set("X-Sdk-Date", stamp)
	headers := "host:" + r.URL.Host + "\n"
	names := "host;x-sdk-date"
	if form {
		payload = "UNSIGNED-PAYLOAD"
		r.Header.Set("X-Sdk-Content-Sha256", payload)
		headers += "x-sdk-content-sha256:" + payload + "\n"
		names = "host;x-sdk-content-sha256;x-sdk-date"
	}
	headers += "x-sdk-date:" + stamp + "\n"
	path := r.URL.EscapedPath()
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	q := r.URL.Query()
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(q)) {
		for _, v := range slices.Sorted(slices.Values(q[k])) {
			pairs = append(pairs, escape(k)+"="+escape(v))
		}
	}
	canonical := strings.Join([]string{r.Method, path, strings.Join(pairs, "&"), headers, names, payload}, "\n")
	mac := hmac.New(sha256.New, []byte(sk))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + stamp + "\n" + hash([]byte(canonical))))
	r.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+ak+", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac.Sum(nil)))
}

// answer is an answer, or a value in it; what is not there is empty.
type answer struct {
	v      any
	raw    []byte
	header http.Header
}

// at is the value under names joined by dots.
func (a answer) at(names string) answer {
	v := a.v
	for name := range strings.SplitSeq(names, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return answer{v: v}
}

func (a answer) text() string {
	switch v := a.v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(a.v)
}

func (a answer) number() int64 {
	n, ok := a.v.(json.Number)
	if !ok {
		return -1
	}
	i, err := n.Int64()
	if err != nil {
		return -1
	}
	return i
}

func (a answer) yes() bool { b, _ := a.v.(bool); return b }

func (a answer) list() (out []answer) {
	all, _ := a.v.([]any)
	for _, v := range all {
		out = append(out, answer{v: v})
	}
	return out
}

// find is the element of a list whose field has the value.
func (a answer) find(field, value string) (answer, bool) {
	for _, e := range a.list() {
		if e.at(field).text() == value {
			return e, true
		}
	}
	return answer{}, false
}

// first is the first element of a list.
func (a answer) first() answer {
	for _, e := range a.list() {
		return e
	}
	return answer{}
}
