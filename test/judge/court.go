package judge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Count is what was judged.
type Count struct {
	Requests   int // held against the contract
	Bad        int // of those, requests that break it and were refused
	Answers    int
	Cut        int // exchanges whose connection ended before the answer
	Violations int
}

// Add adds what was judged elsewhere.
func (c *Count) Add(o Count) {
	c.Requests, c.Bad, c.Answers = c.Requests+o.Requests, c.Bad+o.Bad, c.Answers+o.Answers
	c.Cut, c.Violations = c.Cut+o.Cut, c.Violations+o.Violations
}

func (c Count) String() string {
	return fmt.Sprintf("%d requests (%d of them bad and refused), %d answers judged (%d cut off), %d violations",
		c.Requests, c.Bad, c.Answers, c.Cut, c.Violations)
}

// Court judges exchanges. A request that breaks the contract must be refused,
// one that keeps it must not be called malformed; so a bad request needs no
// mark, and a server that lets one through is found. Every answer is judged.
type Court struct {
	// Documented: business errors come with 200 (semantics.md D1).
	Documented bool
	// Strict: a request that breaks the contract is a violation even when it is
	// refused; for tests that have no business sending one.
	Strict bool

	mu    sync.Mutex
	count Count
	found map[string]int // violation -> times
}

// Count is what was judged so far.
func (c *Court) Count() Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Violations are the different ones found so far, sorted.
func (c *Court) Violations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, v := range slices.Sorted(maps.Keys(c.found)) {
		if n := c.found[v]; n > 1 {
			v = fmt.Sprintf("%s (and %d more)", v, n-1)
		}
		all = append(all, v)
	}
	return all
}

func (c *Court) cut() {
	c.mu.Lock()
	c.count.Cut++
	c.mu.Unlock()
}

// Contract is api/v2.yaml, read once.
func Contract() (*openapi3.T, error) { return contract() }

