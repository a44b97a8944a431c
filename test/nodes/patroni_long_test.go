//go:build long

package nodes

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"casemate/test/world"
)

// TestPatroni runs the files of deploy/ha, with loopback addresses, on Debian's
// Patroni, etcd, PostgreSQL, PgBouncer and HAProxy: three machines' worth of
// database and three nodes. The machine of the primary is killed, twice, under
// SDK clients: no acknowledged ticket is lost, writes go on within 30 s, no node
// ends, and the machine comes back as a standby.
func TestPatroni(t *testing.T) {
	h := newHA(t)
	for i := range 3 {
		h.machine(i)
	}
	h.settled(90*time.Second, 3)
	h.proxy("database", h.databasePart(), nil)
	h.role()
	h.bouncer()

	through := fmt.Sprintf("postgres://casemate:%s@%s:5000/casemate?sslmode=require", h.password, h.local)
	replica := fmt.Sprintf("postgres://casemate:%s@%s:5001/casemate?sslmode=require", h.password, h.local)
	bouncer := fmt.Sprintf("postgres://casemate:%s@%s:6432/casemate?sslmode=disable&default_query_exec_mode=exec&listen=%s", h.password, h.local, url.QueryEscape(through))
	one := world.Start(t, world.Options{Database: through, Direct: true})
	same := []string{"--demo", "--credentials", one.CredentialsFile(), "--keys", one.Dir + ".keys"}
	nodes := []*world.World{one,
		world.Start(t, world.Options{Database: through + "&replica=" + url.QueryEscape(replica), NoDemo: true, Direct: true, Args: same}),
		world.Start(t, world.Options{Database: bouncer, NoDemo: true, Direct: true, Args: same})}
	address := h.proxy("nodes", h.nodesPart(nodes), func() bool { return reachable("http://" + h.local + ":8443/readyz") })
	u := one.Domains[0].Users[0]
	c := sdk(t, address, u)
	problem := consultation(t, c)
	load := startWriters(t, 16, address, u, problem, func(err error) bool {
		return status(err) >= 500 // told apart from a refusal; what the answer was of nobody knows
	})
	var pids []int
	for _, n := range nodes {
		pids = append(pids, n.PID())
	}
	var gaps []time.Duration
	for round := range 2 {
		time.Sleep(5 * time.Second)
		leader := h.leader()
		h.kill(leader)
		at := time.Now()
		met := false
		for {
			_, err := create(c, problem, fmt.Sprintf("after failover %d", round))
			if err != nil {
				met = true
			}
			// The first success after the primary is another one counts.
			if err == nil && met {
				break
			}
			if time.Since(at) > 2*time.Minute {
				t.Fatalf("round %d: no write for two minutes after %s was killed: %v", round, h.names[leader], err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		gaps = append(gaps, time.Since(at))
		if gaps[round] > 30*time.Second {
			t.Errorf("round %d: writes again after %.1f s", round, gaps[round].Seconds())
		}
		time.Sleep(5 * time.Second)
		h.machine(leader)
		h.settled(90*time.Second, 3)
		if now := h.leader(); now == leader {
			t.Errorf("round %d: the killed machine leads again", round)
		}
	}
	load.end()
	for i, err := range load.bad {
		if i == 10 {
			break
		}
		t.Errorf("a client met: %v", err)
	}
	for i, n := range nodes {
		if n.PID() != pids[i] || syscall.Kill(pids[i], 0) != nil {
			t.Errorf("node %d ended", i)
		}
	}
	lost := load.lost(t, address, u)
	if len(load.acked) < 200 {
		t.Errorf("only %d tickets were acknowledged", len(load.acked))
	}
	t.Logf("REPORT failover: 2 kills of the primary's machine under 16 SDK clients and 3 nodes (one through PgBouncer, one reading a replica): writes again after %.1f and %.1f s, %d acknowledged, %d lost, %d answers of 5xx meanwhile\n",
		gaps[0].Seconds(), gaps[1].Seconds(), len(load.acked), lost, load.met)
}

// ha is three machines on loopback addresses.
type ha struct {
	t        *testing.T
	dir, bin string
	deploy   string
	local    string // the address all machines share
	names    []string
	hosts    []string
	password string
	cred     *syscall.Credential
	up       map[int][]*exec.Cmd
}

func newHA(t *testing.T) *ha {
	for _, name := range []string{"patroni", "etcd", "pgbouncer", "haproxy"} {
		if _, err := look(name); err != nil {
			t.Fatalf("%s is needed: make setup with CASEMATE_LONG=1 installs it", name)
		}
	}
	if os.Getuid() != 0 {
		t.Fatal("root is needed: PostgreSQL and its keepers run as another user")
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Fatal("no PostgreSQL")
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(postgres.Uid)
	gid, _ := strconv.Atoi(postgres.Gid)
	secret := make([]byte, 12)
	_, _ = rand.Read(secret)
	deploy, err := filepath.Abs("../../deploy/ha")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "casemate-ha")
	if err != nil {
		t.Fatal(err)
	}
	h := &ha{t: t, dir: dir, bin: filepath.Dir(found[len(found)-1]), deploy: deploy, local: "127.77.0.1", password: hex.EncodeToString(secret),
		names: []string{"pg1", "pg2", "pg3"}, hosts: []string{"127.77.0.11", "127.77.0.12", "127.77.0.13"},
		cred: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, up: map[int][]*exec.Cmd{}}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for i := range h.hosts {
			h.kill(i)
		}
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
			for _, l := range logs {
				text, _ := os.ReadFile(l)
				t.Logf("%s: %s", filepath.Base(l), text[max(0, len(text)-3000):])
			}
		}
		_ = os.RemoveAll(dir)
	})
	h.certificate()
	return h
}

