package diagnose_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/diagnose"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// kinds are the test's diagnoses: one of each sort of check, a command, and one
// with a single check for counting.
const kinds = `
diagnoses:
  - id: probe
    type: 1
    name: {zh: 全面检查, en: Everything}
    params:
      - {key: instance_id, form: resource, name: {zh: 资源, en: Resource}}
      - {key: host, form: host, required: true, name: {zh: 主机, en: Host}}
      - {key: port, form: port, default: "443", name: {zh: 端口, en: Port}}
      - {key: path, form: path, default: /, name: {zh: 路径, en: Path}}
      - {key: expected, form: host, name: {zh: 期望地址, en: Expected address}}
    groups:
      - {id: net, name: {zh: 网络, en: Network}}
      - {id: web, name: {zh: 网站, en: Site}}
    checks:
      - id: dns
        group: net
        name: {zh: 解析, en: Name}
        dns: {name: "{host}", type: A}
        suggestion: {zh: 检查解析记录, en: Look at the records}
        help: https://help.example/dns
      - id: points
        group: net
        name: {zh: 指向, en: Points there}
        dns: {name: "{host}", type: A, expected: ["{expected}"]}
      - id: tcp
        group: net
        needs: [dns]
        name: {zh: 端口, en: Port}
        tcp: {host: "{host}", port: "{port}"}
        suggestion: {zh: 检查安全组, en: Look at the security group}
      - id: tls
        group: web
        needs: [tcp]
        name: {zh: 证书, en: Certificate}
        tls: {host: "{host}", port: "{port}", warn_days: 30, fail_days: 5}
      - id: page
        group: web
        needs: [tcp]
        name: {zh: 页面, en: Page}
        http: {url: "https://{host}:{port}{path}", status: [200], contains: ready}
  - id: command
    type: 2
    name: {zh: 命令, en: Command}
    params:
      - {key: host, form: host, required: true, name: {zh: 主机, en: Host}}
      - {key: mode, form: word, default: ok, name: {zh: 方式, en: Mode}}
    groups: [{id: net, name: {zh: 网络, en: Network}}]
    checks:
      - {id: run, group: net, name: {zh: 运行, en: Run}, command: {argv: [PROGRAM, "{mode}", "{host}", "a b;$(id)"], seconds: 5}}
  - id: records
    type: 3
    name: {zh: 记录, en: Records}
    params: [{key: host, form: host, required: true, name: {zh: 主机, en: Host}}]
    groups: [{id: net, name: {zh: 网络, en: Network}}]
    checks:
      - {id: aaaa, group: net, name: {zh: 六, en: AAAA}, dns: {name: "{host}", type: AAAA, expected: ["2001:DB8::7"]}}
      - {id: mx, group: net, name: {zh: 邮, en: MX}, dns: {name: "{host}", type: MX, expected: [MAIL.good.example]}}
      - {id: txt, group: net, name: {zh: 文, en: TXT}, dns: {name: "{host}", type: TXT, expected: ["v=spf1 -all"]}}
      - {id: ns, group: net, name: {zh: 服, en: NS}, dns: {name: "{host}", type: NS, expected: [ns1.good.example]}}
      - {id: cname, group: net, name: {zh: 别, en: CNAME}, dns: {name: "{host}", type: CNAME}}
  - id: port
    type: 4
    name: {zh: 端口, en: Port}
    params:
      - {key: host, form: host, required: true, name: {zh: 主机, en: Host}}
      - {key: port, form: port, default: "1", name: {zh: 端口, en: Port}}
    groups: [{id: net, name: {zh: 网络, en: Network}}]
    checks:
      - {id: tcp, group: net, name: {zh: 端口, en: Port}, tcp: {host: "{host}", port: "{port}"}}
`

// world is an installation with two customers.
type world struct {
	t       *testing.T
	db      *db.DB
	clock   *dbtest.Clock
	ident   *identity.Service
	catalog *catalog.Service
	s       *diagnose.Service
	jobs    *job.Runner

	boss, li, wang, foreign principal.Principal
	chen, admin, auditor    principal.Principal
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// allowed lets diagnoses reach the test's own servers.
var allowed = config.Diagnose{Allow: []string{"127.0.0.1/32"}}

// each runs the test on both databases; program replaces PROGRAM in the command.
func each(t *testing.T, o diagnose.Options, program string, test func(w *world)) {
	t.Helper()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := &world{t: t, db: d, clock: clock}
		w.open(o, program)
		test(w)
	})
}

