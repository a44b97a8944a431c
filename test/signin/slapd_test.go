package signin

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"casemate/internal/db/dbtest"
)

// directory is a slapd of our own, on loopback, with a folder of its own.
type directory struct {
	t          *testing.T
	dir        string
	program    string
	plain, tls string // ports
	ca         string // file
	cmd        *exec.Cmd
	out        bytes.Buffer
}

const (
	rootDN = "cn=root,dc=example,dc=com"
	rootPW = "root-password"
	people = "ou=people,dc=example,dc=com"
	groups = "ou=groups,dc=example,dc=com"
)

// slapd starts a directory.
func slapd(t *testing.T) *directory {
	t.Helper()
	program := "/usr/sbin/slapd"
	if _, err := os.Stat(program); err != nil {
		t.Fatal("slapd is not installed: scripts/setup.sh does it")
	}
	d := &directory{t: t, dir: t.TempDir(), plain: port(t), tls: port(t)}
	d.certificate()
	if err := os.MkdirAll(filepath.Join(d.dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	// A copy: where AppArmor confines the system's, it confines it by its path.
	text, err := os.ReadFile(program)
	if err == nil {
		d.program = filepath.Join(d.dir, "slapd")
		err = os.WriteFile(d.program, text, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`include %[4]s/core.schema
include %[4]s/cosine.schema
include %[4]s/inetorgperson.schema
modulepath %[5]s
moduleload back_mdb
pidfile %[1]s/pid
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
disallow bind_anon
database mdb
suffix "dc=example,dc=com"
rootdn "%[2]s"
rootpw %[3]s
directory %[1]s/db
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by users read
`, d.dir, rootDN, rootPW, first("/etc/ldap/schema", "/etc/openldap/schema"), first("/usr/lib/ldap", "/usr/lib64/openldap"))
	if err := os.WriteFile(filepath.Join(d.dir, "slapd.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d.start()
	t.Cleanup(d.stop)
	d.add("dc=example,dc=com", "objectClass", "dcObject", "objectClass", "organization", "o", "Example", "dc", "example")
	d.add(people, "objectClass", "organizationalUnit", "ou", "people")
	d.add(groups, "objectClass", "organizationalUnit", "ou", "groups")
	d.add("cn=reader,dc=example,dc=com", "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject", "cn", "reader", "userPassword", "reader-password")
	return d
}

// first is the first of the folders that is there: Debian's, or Fedora's.
func first(folders ...string) string {
	for _, f := range folders {
		if _, err := os.Stat(f); err == nil {
			return f
		}
	}
	return folders[0]
}

func port(t *testing.T) string {
	t.Helper()
	address, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	_, p, _ := net.SplitHostPort(address)
	return p
}

func (d *directory) start() {
	d.t.Helper()
	d.cmd = exec.Command(d.program, "-d", "0", "-f", filepath.Join(d.dir, "slapd.conf"), "-h", "ldap://127.0.0.1:"+d.plain+" ldaps://127.0.0.1:"+d.tls)
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	for range 200 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+d.tls); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	d.t.Fatalf("slapd does not listen: %s", d.out.String())
}

func (d *directory) stop() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	d.cmd = nil
}

// certificate makes an authority and a certificate of it for localhost.
func (d *directory) certificate() {
	d.t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			d.t.Fatal(err)
		}
		return k
	}
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(d.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ak := key()
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, ak.Public(), ak)
	if err != nil {
		d.t.Fatal(err)
	}
	write("ca.pem", "CERTIFICATE", der)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	lk := key()
	if der, err = x509.CreateCertificate(rand.Reader, leaf, authority, lk.Public(), ak); err != nil {
		d.t.Fatal(err)
	}
	write("cert.pem", "CERTIFICATE", der)
	if der, err = x509.MarshalPKCS8PrivateKey(lk); err != nil {
		d.t.Fatal(err)
	}
	write("key.pem", "PRIVATE KEY", der)
	d.ca = filepath.Join(d.dir, "ca.pem")
}

func (d *directory) root(f func(c *ldap.Conn) error) {
	d.t.Helper()
	c, err := ldap.DialURL("ldap://127.0.0.1:" + d.plain)
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(rootDN, rootPW); err != nil {
		d.t.Fatal(err)
	}
	if err := f(c); err != nil {
		d.t.Fatal(err)
	}
}

// add adds an entry; attributes are name, value, name, value.
func (d *directory) add(dn string, attributes ...string) {
	d.t.Helper()
	r := ldap.NewAddRequest(dn, nil)
	values := map[string][]string{}
	for i := 0; i+1 < len(attributes); i += 2 {
		values[attributes[i]] = append(values[attributes[i]], attributes[i+1])
	}
	for name, v := range values {
		r.Attribute(name, v)
	}
	d.root(func(c *ldap.Conn) error { return c.Add(r) })
}

func personDN(uid string) string { return "uid=" + uid + "," + people }

// hire adds a person.
func (d *directory) hire(uid, password string) {
	d.t.Helper()
	d.add(personDN(uid), "objectClass", "inetOrgPerson", "uid", uid, "cn", uid, "sn", uid, "mail", uid+"@example.com", "employeeType", "active", "userPassword", password)
}

// put replaces an attribute.
func (d *directory) put(dn, name string, values ...string) {
	d.t.Helper()
	r := ldap.NewModifyRequest(dn, nil)
	r.Replace(name, values)
	d.root(func(c *ldap.Conn) error { return c.Modify(r) })
}

// group makes a group of people.
func (d *directory) group(name string, uids ...string) {
	d.t.Helper()
	attributes := []string{"objectClass", "groupOfNames", "cn", name, "member", rootDN}
	for _, u := range uids {
		attributes = append(attributes, "member", personDN(u))
	}
	d.add("cn="+name+","+groups, attributes...)
}

// members replaces a group's people.
func (d *directory) members(name string, uids ...string) {
	d.t.Helper()
	all := []string{rootDN}
	for _, u := range uids {
		all = append(all, personDN(u))
	}
	d.put("cn="+name+","+groups, "member", all...)
}
