package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"casemate/internal/config"
	"casemate/internal/guard"
)

// gateway sends text messages through a provider's HTTP interface, described
// by templates.
type gateway struct {
	c      config.SMSGateway
	client *http.Client
	secret string

	receiptKey string // "" = no receipts are taken
}

// mark is a placeholder of a gateway's template.
var mark = regexp.MustCompile(`\{[a-z_]+\}`)

var gatewayMarks = []string{"{to}", "{number}", "{area}", "{national}", "{text}", "{code}", "{template}", "{language}", "{id}", "{secret}", "{nonce}", "{created}", "{digest}", "{receipt}"}

// NewGateway makes a provider of text messages of the server's file. It refuses
// templates with unknown placeholders, or with one in the host.
func NewGateway(c config.SMSGateway) (Channel, error) {
	walls, err := guard.New(c.Allow)
	if err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	in := secretsOf{walls: &walls}
	if in.roots, err = pool(c.CAFile); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	if in.secret, err = c.Secret.Read(); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if in.receipt, err = c.Receipt.Secret.Read(); err != nil {
		return nil, fmt.Errorf("receipt: secret: %w", err)
	}
	if err := checkReceipt(c.Receipt, c.Receipt.Secret != (config.Secret{}), in.receipt); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return newGateway(c, in)
}

// newGateway makes a provider whose receipts have been checked.
func newGateway(c config.SMSGateway, in secretsOf) (*gateway, error) {
	if c.Method == "" {
		c.Method = http.MethodPost
	}
	u, err := url.Parse(mark.ReplaceAllString(c.URL, "x"))
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("url is not an http or https address")
	}
	if plain, err := url.Parse(strings.SplitN(c.URL, "{", 2)[0]); err != nil || plain.Host != u.Host {
		return nil, errors.New("url: no placeholder may stand in the host")
	}
	texts := []string{c.URL, c.Body}
	for name, v := range c.Headers {
		if !validToken.MatchString(name) {
			return nil, fmt.Errorf("header name %q is not valid", name)
		}
		texts = append(texts, v)
	}
	for _, t := range texts {
		for _, m := range mark.FindAllString(t, -1) {
			if !slices.Contains(gatewayMarks, m) {
				return nil, fmt.Errorf("placeholder %s does not exist", m)
			}
		}
	}
	if c.Name == "" {
		c.Name = u.Hostname()
	}
	walls := *in.walls
	walls.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: in.roots}
	return &gateway{c: c, client: walls.Client(), secret: in.secret, receiptKey: in.receipt}, nil
}

var validToken = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (g *gateway) Name() string { return g.c.Name }

// Close ends the connections that wait for another request.
func (g *gateway) Close() { g.client.CloseIdleConnections() }

// jsonText is a value as it stands between the quotes of a JSON string.
func jsonText(v string) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // strings always marshal
	}
	return string(b[1 : len(b)-1])
}

// values are what a request's placeholders stand for.
func (g *gateway) values(m Outgoing) map[string]string {
	area, national, _ := SplitNumber(m.To)
	nonce, created := rand.Text(), time.Now().UTC().Format(time.RFC3339)
	digest := sha256.Sum256([]byte(nonce + created + g.secret))
	return map[string]string{"{to}": m.To, "{number}": strings.TrimPrefix(m.To, "+"), "{area}": area, "{national}": national, "{text}": m.Text,
		"{code}": m.Code, "{template}": m.Template, "{language}": string(m.Language), "{id}": m.ID, "{secret}": g.secret,
		"{nonce}": nonce, "{created}": created, "{digest}": base64.StdEncoding.EncodeToString(digest[:]), "{receipt}": g.receiptLink(m.ID)}
}

func fill(template string, values map[string]string, escape func(string) string) string {
	return mark.ReplaceAllStringFunc(template, func(name string) string { return escape(values[name]) })
}

func (g *gateway) request(ctx context.Context, m Outgoing) (*http.Request, error) {
	values := g.values(m)
	escape, contentType := jsonText, "application/json; charset=utf-8"
	if g.c.Form {
		escape, contentType = url.QueryEscape, "application/x-www-form-urlencoded"
	}
	var body io.Reader
	if g.c.Body != "" {
		body = strings.NewReader(fill(g.c.Body, values, escape))
	}
	req, err := http.NewRequestWithContext(ctx, g.c.Method, fill(g.c.URL, values, url.QueryEscape), body)
	if err != nil {
		return nil, errors.New("the request cannot be written") // the error's text would hold the URL
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "Casemate")
	for name, v := range g.c.Headers {
		req.Header.Set(name, oneLine(fill(v, values, func(s string) string { return s })))
	}
	return req, nil
}