func (w *world) open(o diagnose.Options, program string) {
	w.t.Helper()
	var err error
	w.ident = identity.New(w.db, sealtest.Keyring(w.t), identity.Options{PasswordMemory: 64})
	w.catalog, err = catalog.New(w.t.Context(), w.db, catalog.Options{Log: quiet})
	w.ok(err)
	files := catalog.Default()
	if program == "" {
		program = "/bin/true"
	}
	files["diagnoses.yaml"] = []byte(strings.ReplaceAll(kinds, "PROGRAM", program))
	house := principal.AsSystem(principal.House)
	_, err = w.catalog.Apply(w.t.Context(), house, files, catalog.AnyVersion)
	w.ok(err)
	w.s, w.jobs = w.node(o)
	d1, err := w.ident.CreateDomain(w.t.Context(), house, identity.NewDomain{Name: "云帆科技"})
	w.ok(err)
	d2, err := w.ident.CreateDomain(w.t.Context(), house, identity.NewDomain{Name: "Harbour"})
	w.ok(err)
	// Nobody logs in here, and hashing passwords would take longer than the tests.
	customer := func(domain, name string, main bool) principal.Principal {
		return principal.Principal{Kind: principal.Customer, Domain: domain, User: "user-" + name, UserName: name, Main: main}
	}
	w.boss, w.foreign = customer(d1.ID, "boss", true), customer(d2.ID, "foreign", true)
	w.li, w.wang = customer(d1.ID, "li", false), customer(d1.ID, "wang", false)
	engineer := func(name, role string) principal.Principal {
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: name, Role: role}
	}
	w.chen, w.admin, w.auditor = engineer("chen", principal.RoleEngineer), engineer("root", principal.RoleAdministrator), engineer("audit", principal.RoleAuditor)
}

// node is a service and its worker on the world's store.
func (w *world) node(o diagnose.Options) (*diagnose.Service, *job.Runner) {
	w.t.Helper()
	o.Log = quiet
	s, err := diagnose.New(w.db, w.ident, w.catalog, o)
	w.ok(err)
	r := job.NewRunner(w.db, w.db.NewID(), quiet)
	r.Add(s.Kinds()...)
	return s, r
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused wants a fault with the code, naming the field.
func (w *world) refused(err error, code, field string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || !strings.HasSuffix(f.Code, code) || f.Field != field {
		w.t.Errorf("error %v, want code %s naming %q", err, code, field)
	}
}

// start begins a diagnosis a millisecond after the last.
func (w *world) start(who principal.Principal, kind int32, pairs ...string) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	n, err := w.s.Start(w.t.Context(), who, diagnose.NewJob{Type: kind, Params: params(pairs...)})
	w.ok(err)
	return num(n)
}

func num(n int32) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func params(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func (w *world) work() {
	w.t.Helper()
	_, err := w.jobs.Work(w.t.Context())
	w.ok(err)
}

func (w *world) show(who principal.Principal, id string) diagnose.Job {
	w.t.Helper()
	j, err := w.s.Show(w.t.Context(), who, id)
	w.ok(err)
	return j
}

// done starts a diagnosis, runs it and reads it.
func (w *world) done(kind int32, pairs ...string) diagnose.Job {
	w.t.Helper()
	id := w.start(w.li, kind, pairs...)
	w.work()
	j := w.show(w.li, id)
	if j.State.Open() {
		w.t.Fatalf("the diagnosis is still open: %+v", j)
	}
	return j
}

func check(t *testing.T, j diagnose.Job, id string) diagnose.Check {
	t.Helper()
	i := slices.IndexFunc(j.Checks, func(c diagnose.Check) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("no check %s in %+v", id, j)
	}
	return j.Checks[i]
}

// wants holds a check's outcome and words of its messages.
func wants(t *testing.T, j diagnose.Job, id string, outcome diagnose.Outcome, zh, en string) {
	t.Helper()
	c := check(t, j, id)
	if c.Outcome != outcome || !strings.Contains(c.Message.ZH, zh) || !strings.Contains(c.Message.EN, en) || c.Message.ZH == "" || c.Message.EN == "" {
		t.Errorf("%s: outcome %d, %q / %q; want %d, %q / %q", id, c.Outcome, c.Message.ZH, c.Message.EN, outcome, zh, en)
	}
}

// names is a DNS server of the test.
type names struct {
	asked atomic.Int64
	mu    sync.Mutex
	rr    map[string][]dnsmessage.ResourceBody
	mute  atomic.Bool // swallows questions
}

func (n *names) set(name string, rr ...dnsmessage.ResourceBody) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rr[name+"."] = rr
}

