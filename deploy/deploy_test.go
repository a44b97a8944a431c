// Package deploy_test holds the files of this folder against the program they
// start, and against the programs that read them where those are installed.
package deploy_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"casemate/internal/db"
)

var built struct {
	once sync.Once
	path string
	err  error
}

// program is the binary that make build made, or one made now.
func program(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("CASEMATE_BIN"); bin != "" {
		return bin
	}
	built.once.Do(func() {
		built.path = filepath.Join(os.TempDir(), fmt.Sprint("casemate-deploy-", os.Getpid()))
		cmd := exec.Command("go", "build", "-trimpath", "-o", built.path, "casemate/cmd/casemate")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.path != "" {
		os.Remove(built.path)
	}
	os.Exit(code)
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	return string(out)
}

// known are the variables that `casemate serve` reads.
func known(t *testing.T) []string {
	t.Helper()
	all := []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
	for _, m := range regexp.MustCompile(`\$(CASEMATE_\w+)`).FindAllStringSubmatch(run(t, exec.Command(program(t), "serve", "--help")), -1) {
		all = append(all, m[1])
	}
	if len(all) < 12 {
		t.Fatalf("serve knows only %v", all)
	}
	return all
}

var assignment = regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]*)=(.*)$`)

// TestVariables: what the files set is what the program reads, in each of them.
func TestVariables(t *testing.T) {
	known := known(t)
	checked := 0
	check := func(where, name string) {
		t.Helper()
		checked++
		if !slices.Contains(known, name) && !strings.HasPrefix(name, "BACKUP_") {
			t.Errorf("%s sets %s, which serve does not know", where, name)
		}
	}
	for _, path := range []string{"systemd/casemate.env", "ha/casemate.env"} {
		for _, m := range assignment.FindAllStringSubmatch(text(t, path), -1) {
			check(path, m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?:name: |- name: |list )"?((?:CASEMATE|AWS)_[A-Z_]+)`).FindAllStringSubmatch(text(t, "helm/casemate/templates/workload.yaml"), -1) {
		check("the chart", m[1])
	}
	for _, m := range regexp.MustCompile(`"(CASEMATE_\w+)=`).FindAllStringSubmatch(text(t, "image/image.go"), -1) {
		check("the image", m[1])
	}
	for name, s := range compose(t).Services {
		if name == "a" || name == "b" {
			for key := range s.Environment {
				check("compose", key)
			}
		}
	}
	if checked < 35 {
		t.Errorf("only %d variables were looked at", checked)
	}
}

// TestConfigurations: the program takes each configuration file as it stands.
func TestConfigurations(t *testing.T) {
	var values struct{ Config map[string]any }
	if err := yaml.Unmarshal([]byte(text(t, "helm/casemate/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	chart, err := yaml.Marshal(values.Config)
	if err != nil {
		t.Fatal(err)
	}
	ofChart := filepath.Join(t.TempDir(), "chart.yaml")
	if err := os.WriteFile(ofChart, chart, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"systemd/casemate.yaml", "compose/casemate.yaml", ofChart} {
		if out := run(t, exec.Command(program(t), "config", "--config", path)); !strings.Contains(out, "drain: 15s") {
			t.Errorf("%s gives\n%s", path, out)
		}
	}
}

// unit are the settings of a unit file by section and key.
func unit(t *testing.T, path string) map[string][]string {
	t.Helper()
	out, section := map[string][]string{}, ""
	for s := bufio.NewScanner(strings.NewReader(text(t, path))); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Errorf("%s: %q", path, line)
			}
			out[section+"."+key] = append(out[section+"."+key], value)
		}
	}
	return out
}