// Send makes one request. 400, 404, 413 and 422 mean that the gateway will not
// take this message; everything else may pass later or elsewhere.
func (g *gateway) Send(ctx context.Context, m Outgoing) (string, error) {
	req, err := g.request(ctx, m)
	if err != nil {
		return "", &Failure{Permanent: true, Detail: "sms gateway", Cause: err}
	}
	t := taped(ctx)
	t.request(g, req)
	res, err := g.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL, which may hold number, text and secret
		}
		t.refused(err)
		return "", &Failure{Detail: "sms gateway", Cause: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, guard.Most+1))
	if err == nil && len(text) > guard.Most {
		err = errors.New("answer too long")
	}
	if err != nil {
		return "", &Failure{Detail: "sms gateway: http " + strconv.Itoa(res.StatusCode), Cause: err}
	}
	t.answer(res, text)
	answer := parseAnswer(text)
	return g.judge(res.StatusCode, answer)
}

// request keeps a request; what only the two of us may know is left out: the
// digest and the receipt's link prove who we are as the secret does.
func (t *tape) request(g *gateway, req *http.Request) {
	if t == nil {
		return
	}
	hidden := regexp.MustCompile(`[?&]t=[0-9a-f]{64}|%26t%3D[0-9a-f]{64}`)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", req.Method, req.URL)
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		given := g.c.Headers[name]
		for own, v := range g.c.Headers {
			if strings.EqualFold(own, name) {
				given = v
			}
		}
		for _, v := range req.Header[name] {
			if strings.Contains(given, "{digest}") {
				v = strings.ReplaceAll(given, "{digest}", "***")
			}
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			text, _ := io.ReadAll(io.LimitReader(body, maxTold)) // a string: it does not fail
			b.WriteString("\n" + string(text))
		}
	}
	t.say(SaidClient, hidden.ReplaceAllString(b.String(), "***"))
}

// maxTold is how much of a body a transcript has.
const maxTold = 4 << 10

func (t *tape) answer(res *http.Response, body []byte) {
	if t == nil {
		return
	}
	if res.TLS != nil {
		t.note("%s", secured(*res.TLS))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", res.Proto, res.Status)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		if name == "Set-Cookie" {
			continue
		}
		for _, v := range res.Header[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.WriteString("\n" + string(body[:min(len(body), maxTold)]))
	t.say(SaidServer, b.String())
}

func (g *gateway) judge(status int, answer any) (string, error) {
	f := &Failure{Detail: "sms gateway: http " + strconv.Itoa(status)}
	for _, path := range []string{g.c.Success.Path, g.c.Refused.Path} {
		if v, ok := lookup(answer, path); path != "" && ok {
			f.Detail += " " + path + "=" + cut(v, 64)
			break
		}
	}
	if asks(g.c.Refused) && holds(g.c.Refused, answer) {
		f.Permanent, f.Recipient = true, true
		return "", f
	}
	if status < 200 || status > 299 {
		f.Permanent = slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity}, status)
		return "", f
	}
	if asks(g.c.Success) && !holds(g.c.Success, answer) {
		return "", f
	}
	id, _ := lookup(answer, g.c.ProviderID)
	return id, nil
}

func parseAnswer(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil // not JSON: no path leads anywhere in it
	}
	return v
}

func asks(c config.Condition) bool { return c.Path != "" }

func holds(c config.Condition, answer any) bool {
	v, ok := lookup(answer, c.Path)
	return ok && slices.Contains(c.Values, v)
}

// lookup follows a path such as data.0.id through a JSON value to a scalar.
func lookup(v any, path string) (string, bool) {
	if path == "" {
		return "", false
	}
	for name := range strings.SplitSeq(path, ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(t) {
				return "", false
			}
			v = t[i]
		default:
			return "", false
		}
	}
	switch t := v.(type) {
	case string:
		return t, true
	case json.Number:
		return t.String(), true
	case bool:
		return strconv.FormatBool(t), true
	}
	return "", false
}