func a(s string) *dnsmessage.AResource {
	return &dnsmessage.AResource{A: netip.MustParseAddr(s).As4()}
}

// zone starts a DNS server with some names and answers a resolver that asks it.
func zone(t *testing.T) (*names, *net.Resolver) {
	t.Helper()
	n := &names{rr: map[string][]dnsmessage.ResourceBody{}}
	host := func(s string) dnsmessage.Name { return dnsmessage.MustNewName(s) }
	n.set("good.example", a("127.0.0.1"), &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::7").As16()},
		&dnsmessage.MXResource{Pref: 10, MX: host("mail.good.example.")}, &dnsmessage.TXTResource{TXT: []string{"v=spf1 -all"}}, &dnsmessage.NSResource{NS: host("ns1.good.example.")})
	n.set("alias.example", &dnsmessage.CNAMEResource{CNAME: host("good.example.")})
	n.set("four.example", a("127.0.0.1"))
	n.set("inner.example", a("10.1.2.3"))
	n.set("mixed.example", a("127.0.0.1"), a("10.1.2.3"))
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			size, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:size]) != nil || len(q.Questions) == 0 {
				continue
			}
			n.asked.Add(1)
			if n.mute.Load() {
				continue
			}
			if out, err := n.answer(q).Pack(); err == nil {
				if _, err := c.WriteTo(out, from); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			}
		}
	}()
	return n, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

func (n *names) answer(q dnsmessage.Message) *dnsmessage.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	ask := q.Questions[0]
	reply := &dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true, RecursionAvailable: true}, Questions: q.Questions}
	name := ask.Name.String()
	if _, known := n.rr[name]; !known {
		reply.RCode = dnsmessage.RCodeNameError
		return reply
	}
	for {
		next := ""
		for _, b := range n.rr[name] {
			var kind dnsmessage.Type
			switch b := b.(type) {
			case *dnsmessage.AResource:
				kind = dnsmessage.TypeA
			case *dnsmessage.AAAAResource:
				kind = dnsmessage.TypeAAAA
			case *dnsmessage.MXResource:
				kind = dnsmessage.TypeMX
			case *dnsmessage.TXTResource:
				kind = dnsmessage.TypeTXT
			case *dnsmessage.NSResource:
				kind = dnsmessage.TypeNS
			case *dnsmessage.CNAMEResource:
				kind, next = dnsmessage.TypeCNAME, b.CNAME.String()
			}
			if kind == ask.Type || kind == dnsmessage.TypeCNAME {
				reply.Answers = append(reply.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}, Body: b})
			}
		}
		if name = next; name == "" {
			return reply
		}
	}
}

// authority issues certificates for the test's servers.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

var now = time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC) // of dbtest.EachClock

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	raw, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, cert: cert, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

// issue makes a certificate for a name that ends after so long.
func (a *authority) issue(name string, from, until time.Time) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	raw, err := x509.CreateCertificate(rand.Reader, tpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// site is an HTTPS server with a certificate, and its port.
func site(t *testing.T, c tls.Certificate, h http.HandlerFunc) (port string, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{c}}
	s.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), slog.LevelError)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, connections
}

// deaf accepts connections and says nothing.
func deaf(t *testing.T) (port string, accepted chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = make(chan struct{}, 1000)
	var mu sync.Mutex
	var open []net.Conn
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			accepted <- struct{}{}
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, accepted
}

// closed is a port nothing listens on.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	return port
}