// TestUnits: the services are locked in, stop later than they drain, and
// systemd finds nothing wrong with them.
func TestUnits(t *testing.T) {
	services := []string{"casemate.service", "casemate-backup.service"}
	for _, name := range services {
		u := unit(t, filepath.Join("systemd", name))
		for _, key := range []string{"NoNewPrivileges", "PrivateDevices", "PrivateTmp", "PrivateUsers", "ProtectHome", "ProtectKernelModules", "ProtectKernelTunables",
			"ProtectControlGroups", "MemoryDenyWriteExecute", "RestrictNamespaces", "RestrictSUIDSGID", "LockPersonality"} {
			if v := u["Service."+key]; !slices.Equal(v, []string{"yes"}) {
				t.Errorf("%s: %s is %v", name, key, v)
			}
		}
		for key, want := range map[string]string{"ProtectSystem": "strict", "CapabilityBoundingSet": "", "UMask": "0077", "User": "casemate", "EnvironmentFile": "/etc/casemate/casemate.env"} {
			if v := u["Service."+key]; !slices.Equal(v, []string{want}) {
				t.Errorf("%s: %s is %v, want %q", name, key, v, want)
			}
		}
	}
	s := unit(t, "systemd/casemate.service")
	stop, err := time.ParseDuration(s["Service.TimeoutStopSec"][0])
	if err != nil || stop < 30*time.Second {
		t.Errorf("stops within %v %v; it drains for 15 s", stop, err)
	}
	if v := unit(t, "systemd/casemate-backup.timer"); len(v["Timer.OnCalendar"]) != 1 || v["Timer.Persistent"][0] != "true" || v["Install.WantedBy"][0] != "timers.target" {
		t.Errorf("timer %v", v)
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd is not here: the units were only read")
		return
	}
	// Programs are looked for, so they stand where this test put them.
	dir := t.TempDir()
	at := strings.NewReplacer("/usr/local/bin/casemate", program(t), "/usr/local/lib/casemate/backup", "/bin/true")
	files := []string{}
	for _, name := range append(services, "casemate-backup.timer") {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(at.Replace(text(t, filepath.Join("systemd", name)))), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	if out := run(t, exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...)); strings.Contains(out, dir) {
		t.Errorf("systemd says: %s", out)
	}
	for _, path := range files[:2] {
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "--threshold=15", path).CombinedOutput()
		if strings.Contains(string(out), "unrecognized option") { // before version 250
			t.Log("this systemd rates no files")
			break
		}
		m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("%s is exposed more than 1.5 of 10: %v\n%s", filepath.Base(path), err, out)
			continue
		}
		t.Logf("REPORT %s: exposure %s of 10 (systemd-analyze security)\n", filepath.Base(path), m[1])
	}
}

