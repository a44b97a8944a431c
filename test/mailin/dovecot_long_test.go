//go:build long

package mailin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"casemate/internal/mailin/mailtest"
)

// dovecot is a Dovecot with one account over a Maildir.
type dovecot struct {
	t         *testing.T
	dir       string
	port      int
	ca        string
	implicit  bool
	cmd       *exec.Cmd
	uid, gid  int
	delivered int
}

func startDovecot(t *testing.T, implicit bool) *dovecot {
	t.Helper()
	u, err := user.Lookup("mail")
	if err != nil {
		t.Fatal(err)
	}
	// Unix sockets have short paths.
	dir, err := os.MkdirTemp("", "dc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := &dovecot{t: t, dir: dir, implicit: implicit}
	d.uid, _ = strconv.Atoi(u.Uid)
	d.gid, _ = strconv.Atoi(u.Gid)
	_, cert, key := mailtest.Certificate(t)
	d.ca = cert
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	d.port, _ = strconv.Atoi(port)
	for _, p := range []string{"home", "home/Maildir", "home/Maildir/new", "home/Maildir/cur", "home/Maildir/tmp"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, p), 0o700), os.Chown(filepath.Join(dir, p), d.uid, d.gid)); err != nil {
			t.Fatal(err)
		}
	}
	listeners := "inet_listener imap {\n port = " + port + "\n}\n inet_listener imaps {\n port = 0\n}"
	if implicit {
		listeners = "inet_listener imap {\n port = 0\n}\n inet_listener imaps {\n port = " + port + "\n ssl = yes\n}"
	}
	conf := fmt.Sprintf(`base_dir = %[1]s/run
log_path = %[1]s/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <%[2]s
ssl_key = <%[3]s
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%%u %[1]s/users
}
userdb {
  driver = static
  args = uid=%[4]d gid=%[5]d home=%[1]s/home
}
service imap-login {
  chroot =
  %[6]s
}
service anvil {
  chroot =
}
`, dir, cert, key, d.uid, d.gid, listeners)
	for name, text := range map[string]string{"dovecot.conf": conf, "users": mailtest.User + ":" + mailtest.Password + "::::::\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.up()
	t.Cleanup(d.down)
	return d
}

func (d *dovecot) up() {
	d.t.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	d.cmd = exec.Command(path, "-F", "-c", filepath.Join(d.dir, "dovecot.conf"))
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.port))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			d.t.Fatalf("Dovecot does not serve: %v\n%s", err, log)
		}
	}
}

func (d *dovecot) down() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = d.cmd.Wait()
}

// deliver lays a mail into the Maildir as a mail server does.
func (d *dovecot) deliver(mail string) {
	d.t.Helper()
	d.delivered++
	name := fmt.Sprintf("%d.M%dP%d.test", time.Now().Unix(), d.delivered, os.Getpid())
	tmp := filepath.Join(d.dir, "home/Maildir/tmp", name)
	if err := errors.Join(os.WriteFile(tmp, []byte(mail), 0o600), os.Chown(tmp, d.uid, d.gid), os.Rename(tmp, filepath.Join(d.dir, "home/Maildir/new", name))); err != nil {
		d.t.Fatal(err)
	}
}

// count is how many mails a folder has, "" = INBOX.
func (d *dovecot) count(folder string) (all, unread int) {
	d.t.Helper()
	root := filepath.Join(d.dir, "home/Maildir", folder)
	for _, sub := range []string{"new", "cur"} {
		files, err := os.ReadDir(filepath.Join(root, sub))
		if err != nil {
			return -1, -1
		}
		for _, f := range files {
			all++
			if _, flags, _ := strings.Cut(f.Name(), ":2,"); sub == "new" || !strings.Contains(flags, "S") {
				unread++
			}
		}
	}
	return all, unread
}

// TestDovecot: against a real Dovecot, with STARTTLS and implicit TLS, mails are
// fetched once and marked or moved, while the process is killed, Dovecot
// restarts and numbers its mails anew.
func TestDovecot(t *testing.T) {
	for _, c := range []struct {
		after    string
		implicit bool
	}{{"seen", true}, {"move", false}, {"delete", false}} {
		t.Run(c.after, func(t *testing.T) {
			d := startDovecot(t, c.implicit)
			mode := map[bool]string{true: "implicit", false: "starttls"}[c.implicit]
			more := ", tls: " + mode + ", after: " + c.after
			if c.after == "move" {
				more += ", move: Done"
			}
			m := &mailtest.IMAP{Port: d.port, CA: d.ca}
			f := open(t, "", account(t, m, more), 1+76/perCustomer) // each writes few enough to be answered
			n := 0
			put := func(k int) {
				for range k {
					d.deliver(question(n))
					n++
				}
			}
			marked := func() bool {
				left, unread := d.count("")
				moved, _ := d.count(".Done")
				switch c.after {
				case "seen":
					return left == n && unread == 0
				case "move":
					return left == 0 && moved == n
				}
				return left == 0
			}
			put(20)
			f.until("the first mails", marked)
			put(1)
			f.until("one that Dovecot tells of", marked)
			for range 3 {
				put(15)
				time.Sleep(150 * time.Millisecond)
				f.Kill()
				f.Run()
			}
			f.until("those under kills", marked)
			d.down()
			put(5)
			d.up()
			f.until("those that came while it was away", marked)
			d.down()
			if err := os.Remove(filepath.Join(d.dir, "home/Maildir/dovecot-uidlist")); err != nil {
				t.Fatal(err)
			}
			put(5)
			d.up()
			f.until("those behind a new numbering", marked)
			f.exactlyOnce(n)
			if out := f.local("mail", "test", "support"); !strings.Contains(out, "IDLE") {
				t.Errorf("test: %s", out)
			}
			fmt.Printf("REPORT mail in (Dovecot, %s, %s): %d mails fetched under 3 kills -9, a restart and a new UIDVALIDITY\n", mode, c.after, n)
		})
	}
}