var contract = sync.OnceValues(func() (*openapi3.T, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, errors.New("not inside the module")
		}
		dir = up
	}
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(dir, "api", "v2.yaml"))
	if err != nil {
		return nil, err
	}
	// What the official SDKs read as a time; the contract says it in words only
	// (semantics.md section 1, the trap).
	doc.Components.Schemas["Time"].Value.Pattern = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`
	return doc, nil
})

// route finds the operation; a literal segment is preferred to a parameter.
func route(doc *openapi3.T, method, path string) (*routers.Route, map[string]string) {
	var (
		best   *routers.Route
		params map[string]string
		score  = -1
		parts  = strings.Split(path, "/")
	)
	for template, item := range doc.Paths.Map() {
		op := item.GetOperation(method)
		want := strings.Split(template, "/")
		if op == nil || len(want) != len(parts) {
			continue
		}
		literal, found := 0, map[string]string{}
		for i, w := range want {
			if strings.HasPrefix(w, "{") {
				v, err := url.PathUnescape(parts[i])
				if err != nil || parts[i] == "" {
					literal = -1
					break
				}
				found[strings.Trim(w, "{}")] = v
				continue
			}
			if w != parts[i] {
				literal = -1
				break
			}
			literal++
		}
		if literal > score {
			best, params, score = &routers.Route{Spec: doc, Path: template, PathItem: item, Method: method, Operation: op}, found, literal
		}
	}
	return best, params
}

// ours tells the paths of the customer API.
func ours(path string) bool {
	return strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/v2.0/") || strings.HasPrefix(path, "/osm/")
}

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// decide holds one exchange against the contract.
func (c *Court) decide(x *exchange) {
	if !ours(x.request.URL.Path) {
		return
	}
	doc, err := contract()
	if err != nil {
		c.verdict(Count{Violations: 1}, []string{"the contract: " + err.Error()})
		return
	}
	r, params := route(doc, x.request.Method, x.request.URL.EscapedPath())
	name := x.request.Method + " " + x.request.URL.Path
	if r != nil {
		name = r.Operation.OperationID
	}
	n := Count{Requests: 1, Answers: 1}
	var wrong []string
	blame := func(format string, args ...any) {
		wrong = append(wrong, name+": "+fmt.Sprintf(format, args...))
		n.Violations++
	}

	var told struct {
		Code any `json:"error_code"`
		Msg  any `json:"error_msg"`
	}
	if isJSON(x.header) && x.request.Method != http.MethodHead {
		if err := json.Unmarshal(x.told.bytes, &told); err != nil {
			blame("the answer is no JSON object: %v: %.200q", err, x.told.bytes)
		}
	}
	code, _ := told.Code.(string)
	refused := x.status >= 400 || x.status == http.StatusOK && code != ""
	if x.status == http.StatusNotImplemented {
		blame("answers 501: every operation is built")
	}

	// Go's HTTP server answers what it cannot read before any handler does.
	if (x.status == http.StatusBadRequest || x.status == http.StatusRequestHeaderFieldsTooLarge) && x.header.Get("X-Request-Id") == "" && x.last {
		c.verdict(Count{Requests: 1, Answers: 1, Bad: 1}, nil)
		return
	}

	// The request.
	if r != nil && x.asked.whole && x.status != http.StatusUnauthorized && !oddType(x, r) {
		bad := badRequest(x, r, params)
		switch {
		case errors.Is(bad, errUnsure):
		case bad != nil && !refused:
			blame("a request that breaks the contract is let through with %d: %v: %s %.300s", x.status, brief(bad), x.request.URL.RequestURI(), x.asked.bytes)
		case bad != nil && c.Strict:
			blame("the request breaks the contract: %v: %s", brief(bad), x.request.URL.RequestURI())
		case bad == nil && code == "OSM.0001":
			blame("a request that keeps the contract is called malformed: %.300s: %s %.300s", x.told.bytes, x.request.URL.RequestURI(), x.asked.bytes)
		}
		if bad != nil {
			n.Bad = 1
		}
	}

	// The answer.
	if x.header.Get("X-Request-Id") == "" {
		blame("%d without X-Request-Id", x.status)
	}
	switch x.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if s, err := strconv.Atoi(x.header.Get("Retry-After")); err != nil || s < 1 {
			blame("%d with Retry-After %q", x.status, x.header.Get("Retry-After"))
		}
	case http.StatusRequestTimeout:
		blame("408 is never sent")
	}
	switch {
	case x.status >= 400 || code != "":
		if x.status < 400 && !c.Documented {
			blame("%s with status %d", code, x.status)
		}
		if err := badError(doc, x, told.Code, told.Msg); err != nil {
			blame("error answer with status %d: %v: %.300q", x.status, err, x.told.bytes)
		}
	case x.request.Method == http.MethodHead:
	case r == nil:
		blame("status %d for a path that is not in the contract", x.status)
	case x.status != http.StatusOK && x.status != http.StatusPartialContent && x.status != http.StatusNotModified:
		blame("status %d", x.status)
	case x.status != http.StatusNotModified:
		if err := badAnswer(x, r); err != nil {
			blame("the answer breaks the contract: %v: %.300q", brief(err), x.told.bytes)
		}
	}
	c.verdict(n, wrong)
}

func (c *Court) verdict(n Count, wrong []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.Add(n)
	if c.found == nil {
		c.found = map[string]int{}
	}
	for _, w := range wrong {
		c.found[w]++
	}
}

// brief is an error's first line: kin-openapi prints the schema beneath.
func brief(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

var options = &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true}

func input(x *exchange, r *routers.Route, params map[string]string) *openapi3filter.RequestValidationInput {
	req := x.request.Clone(context.Background())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(x.asked.bytes)), int64(len(x.asked.bytes))
	if len(x.asked.bytes) == 0 {
		req.Body = http.NoBody
	}
	return &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: r, Options: options}
}

// badRequest is what is wrong with a request, nil when it keeps the contract.
func badRequest(x *exchange, r *routers.Route, params map[string]string) error {
	in := input(x, r, params)
	if _, err := url.ParseQuery(x.request.URL.RawQuery); err != nil {
		return err
	}
	for _, p := range r.Operation.Parameters {
		// kin-openapi takes the first of several values of what is no list.
		if p.Value.In == openapi3.ParameterInQuery && !p.Value.Schema.Value.Type.Is("array") && len(x.request.URL.Query()[p.Value.Name]) > 1 {
			return fmt.Errorf("%s is given twice", p.Value.Name)
		}
	}
	if !x.asked.kept() {
		o := *options
		o.ExcludeRequestBody = true
		in.Options = &o
	} else if !strings.HasPrefix(x.request.Header.Get("Content-Type"), "multipart/") {
		if !utf8.Valid(x.asked.bytes) || bytes.IndexByte(x.asked.bytes, 0) >= 0 || bytes.Contains(x.asked.bytes, []byte(`\u0000`)) {
			return errors.New("the body is no text")
		}
		if len(x.asked.bytes) > 0 && r.Operation.RequestBody != nil && !json.Valid(x.asked.bytes) {
			return errors.New("the body is no JSON")
		}
	}
	err := openapi3filter.ValidateRequest(context.Background(), in)
	if errors.Is(err, openapi3filter.ErrInvalidEmptyValue) {
		return errUnsure
	}
	return err
}

// oddType tells a Content-Type that is neither the operation's nor absent: the
// server may refuse it or, where nothing needs a body, overlook it.
func oddType(x *exchange, r *routers.Route) bool {
	text := x.request.Header.Get("Content-Type")
	if len(x.request.Header.Values("Content-Type")) == 0 && len(x.asked.bytes) == 0 || r.Operation.RequestBody == nil {
		return false
	}
	kind, _, err := mime.ParseMediaType(text)
	return err != nil || r.Operation.RequestBody.Value.Content[kind] == nil || len(x.request.Header.Values("Content-Type")) > 1
}

// errUnsure: label_id_list= is a list with an empty word, or an absent one, as
// one likes; and what else the request holds was not looked at.
var errUnsure = errors.New("an empty value")

var codes = regexp.MustCompile(`^(OSM\.000[1-4]|OSM\.0101\d{4}|APIGW\.0[123]0\d)$`)

// badError is what is wrong with a refusal: the SDKs want both fields, filled.
func badError(doc *openapi3.T, x *exchange, code, msg any) error {
	if x.request.Method == http.MethodHead {
		return nil
	}
	if !isJSON(x.header) {
		return fmt.Errorf("Content-Type %q", x.header.Get("Content-Type"))
	}
	c, _ := code.(string)
	m, _ := msg.(string)
	if c == "" || m == "" {
		return errors.New("error_code or error_msg is empty")
	}
	if !codes.MatchString(c) {
		return fmt.Errorf("code %s is not in the tables", c)
	}
	var v any
	if err := json.Unmarshal(x.told.bytes, &v); err != nil {
		return err
	}
	return doc.Components.Schemas["ErrorBody"].Value.VisitJSON(v, openapi3.VisitAsResponse())
}

// badAnswer is what is wrong with a success.
func badAnswer(x *exchange, r *routers.Route) error {
	response := r.Operation.Responses.Status(http.StatusOK)
	if response == nil {
		return errors.New("the contract knows no success")
	}
	kind := x.header.Get("Content-Type")
	media := response.Value.Content.Get(kind)
	if media == nil {
		return fmt.Errorf("Content-Type %q", kind)
	}
	if response.Value.Content["application/json"] == nil {
		return nil // a stream
	}
	if x.status != http.StatusOK {
		return fmt.Errorf("status %d", x.status)
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: x.request, Route: r, Options: options},
		Status:                 x.status, Header: x.header, Body: io.NopCloser(bytes.NewReader(x.told.bytes)), Options: options})
}
