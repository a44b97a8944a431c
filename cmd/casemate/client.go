package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"casemate/internal/fault"
	"casemate/internal/locale"
)

// output is where a command writes and which language it speaks.
type output struct {
	in       io.Reader // answers to questions
	out, err io.Writer
	lang     locale.Language
	zone     *time.Location // of the times it prints, nil = the shell's
	person   bool           // somebody reads what is printed and can answer
}

// say is the text in the shell's language.
func (o *output) say(zh, en string) string { return locale.Texts{ZH: zh, EN: en}.In(o.lang) }

func (o *output) printf(format string, args ...any) { fmt.Fprintf(o.out, format, args...) }

// json prints an answer as it came, indented for people.
func (o *output) json(raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := o.out.Write(b.Bytes())
	return err
}

// problem is an error in both languages.
type problem struct{ zh, en string }

func (p problem) Error() string { return p.en }

// describe is an error as the operator reads it.
func describe(err error, lang locale.Language) string {
	var p problem
	if errors.As(err, &p) {
		return locale.Texts{ZH: p.zh, EN: p.en}.In(lang)
	}
	if f, ok := fault.As(err); ok {
		return locale.Text(lang, f) + beneath(f, lang)
	}
	if r := (refusal{}); lang == locale.ZH && errors.As(err, &r) {
		return strings.Replace(err.Error(), r.Error(), r.chinese(), 1)
	}
	if zh, en, path := ofPath(err); path != nil {
		if lang == locale.ZH {
			return zh
		}
		return strings.Replace(err.Error(), path.Error(), en, 1)
	}
	if lang == locale.ZH {
		return inChinese(err)
	}
	return inEnglish(err.Error())
}

// beneath is why a store that is not there for now is not, which an operator on the
// machine is told: he is who can mend it. Texts that say why say it once.
func beneath(f *fault.Error, lang locale.Language) string {
	cause := f.Unwrap()
	if f.Kind != fault.Unavailable || cause == nil || strings.Contains(f.EN, "{why}") {
		return ""
	}
	if path := (*os.PathError)(nil); errors.As(cause, &path) && errors.Is(cause, syscall.ENOSPC) {
		return locale.Texts{ZH: "：" + path.Path, EN: ": " + path.Path}.In(lang)
	}
	why := fault.Reason(cause)
	return locale.Texts{ZH: "：" + why.ZH, EN: ": " + why.EN}.In(lang)
}

// clientFlags say which server a local command talks to and as whom: the
// operator, by the local token in the server's data folder, or a person of the
// house, by name and password from a credentials file. There is no other way.
type clientFlags struct {
	Data        string `help:"The server's data folder; its local token lets the operator in." default:"data" type:"path" placeholder:"DIR"`
	URL         string `help:"The server's address; else the one in the data folder or the credentials file." name:"url" placeholder:"URL"`
	Credentials string `help:"Log in with a name and password from this file (as the demo world writes it) instead of the local token: as its administrator, for what an engineer does as the engineer of --as, else its first." type:"path" placeholder:"FILE"`
}

// jsonFlag asks for the raw answer.
type jsonFlag struct {
	JSON bool `help:"Print the answer as JSON."`
}

// login is a name and password of a person of the house.
type login struct{ Name, Password string }

// credentials is the part of a credentials file that local commands need.
type credentials struct {
	BaseURL   string  `json:"base_url"`
	Engineers []login `json:"engineers"`
	Admin     login   `json:"admin"`
}

func readCredentials(path string) (c credentials, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, problem{path + "：不是有效的凭据文件", path + ": not a credentials file"}
	}
	return c, nil
}

// client calls the desk API.
type client struct {
	base    string
	token   string
	session bool // the token is of a session that end closes
	lang    locale.Language
	http    *http.Client
}

// callTimeout bounds one call of a local command.
const callTimeout = time.Minute

