package archive

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// identity is a new key pair's private half.
func identity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// made is an archive with entries of many sizes.
func made(t *testing.T, recipients ...age.Recipient) ([]byte, map[string]string) {
	t.Helper()
	want := map[string]string{}
	random := rand.NewChaCha8([32]byte{1})
	var b bytes.Buffer
	a, err := Create(&b, recipients, Manifest{Format: Data, Made: time.Unix(1, 0).UTC(), Tables: map[string]Table{"t": {Rows: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{0, 1, 511, 512, 65535, 65536, 200_000} {
		text := make([]byte, size)
		_, _ = random.Read(text)
		name := "blobs/" + strings.Repeat(string(rune('a'+i)), 32)
		want[name] = string(text)
		if err := a.Add(name, int64(size), bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), want
}

// read reads an archive to its end.
func read(text []byte, ids ...age.Identity) (map[string]string, error) {
	a, err := Open(bytes.NewReader(text), "FILE", Data, ids)
	if err != nil {
		return nil, err
	}
	got := map[string]string{}
	for {
		name, r, err := a.Next()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		got[name] = string(content)
	}
}

// reads reads an archive to its end and tells whether it holds what is wanted.
// Thousands of readings share one buffer.
func reads(text, buffer []byte, want map[string]string, ids ...age.Identity) (same bool, err error) {
	a, err := Open(bytes.NewReader(text), "FILE", Data, ids)
	if err != nil {
		return false, err
	}
	for same, n := true, 0; ; n++ {
		name, r, err := a.Next()
		if err == io.EOF {
			return same && n == len(want), nil
		}
		if err != nil {
			return false, err
		}
		left, known := want[name]
		same = same && known
		for {
			k, err := r.Read(buffer)
			if same = same && k <= len(left) && left[:k] == string(buffer[:k]); same {
				left = left[k:]
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return false, err
			}
		}
		same = same && left == ""
	}
}

// TestChanged: an archive that was changed at any place or cut off at any length
// is never read to its end; of one that is not encrypted only bytes that nobody
// reads may change.
func TestChanged(t *testing.T) {
	t.Parallel()
	id := identity(t)
	buffer := make([]byte, 64<<10)
	for _, sealed := range []bool{true, false} {
		var to []age.Recipient
		if sealed {
			to = []age.Recipient{identity(t).Recipient(), id.Recipient()}
		}
		text, want := made(t, to...)
		if same, err := reads(text, buffer, want, id); err != nil || !same {
			t.Fatal("whole:", err)
		}
		places := map[int]bool{0: true, len(text) - 1: true}
		for i := range 600 {
			places[i] = true // all of the head
		}
		for len(places) < 1100 {
			places[rand.IntN(len(text))] = true
		}
		for at := range places {
			changed := bytes.Clone(text)
			changed[at] ^= 1 << rand.IntN(8)
			if same, err := reads(changed, buffer, want, id); err == nil && (sealed || !same) {
				t.Errorf("encrypted %v: byte %d of %d changed, and it is taken", sealed, at, len(text))
			}
		}
		for i := range 400 {
			n := i
			if i > 200 {
				n = rand.IntN(len(text))
			}
			if i > 350 {
				n = len(text) - (i - 350)
			}
			if i > 380 {
				n = len(text) - rand.IntN(1600) // the zeroes that end a tar, and those before them
			}
			if _, err := reads(text[:min(n, len(text)-1)], buffer, want, id); err == nil {
				t.Errorf("encrypted %v: cut off at %d of %d, and it is taken", sealed, n, len(text))
			}
		}
		if _, err := reads(append(bytes.Clone(text), 'x'), buffer, want, id); err == nil {
			t.Errorf("encrypted %v: bytes after the end, and it is taken", sealed)
		}
	}
}

// TestIdentities: who has another key, or none, reads nothing, and is told which.
func TestIdentities(t *testing.T) {
	t.Parallel()
	id, other := identity(t), identity(t)
	text, _ := made(t, id.Recipient())
	if _, err := read(text); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("without an identity: %v", err)
	}
	if _, err := read(text, other); err == nil || !strings.Contains(err.Error(), "no given identity opens") {
		t.Errorf("another's identity: %v", err)
	}
	if _, err := read(text, other, id); err != nil {
		t.Errorf("the right one among others: %v", err)
	}
	if _, err := Open(bytes.NewReader(text), "FILE", Keys, []age.Identity{id}); err == nil || !strings.Contains(err.Error(), "no backup of the keys") {
		t.Errorf("data taken for keys: %v", err)
	}
	if bytes.Contains(text, []byte("manifest.json")) {
		t.Error("the head is in clear")
	}
}

// TestNewKey: a pair that was made works, its file is the owner's, and no file
// is written over.
func TestNewKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "id")
	public, err := NewKey(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	if _, err := NewKey(path, time.Now()); err == nil {
		t.Error("a private key is written over")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) || len(after) == 0 {
		t.Error("the private key changed")
	}
	list := filepath.Join(t.TempDir(), "recipients")
	if err := os.WriteFile(list, []byte("# the office's\n\n  "+public+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to, err := Recipients(nil, []string{list})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := Identities([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := made(t, to...)
	if _, err := read(text, ids...); err != nil {
		t.Error(err)
	}
	private := strings.TrimSpace(string(before[bytes.Index(before, []byte("AGE-SECRET-KEY-")):]))
	for _, bad := range []string{private, "age1quince", "ssh-ed25519 AAAA", "", public + "x"} { // no message repeats them
		if _, err := Recipients([]string{bad}, nil); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("recipient %q: %v", bad, err)
		}
	}
	if err := os.WriteFile(list, []byte(public+"\n"+private+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Recipients(nil, []string{list}); err == nil || !strings.Contains(err.Error(), list+":2") || strings.Contains(err.Error(), private) {
		t.Errorf("a private key among recipients: %v", err)
	}
}
