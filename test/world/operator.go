package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

var operators = &http.Client{Timeout: 30 * time.Second}

// Operator calls the desk API as the operator of this machine, with the token
// the server leaves in its data folder.
func (w *World) Operator(method, path string, body any) (status int, text string, err error) {
	raw, err := os.ReadFile(filepath.Join(w.Dir, "local-token"))
	if err != nil {
		return 0, "", err
	}
	var file struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return 0, "", fmt.Errorf("local-token: %w", err)
	}
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, "", err
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequest(method, w.URL+path, sent)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Auth-Token", file.Token)
	res, err := operators.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}