func look(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := "/usr/sbin/" + name
	_, err := os.Stat(path)
	return path, err
}

// write writes a file the database's user reads.
func (h *ha) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chown(path, int(h.cred.Uid), int(h.cred.Gid)); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *ha) folder(name string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Chown(path, int(h.cred.Uid), int(h.cred.Gid)); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func (h *ha) certificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "casemate"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		h.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.write("casemate.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	h.write("casemate.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// start runs a program of a machine, or of all (-1), as the database's user.
func (h *ha) start(machine int, log string, env []string, name string, args ...string) *exec.Cmd {
	h.t.Helper()
	path, err := look(name)
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := os.OpenFile(filepath.Join(h.dir, log+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Dir = h.dir
	cmd.Env = append(append(os.Environ(), "HOME="+h.dir, "PATH="+h.bin+":"+os.Getenv("PATH")), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.cred, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() { _ = cmd.Wait() }()
	h.up[machine] = append(h.up[machine], cmd)
	if machine < 0 {
		h.t.Cleanup(func() { _ = cmd.Process.Kill() })
	}
	return cmd
}

// change replaces texts of a shipped file; each must be there.
func (h *ha) change(text string, pairs ...string) string {
	h.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			h.t.Fatalf("the shipped file has no %q any more", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func (h *ha) shipped(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.deploy, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// machine starts etcd and Patroni of one machine, again after a kill.
func (h *ha) machine(i int) {
	h.t.Helper()
	host, name := h.hosts[i], h.names[i]
	var cluster []string
	for j, other := range h.hosts {
		cluster = append(cluster, fmt.Sprintf("%s=http://%s:2380", h.names[j], other))
	}
	h.start(i, name+"-etcd", nil, "etcd", "--name", name, "--data-dir", h.folder(name+"-etcd"), "--initial-cluster", strings.Join(cluster, ","),
		"--listen-peer-urls", "http://"+host+":2380", "--initial-advertise-peer-urls", "http://"+host+":2380",
		"--listen-client-urls", "http://"+host+":2379", "--advertise-client-urls", "http://"+host+":2379", "--log-level", "warn", "--heartbeat-interval", "300", "--election-timeout", "3000")
	text := h.change(h.shipped("patroni.yml"), "10.0.0.11:5432,127.0.0.1:5432", "10.0.0.11:5432",
		// What is there on the machines and not here: pgBackRest.
		"        archive_mode: \"on\"\n        archive_command: pgbackrest --stanza=casemate archive-push %p\n        archive_timeout: 60s\n", "",
		"[pgbackrest, basebackup]", "[basebackup]",
		"  pgbackrest:\n    command: pgbackrest --stanza=casemate --delta restore\n    keep_data: true\n    no_params: true\n", "",
		"10.0.0.0/24", "127.0.0.0/8", "10.0.0.11:2379,10.0.0.12:2379,10.0.0.13:2379", strings.Join(h.hosts, ":2379,")+":2379",
		"10.0.0.11", host, "name: pg1", "name: "+name, "CHANGE-ME", h.password,
		"/etc/postgresql/", h.dir+"/", "/usr/lib/postgresql/17/bin", h.bin, "/var/lib/postgresql/17/casemate", filepath.Join(h.folder(name), "data"),
		"/var/lib/postgresql/.pgpass_patroni", filepath.Join(h.dir, name+".pgpass"),
		"  parameters:\n    ssl: \"on\"", "  parameters:\n    unix_socket_directories: "+h.folder(name+"-socket")+"\n    ssl: \"on\"")
	h.start(i, name+"-patroni", nil, "patroni", h.write(name+".yml", text))
}

// kill takes a machine's power away: all its processes at once.
func (h *ha) kill(i int) {
	for _, cmd := range h.up[i] {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	h.up[i] = nil
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	mark := []byte(filepath.Join(h.dir, h.names[i]) + "/data")
	var workers []int
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err == nil && bytes.Contains(text, mark) {
			pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
			workers = append(workers, pid)
		}
	}
	for _, pid := range workers { // postgres itself; its children follow it at once
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

type member struct {
	Name, Role, State string
	Lag               any
}

// members asks every machine what it knows of the cluster.
func (h *ha) members() (all []member) {
	for _, host := range h.hosts {
		client := &http.Client{Timeout: 2 * time.Second}
		res, err := client.Get("http://" + host + ":8008/cluster")
		if err != nil {
			continue
		}
		var c struct{ Members []member }
		err = json.NewDecoder(res.Body).Decode(&c)
		res.Body.Close()
		if err == nil && len(c.Members) > 0 {
			return c.Members
		}
	}
	return nil
}

// settled waits until there are a primary and so many members that run, one of
// them the synchronous standby.
func (h *ha) settled(most time.Duration, want int) {
	h.t.Helper()
	var all []member
	for until := time.Now().Add(most); time.Now().Before(until); time.Sleep(300 * time.Millisecond) {
		all = h.members()
		leads, stands, syncs := 0, 0, 0
		for _, m := range all {
			switch {
			case m.Role == "leader" && m.State == "running":
				leads++
			case m.State == "running" || m.State == "streaming":
				stands++
			}
			if m.Role == "sync_standby" {
				syncs++
			}
		}
		if leads == 1 && leads+stands == want && syncs == 1 {
			return
		}
	}
	h.t.Fatalf("the cluster does not settle: %+v", all)
}

func (h *ha) leader() int {
	h.t.Helper()
	for _, m := range h.members() {
		if m.Role == "leader" {
			for i, name := range h.names {
				if name == m.Name {
					return i
				}
			}
		}
	}
	h.t.Fatal("nobody leads")
	return -1
}

// databasePart is the shipped haproxy.cfg up to its front for browsers.
func (h *ha) databasePart() string {
	text, _, _ := strings.Cut(h.shipped("haproxy.cfg"), "frontend https")
	text = h.change(text, "    log /dev/log local0\n    user haproxy\n    group haproxy\n", "", "    maxconn 20000\n", "    maxconn 2000\n", "    log global\n", "", "    option tcplog\n", "", "bind 127.0.0.1:", "bind "+h.local+":")
	for i, host := range h.hosts {
		text = h.change(text, fmt.Sprintf("10.0.0.1%d:", i+1), host+":")
	}
	return text
}

// nodesPart is the rest, without TLS.
func (h *ha) nodesPart(nodes []*world.World) string {
	head, _, _ := strings.Cut(h.databasePart(), "listen postgres-primary")
	_, text, _ := strings.Cut(h.shipped("haproxy.cfg"), "frontend https")
	text = h.change("frontend https"+text, "bind :443 ssl crt /etc/haproxy/casemate.pem alpn h2,http/1.1", "bind "+h.local+":8443", "    option httplog\n", "")
	for i, n := range nodes {
		text = h.change(text, fmt.Sprintf("10.0.0.1%d:8080", i+1), strings.TrimPrefix(n.URL, "http://"))
	}
	return head + text
}

// proxy runs HAProxy and answers where the nodes are reached.
func (h *ha) proxy(name, text string, up func() bool) string {
	h.t.Helper()
	h.start(-1, "haproxy-"+name, nil, "haproxy", "-db", "-f", h.write("haproxy-"+name+".cfg", text))
	if up != nil {
		for until := time.Now().Add(20 * time.Second); !up(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(until) {
				h.t.Fatal("no node behind HAProxy")
			}
		}
	}
	return "http://" + h.local + ":8443"
}

func reachable(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// role makes the database's user and the database, through the proxy.
func (h *ha) role() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	for { // HAProxy first takes every machine for the primary
		err := func() error {
			c, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres:%s@%s:5000/postgres?sslmode=require", h.password, h.local))
			if err != nil {
				return err
			}
			defer c.Close(ctx)
			if _, err := c.Exec(ctx, "CREATE ROLE casemate LOGIN PASSWORD '"+h.password+"'"); err != nil {
				return err
			}
			_, err = c.Exec(ctx, "CREATE DATABASE casemate OWNER casemate")
			return err
		}()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			h.t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (h *ha) bouncer() {
	h.t.Helper()
	users := h.write("userlist.txt", fmt.Sprintf("%q %q\n", "casemate", h.password))
	text := h.change(h.shipped("pgbouncer.ini"), "host=127.0.0.1", "host="+h.local, "listen_addr = 127.0.0.1", "listen_addr = "+h.local, "/etc/pgbouncer/userlist.txt", users)
	if out, err := exec.Command("/usr/sbin/pgbouncer", "--version").Output(); err == nil && strings.Contains(string(out), "1.18") {
		text = h.change(text, "max_prepared_statements = 500\n", "") // as deploy/ha/README.md says
	}
	text = strings.Replace(text, "[pgbouncer]", "[pgbouncer]\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits", 1)
	h.start(-1, "pgbouncer", nil, "pgbouncer", h.write("pgbouncer.ini", text))
}