// TestBackupScript: the script of the timer makes backups that can be restored,
// keeps the newest, and leaves those of others and the last good ones alone.
func TestBackupScript(t *testing.T) {
	dir := t.TempDir()
	data, keys, to, keysTo := filepath.Join(dir, "data"), filepath.Join(dir, "keys"), filepath.Join(dir, "backup"), filepath.Join(dir, "backup-keys")
	for _, d := range []string{to, keysTo} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put := func(names ...string) {
		for _, n := range names {
			if err := os.WriteFile(n, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(to+"/casemate-20250101T000000Z.tar", to+"/casemate-20250102T000000Z.tar", keysTo+"/casemate-keys-20250101T000000Z.tar", keysTo+"/casemate-keys-20250102T000000Z.tar",
		to+"/casemate-20250101T000000Z.tar.age", to+"/casemate-20250102T000000Z.tar.age", keysTo+"/casemate-keys-20250101T000000Z.tar.age", keysTo+"/casemate-keys-20250102T000000Z.tar.age",
		to+"/mine.tar", to+"/.casemate-20250103T000000Z.tar.1.part")
	identity := filepath.Join(dir, "identity")
	recipients := filepath.Join(dir, "recipients")
	public, err := exec.Command(program(t), "backup-key", "--to", identity).Output()
	if err == nil {
		err = os.WriteFile(recipients, public, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "CASEMATE_DATA="+data, "CASEMATE_KEYS="+keys, "CASEMATE_PROGRAM="+program(t), "BACKUP_DATA_DIR="+to, "BACKUP_KEYS_DIR="+keysTo, "BACKUP_KEEP=2", "BACKUP_RECIPIENTS_FILE="+recipients, "BACKUP_IDENTITY="+identity)
	script := func() *exec.Cmd {
		cmd := exec.Command("/bin/sh", "systemd/backup")
		cmd.Env = env
		return cmd
	}
	names := func(dir string) (out []string) {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			out = append(out, f.Name())
		}
		return out
	}

	// Nothing to back up: it fails and removes nothing that is whole.
	if out, err := script().CombinedOutput(); err == nil {
		t.Errorf("a backup of nothing: %s", out)
	}
	if left := names(to); !slices.Contains(left, "casemate-20250101T000000Z.tar") || !slices.Contains(left, "casemate-20250102T000000Z.tar") {
		t.Errorf("a failure removed backups: %v", left)
	}

	initial := exec.Command(program(t), "init")
	initial.Env = env
	run(t, initial)
	run(t, script())
	fresh := regexp.MustCompile(`^casemate-(keys-)?202\d{5}T\d{6}Z\.tar\.age$`)
	for _, d := range []string{to, keysTo} {
		left := slices.DeleteFunc(names(d), func(n string) bool { return n == "mine.tar" })
		// Those in clear are another kind: encrypted ones do not push them out.
		clear, sealed := []string{}, []string{}
		for _, n := range left {
			if strings.HasSuffix(n, ".age") {
				sealed = append(sealed, n)
			} else if strings.HasSuffix(n, ".tar") {
				clear = append(clear, n)
			}
		}
		if len(clear) != 2 || len(sealed) != 2 || !strings.Contains(sealed[0], "20250102") || !fresh.MatchString(sealed[1]) {
			t.Errorf("%s holds %v", filepath.Base(d), left)
		}
	}
	if !slices.Contains(names(to), "mine.tar") {
		t.Error("a file of somebody else's was removed")
	}
}

// composed is a compose file, as far as it matters here.
type composed struct {
	Services map[string]struct {
		Image       string
		Environment map[string]string
		Volumes     []string
		Ports       []string
		DependsOn   any      `yaml:"depends_on"`
		ReadOnly    bool     `yaml:"read_only"`
		CapDrop     []string `yaml:"cap_drop"`
		Grace       string   `yaml:"stop_grace_period"`
		Healthcheck struct{ Test []string }
	}
	Volumes map[string]any
}

func compose(t *testing.T) composed {
	t.Helper()
	var c composed
	if err := yaml.Unmarshal([]byte(text(t, "compose/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompose: services, volumes and files that are named are there, and both
// nodes are the same but for their names.
func TestCompose(t *testing.T) {
	c := compose(t)
	for _, name := range []string{"a", "b", "haproxy", "postgres", "s3", "bucket"} {
		if c.Services[name].Image == "" {
			t.Errorf("no service %s", name)
		}
	}
	used := map[string]bool{}
	for name, s := range c.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, "./") {
				text(t, filepath.Join("compose", from))
			} else if _, ok := c.Volumes[from]; !ok {
				t.Errorf("%s: no volume %s", name, from)
			}
			used[from] = true
		}
		var needs []string
		switch d := s.DependsOn.(type) {
		case []any:
			for _, n := range d {
				needs = append(needs, n.(string))
			}
		case map[string]any:
			for n := range d {
				needs = append(needs, n)
			}
		}
		for _, n := range needs {
			if _, ok := c.Services[n]; !ok {
				t.Errorf("%s needs %s, which is not there", name, n)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s is open to everybody: %s", name, p)
			}
		}
	}
	for v := range c.Volumes {
		if !used[v] {
			t.Errorf("volume %s is not used", v)
		}
	}
	a, b := c.Services["a"], c.Services["b"]
	if len(a.Environment) < 8 || fmt.Sprint(a.Environment) != fmt.Sprint(b.Environment) || a.Image != b.Image {
		t.Errorf("the nodes differ: %v, %v", a, b)
	}
	for _, n := range []string{"a", "b"} {
		s := c.Services[n]
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Grace != "60s" || !slices.Equal(s.Healthcheck.Test, []string{"CMD", "/casemate", "health"}) {
			t.Errorf("%s: %+v", n, s)
		}
		if !slices.Contains(s.Volumes, "keys:/var/lib/casemate/keys") {
			t.Errorf("%s has not the keys of all: %v", n, s.Volumes)
		}
	}
	// What ${...} names is in the example of .env, and nothing else is.
	offered := []string{}
	for _, m := range assignment.FindAllStringSubmatch(text(t, "compose/.env.example"), -1) {
		offered = append(offered, m[1])
	}
	asked := []string{}
	for _, m := range regexp.MustCompile(`\$\{(\w+)`).FindAllStringSubmatch(text(t, "compose/compose.yaml"), -1) {
		if !slices.Contains(asked, m[1]) {
			asked = append(asked, m[1])
		}
	}
	slices.Sort(offered)
	slices.Sort(asked)
	if !slices.Equal(offered, asked) {
		t.Errorf("compose asks for %v, the example has %v", asked, offered)
	}
	u, err := url.Parse(strings.NewReplacer("${POSTGRES_PASSWORD:?set it in .env}", "x").Replace(a.Environment["CASEMATE_DATABASE"]))
	if err != nil || u.Hostname() != "postgres" {
		t.Errorf("database %v %v", u, err)
	}
}

// TestHAProxy: HAProxy itself takes both configurations.
func TestHAProxy(t *testing.T) {
	path, err := exec.LookPath("haproxy")
	if err != nil {
		path = "/usr/sbin/haproxy"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("haproxy is not here (make setup installs it)")
	}
	pem := certificate(t)
	for _, name := range []string{"compose/haproxy.cfg", "ha/haproxy.cfg"} {
		s := text(t, name)
		for _, want := range []string{"uri /readyz", "http-check expect status 200", "retry-on conn-failure\n", "option forwardfor"} {
			if !strings.Contains(s, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
		// The certificate and the user are the machine's.
		s = strings.ReplaceAll(s, "/etc/haproxy/casemate.pem", pem)
		s = regexp.MustCompile(`(?m)^\s+(user|group) haproxy$`).ReplaceAllString(s, "")
		file := filepath.Join(t.TempDir(), "haproxy.cfg")
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(path, "-c", "-f", file).CombinedOutput()
		if err != nil || strings.Contains(string(out), "[WARNING]") && !onlyResolving(string(out)) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// onlyResolving tells whether the warnings are of names that are known in the
// network of the containers only.
func onlyResolving(out string) bool {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "[WARNING]") && !strings.Contains(line, "resolve") {
			return false
		}
	}
	return true
}

// certificate is a file with a key and a certificate of its own.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "desk.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "casemate.pem")
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k})...)
	if err := os.WriteFile(path, both, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHighAvailability: the parts of deploy/ha fit together.
func TestHighAvailability(t *testing.T) {
	var p struct {
		Bootstrap struct {
			DCS struct {
				TTL         int
				LoopWait    int  `yaml:"loop_wait"`
				Retry       int  `yaml:"retry_timeout"`
				Lag         *int `yaml:"maximum_lag_on_failover"`
				Synchronous bool `yaml:"synchronous_mode"`
				Postgresql  struct{ Parameters map[string]any }
			}
		}
		RestAPI    struct{ Listen string }
		Postgresql struct {
			Listen     string
			PgHba      []string `yaml:"pg_hba"`
			Parameters map[string]any
		}
	}
	if err := yaml.Unmarshal([]byte(text(t, "ha/patroni.yml")), &p); err != nil {
		t.Fatal(err)
	}
	d := p.Bootstrap.DCS
	if d.TTL > 30 || d.TTL < d.LoopWait+2*d.Retry || d.Lag == nil || *d.Lag != 0 || !d.Synchronous {
		// The sum is Patroni's own rule.
		t.Errorf("patroni %+v", d)
	}
	if d.Postgresql.Parameters["synchronous_commit"] != "on" || d.Postgresql.Parameters["archive_mode"] != "on" || p.Postgresql.Parameters["ssl"] != "on" {
		t.Errorf("parameters %v %v", d.Postgresql.Parameters, p.Postgresql.Parameters)
	}
	haproxy := text(t, "ha/haproxy.cfg")
	if !strings.HasSuffix(p.RestAPI.Listen, ":8008") || !strings.Contains(haproxy, "check port 8008") || !strings.Contains(haproxy, "uri /primary") {
		t.Errorf("HAProxy does not ask Patroni at %s", p.RestAPI.Listen)
	}

	pool := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+) = (.*)$`).FindAllStringSubmatch(text(t, "ha/pgbouncer.ini"), -1) {
		pool[m[1]] = m[2]
	}
	number := func(s any) int {
		t.Helper()
		n, err := strconv.Atoi(fmt.Sprint(s))
		if err != nil {
			t.Errorf("no number: %v", s)
		}
		return n
	}
	if pool["pool_mode"] != "transaction" || number(pool["max_prepared_statements"]) < 100 || !strings.Contains(pool["casemate"], "port=5000") {
		t.Errorf("pgbouncer %v", pool)
	}
	most := 3 * (number(pool["default_pool_size"]) + number(pool["reserve_pool_size"]))
	const lasting = 3 * 4 // each node listens, claims its keys, and may migrate
	if have := number(d.Postgresql.Parameters["max_connections"]); most+lasting+20 > have {
		t.Errorf("%d connections of PgBouncer, %d that last, PostgreSQL allows %d", most, lasting, have)
	}

	env := map[string]string{}
	for _, m := range assignment.FindAllStringSubmatch(text(t, "ha/casemate.env"), -1) {
		env[m[1]] = m[2]
	}
	u, err := url.Parse(env["CASEMATE_DATABASE"])
	if err != nil {
		t.Fatal(err)
	}
	direct, err := url.Parse(u.Query().Get("listen"))
	if err != nil || u.Port() != pool["listen_port"] || direct.Port() != "5000" || direct.Path != u.Path || direct.User.Username() != "casemate" {
		t.Errorf("the pooled connection %v, the direct one %v: %v", u, direct, err)
	}
	if conns := number(u.Query().Get("pool_max_conns")); conns > number(pool["default_pool_size"]) {
		t.Errorf("a node wants %d connections, PgBouncer has %s", conns, pool["default_pool_size"])
	}
}

// TestDistribution: the tables that are distributed are those with a tenant's
// rows, all of them; a reference table is none of them and exists.
func TestDistribution(t *testing.T) {
	tenants, err := db.TenantTables()
	if err != nil {
		t.Fatal(err)
	}
	sql := text(t, "scale/citus.sql")
	lists := regexp.MustCompile(`(?s)ARRAY\[(.*?)\]`).FindAllStringSubmatch(sql, -1)
	if len(lists) != 2 {
		t.Fatalf("%d lists", len(lists))
	}
	names := func(list string) (out []string) {
		for _, m := range regexp.MustCompile(`'(\w+)'`).FindAllStringSubmatch(list, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	if got := names(lists[0][1]); !slices.Equal(got, tenants) {
		t.Errorf("distributed are %v\nwith tenants' rows are %v", got, tenants)
	}
	if !strings.HasPrefix(strings.TrimSpace(lists[0][1]), "'users'") {
		t.Error("the others are laid beside users, which must come first")
	}
	files, err := filepath.Glob("../internal/db/migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var schema strings.Builder
	for _, f := range files {
		schema.WriteString(text(t, f))
	}
	for _, name := range names(lists[1][1]) {
		if slices.Contains(tenants, name) || !strings.Contains(schema.String(), "CREATE TABLE "+name+" (") {
			t.Errorf("reference table %s holds tenants' rows, or is not there", name)
		}
	}
	for _, path := range []string{"../docs/SCALING.md", "../docs/SCALING.zh-CN.md"} {
		if want := fmt.Sprintf("%d", len(tenants)); !strings.Contains(text(t, path), "**"+want+"**") {
			t.Errorf("%s does not say that %s tables are distributed", path, want)
		}
	}
}