func newClient(base string, lang locale.Language) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, problem{"服务地址无效：" + base, "not a server address: " + base}
	}
	return &client{base: strings.TrimRight(base, "/"), lang: lang, http: &http.Client{
		Timeout: callTimeout,
		// The desk API never redirects; following one would carry the token away.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// operator opens a client for administration: by the local token, or as the
// credentials file's administrator.
func (f clientFlags) operator(ctx context.Context, o *output) (*client, error) {
	if f.Credentials == "" {
		return f.local(o)
	}
	c, err := readCredentials(f.Credentials)
	if err != nil {
		return nil, err
	}
	if c.Admin.Name == "" {
		return nil, problem{f.Credentials + "：没有管理员（admin）", f.Credentials + ": holds no administrator (admin)"}
	}
	return f.login(ctx, o, c, c.Admin)
}

// local opens a client with the token that the running server wrote into its
// data folder.
func (f clientFlags) local(o *output) (*client, error) {
	path := filepath.Join(f.Data, "local-token")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, problem{
			"没有找到运行中的服务：" + path + " 不存在。请先运行 casemate serve --data " + f.Data + "，或使用 --credentials FILE。",
			"no running server found: " + path + " does not exist. Start casemate serve --data " + f.Data + ", or use --credentials FILE."}
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, problem{
			"没有权限读取 " + path + "：请以运行服务的用户执行（例如 sudo -u casemate），或使用 --credentials FILE。",
			"no permission to read " + path + ": run this as the user the server runs as (sudo -u casemate, for example), or use --credentials FILE."}
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		URL   string `json:"url"`
		Token string `json:"token"`
	}
	if err := json.Unmarshal(text, &file); err != nil || file.Token == "" {
		return nil, problem{path + "：不是本地令牌文件", path + ": not a local token file"}
	}
	base := file.URL
	if f.URL != "" {
		base = f.URL
	}
	c, err := newClient(base, o.lang)
	if err != nil {
		return nil, err
	}
	if !onThisMachine(base) {
		return nil, problem{
			"本地令牌只用于本机：" + base + " 不是本机地址，请使用 --credentials FILE。",
			"the local token is for this machine only and " + base + " is not on it; use --credentials FILE."}
	}
	c.token = file.Token
	return c, nil
}

func onThisMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (f clientFlags) login(ctx context.Context, o *output, c credentials, who login) (*client, error) {
	base := c.BaseURL
	if f.URL != "" {
		base = f.URL
	}
	cl, err := newClient(base, o.lang)
	if err != nil {
		return nil, err
	}
	var session struct {
		Token string `json:"token"`
	}
	body := map[string]string{"name": who.Name, "password": who.Password}
	if err := cl.post(ctx, "/desk/v1/sessions", body, &session); err != nil {
		return nil, err
	}
	cl.token, cl.session = session.Token, true
	return cl, nil
}

// end logs a session out; what was asked for is done, so a failure is no error.
func (c *client) end() {
	if !c.session {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.call(ctx, http.MethodDelete, "/desk/v1/sessions", nil, nil, nil)
}

func (c *client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, into)
}

// getIn is get with dates in a zone, "" = the server's.
func (c *client) getIn(ctx context.Context, path string, query url.Values, zone string, into any) error {
	if zone == "" {
		return c.get(ctx, path, query, into)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Time-Zone", zone)
	return c.send(r, into)
}

func (c *client) post(ctx context.Context, path string, body, into any) error {
	return c.call(ctx, http.MethodPost, path, nil, body, into)
}

// refusal is an error answer of the server.
type refusal struct {
	status         int
	code, text, id string
}

// Status is the HTTP status of the answer.
func (r refusal) Status() int { return r.status }

func (r refusal) Error() string {
	s := r.text + " (" + r.code
	if r.id != "" {
		s += ", request " + r.id
	}
	return s + ")"
}

// chinese is the same, as the server said it in Chinese.
func (r refusal) chinese() string {
	s := r.text + "（" + r.code
	if r.id != "" {
		s += "，请求编号 " + r.id
	}
	return s + "）"
}

// maxAnswer bounds an answer in bytes; the largest is the exported catalogue.
const maxAnswer = 64 << 20

// call makes one call; into may be nil, a *json.RawMessage or anything JSON.
// An error answer is a refusal.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, sent)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return c.send(r, into)
}

// send sends a prepared request with the client's token.
func (c *client) send(r *http.Request, into any) error {
	ctx, method, path := r.Context(), r.Method, r.URL.Path
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-Language", string(c.lang))
	if c.token != "" {
		r.Header.Set("X-Auth-Token", c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	if answer.StatusCode >= 300 {
		return refused(answer, text)
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *json.RawMessage:
		*into = text
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// unreachable tells why a request got no answer.
func (c *client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return problem{"无法连接服务 " + c.base + "：" + fault.Reason(err).ZH, "the server at " + c.base + " does not answer: " + err.Error()}
}

func refused(answer *http.Response, text []byte) error {
	var body struct {
		Code string `json:"error_code"`
		Text string `json:"error_msg"`
	}
	_ = json.Unmarshal(text, &body) // a proxy's page has neither; shown by status
	if body.Code == "" {
		return problem{"服务返回 " + answer.Status, "the server answered " + answer.Status}
	}
	return refusal{status: answer.StatusCode, code: body.Code, text: body.Text, id: answer.Header.Get("X-Request-Id")}
}
