package server

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
)

// localToken is the operator's way in on the server's own machine: who can
// read the data folder is the operator. It is made anew at each start, lives
// as long as the process and is accepted from loopback only.
type localToken struct {
	path   string
	secret string
}

// LocalTokenFile is the name of the file in the data folder.
const LocalTokenFile = "local-token"

func newLocalToken(dir, url string, random []byte) (*localToken, error) {
	t := &localToken{path: filepath.Join(dir, LocalTokenFile), secret: "local." + base64.RawURLEncoding.EncodeToString(random)}
	text, err := json.Marshal(map[string]string{"url": url, "token": t.secret})
	if err != nil {
		return nil, err
	}
	return t, writePrivate(t.path, append(text, '\n'))
}

func (t *localToken) is(token string) bool {
	return t != nil && subtle.ConstantTimeCompare([]byte(t.secret), []byte(token)) == 1
}

// remove removes the file, unless another server has put its own there.
func (t *localToken) remove() {
	if t == nil {
		return
	}
	text, err := os.ReadFile(t.path)
	var file struct{ Token string }
	if err != nil || json.Unmarshal(text, &file) != nil || !t.is(file.Token) {
		return
	}
	_ = os.Remove(t.path) // a stale file names a token nobody accepts
}

// writePrivate replaces a file that only its owner may read, at once or not at all.
func writePrivate(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Chmod(0o600); err != nil {
		return err
	}
	if _, err := tmp.Write(text); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
