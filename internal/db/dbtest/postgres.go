package dbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"casemate/internal/db"
)

// Postgres is a running server on a loopback port.
type Postgres struct {
	dir  string
	port string
	bin  string
	args []string
	cmd  *exec.Cmd
	log  *os.File
	cred *syscall.Credential
}

// LaunchPostgres makes a cluster in dir (which must not exist) and starts it.
// durable keeps fsync on, as production must; tests of behaviour do without.
// The server ends with this process.
func LaunchPostgres(dir string, durable bool) (*Postgres, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: dir, bin: bin}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		if err := p.becomePostgres(); err != nil {
			return nil, err
		}
	}
	cluster := filepath.Join(dir, "cluster")
	address, err := Free()
	if err != nil {
		return nil, err
	}
	_, p.port, _ = net.SplitHostPort(address)
	p.args = []string{"-D", cluster, "-p", p.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=400", "-c", "shared_buffers=128MB", "-c", "max_wal_size=1GB"}
	name := "cluster"
	if !durable {
		p.args = append(p.args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off", "-c", "max_wal_size=256MB")
		name = "cluster-migrated"
	}
	err = Once(name, cluster, func() error {
		initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
		initdb.Dir = dir
		initdb.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
		if out, err := initdb.CombinedOutput(); err != nil {
			return fmt.Errorf("initdb: %w: %s", err, out)
		}
		if durable || !kept() {
			return nil
		}
		// For many processes, so that each has it at once.
		if err := p.Start(); err != nil {
			return err
		}
		defer p.Stop()
		err := p.make(&plain)
		if err == nil && partitionedToo() {
			err = p.make(&partitioned)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, p.Start()
}

// make makes a database that tests' databases are copies of.
func (p *Postgres) make(of *template) error {
	url, err := p.CreateDatabase(of.name)
	if err != nil {
		return err
	}
	return migrateTo(url+"?listen=off", of.partitioned)
}

func migrateTo(url string, partitioned bool) error {
	d, err := db.Open(context.Background(), db.Options{URL: url, Partitioned: partitioned})
	if err != nil {
		return err
	}
	return d.Close()
}

// copyDatabase makes a database that is a copy of another, which nobody uses
// meanwhile.
func (p *Postgres) copyDatabase(name, of string) error {
	s := "CREATE DATABASE " + name + " TEMPLATE " + of
	if text, err := os.ReadFile(filepath.Join(p.dir, "cluster", "PG_VERSION")); err == nil {
		if n, _ := strconv.Atoi(strings.TrimSpace(string(text))); n >= 15 {
			s += " STRATEGY FILE_COPY" // half the work of copying through the log
		}
	}
	return p.exec(s)
}

// exec runs a statement outside of all databases of tests.
func (p *Postgres) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, sql)
	return err
}

// has tells whether there is a database of a name.
func (p *Postgres) has(name string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return false, err
	}
	defer c.Close(ctx)
	var n int
	err = c.QueryRow(ctx, "SELECT count(*) FROM pg_database WHERE datname = $1", name).Scan(&n)
	return n > 0, err
}

// LaunchStandby makes a hot standby of a running server in dir (which must not
// exist) and starts it. It streams from p, which must write at least replica's log.
func LaunchStandby(p *Postgres, dir string) (*Postgres, error) {
	s := &Postgres{dir: dir, bin: p.bin}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if err := s.becomePostgres(); err != nil {
			return nil, err
		}
	}
	cluster := filepath.Join(dir, "cluster")
	copying := exec.Command(filepath.Join(p.bin, "pg_basebackup"), "-D", cluster, "-d", p.url("postgres"), "-R", "-c", "fast", "-X", "stream", "--no-sync")
	copying.Dir = dir
	copying.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	if out, err := copying.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w: %s", err, out)
	}
	address, err := Free()
	if err != nil {
		return nil, err
	}
	_, s.port, _ = net.SplitHostPort(address)
	s.args = []string{"-D", cluster, "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400", "-c", "hot_standby=on"}
	return s, s.Start()
}

// PID is the server's first process, the parent of the others.
func (p *Postgres) PID() int { return p.cmd.Process.Pid }

// URL is a database's address on this server.
func (p *Postgres) URL(database string) string { return p.url(database) }

// becomePostgres gives the folder to the user that PostgreSQL's package made,
// or to nobody, and opens the way to it below the folder for such files.
func (p *Postgres) becomePostgres() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	p.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	ours := func(d string) bool {
		return strings.HasPrefix(d, memory+"/") || strings.HasPrefix(d, filepath.Clean(os.TempDir())+"/")
	}
	for d := filepath.Dir(p.dir); ours(d); d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if info.Mode()&os.ModeSticky != 0 { // everybody's, open already
			break
		}
		if err := os.Chmod(d, info.Mode().Perm()|0o011); err != nil {
			return err
		}
	}
	return os.Chown(p.dir, uid, gid)
}

// Start starts the server (again, after Stop or Kill) and waits for it.
func (p *Postgres) Start() error {
	var err error
	if p.log, err = os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	p.cmd = exec.Command(filepath.Join(p.bin, "postgres"), p.args...)
	p.cmd.Dir = p.dir
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// Fast shutdown when this process dies, however it dies.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred, Pdeathsig: syscall.SIGINT}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, p.url("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		if ctx.Err() != nil {
			text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			p.Stop()
			return fmt.Errorf("postgres did not start: %w: %s", err, bytes.TrimSpace(text))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends the server at once, its data stays.
func (p *Postgres) Stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	_ = p.cmd.Wait()
	_ = p.log.Close()
}

func (p *Postgres) url(database string) string {
	return "postgres://postgres@127.0.0.1:" + p.port + "/" + database
}

// CreateDatabase makes an empty database and returns its URL.
func (p *Postgres) CreateDatabase(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, p.url("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return p.url(name), nil
}

// binaries finds the folder of the newest initdb and postgres.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("no PostgreSQL server binaries found")
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}
