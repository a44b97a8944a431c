package selftest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Sandbox is a sandbox with its users' credentials, as a credentials file
// holds a domain. The first user is the main account, the others are in a group
// that handles its members' tickets.
type Sandbox struct {
	ID    string `json:"domain_id"`
	Name  string `json:"domain_name"`
	Group string `json:"group_id,omitempty"`
	Users []User `json:"users"`
}

// User is a user of a sandbox.
type User struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	ID       string `json:"user_id"`
	AK       string `json:"ak"`
	SK       string `json:"sk"`
	Role     string `json:"role"` // main or user
	Email    string `json:"email"`
	Mobile   string `json:"mobile"`
}

// NewSandbox makes a sandbox with users of these names, through the desk API as
// an administrator. Passwords and secret keys are in the answer only.
func NewSandbox(ctx context.Context, desk Desk, name, plan string, users ...string) (Sandbox, error) {
	box := Sandbox{Name: name}
	var made struct {
		ID string `json:"id"`
	}
	post := func(path string, body any) error { return desk(ctx, http.MethodPost, path, nil, body, &made) }
	body := map[string]any{"name": name, "sandbox": true}
	if plan != "" {
		body["plan"] = plan
	}
	if err := post("/desk/v1/domains", body); err != nil {
		return box, err
	}
	box.ID = made.ID
	base := "/desk/v1/domains/" + url.PathEscape(box.ID)
	if err := post(base+"/groups", map[string]any{"name": "testers", "roles": []string{"ticket_group_operator"}}); err != nil {
		return box, err
	}
	box.Group = made.ID
	for i, n := range users {
		u := User{Name: n, Password: random(20), Role: "user", Email: n + "-" + random(8) + "@example.com", Mobile: mobile()}
		if i == 0 {
			u.Role = "main"
		}
		if err := post(base+"/users", map[string]any{"name": n, "password": u.Password, "main": i == 0, "email": u.Email, "area_code": "86", "mobile": u.Mobile}); err != nil {
			return box, err
		}
		u.ID = made.ID
		var key struct {
			ID     string `json:"id"`
			Secret string `json:"secret"`
		}
		if err := desk(ctx, http.MethodPost, base+"/users/"+url.PathEscape(u.ID)+"/keys", nil, nil, &key); err != nil {
			return box, err
		}
		u.AK, u.SK = key.ID, key.Secret
		if i > 0 {
			if err := desk(ctx, http.MethodPut, base+"/groups/"+url.PathEscape(box.Group)+"/members/"+url.PathEscape(u.ID), nil, nil, nil); err != nil {
				return box, err
			}
		}
		box.Users = append(box.Users, u)
	}
	return box, nil
}

// mobile is a Chinese mobile number nobody is known by.
func mobile() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic(err) // the system has no randomness
	}
	return fmt.Sprintf("139%08d", n)
}

// admin calls the desk API as an administrator, name is for the proofs.
func (r *run) admin(name, method, path string, query url.Values, body, into any) error {
	return r.deskCall(r.o.Admin, name, method, path, query, body, into)
}

func (r *run) deskCall(desk Desk, name, method, path string, query url.Values, body, into any) error {
	err := desk(r.Context, method, path, query, body, into)
	var s interface{ Status() int }
	if errors.As(err, &s) && s.Status() == http.StatusNotImplemented {
		return fmt.Errorf("desk %s: %w", name, errNotBuilt)
	}
	if err != nil {
		return fmt.Errorf("desk %s: %w", name, err)
	}
	r.answered["desk "+name]++
	return nil
}

// step is an engineer's step on a ticket.
func (r *run) step(number, action, text string) error {
	body := r.acting(map[string]any{"action": action})
	if text != "" {
		body["text"] = text
	}
	return r.deskCall(r.o.Engineer, action, http.MethodPost, "/desk/v1/tickets/"+url.PathEscape(number)+"/steps", nil, body, nil)
}

// code is the last verification code caught on its way to the contact.
func (r *run) code(to string) (string, error) {
	var got struct {
		Code string `json:"code"`
	}
	err := r.until(func() error {
		return r.admin("ShowOutboxCode", http.MethodGet, "/desk/v1/outbox/code", url.Values{"to": {to}}, nil, &got)
	})
	return got.Code, err
}

// caught are the texts of what the catcher holds for the contact.
func (r *run) caught(to string) (texts []string, err error) {
	var got struct {
		Items []struct {
			Text string `json:"text"`
		} `json:"items"`
	}
	err = r.admin("ListOutbox", http.MethodGet, "/desk/v1/outbox", url.Values{"to": {to}, "limit": {"100"}}, nil, &got)
	for _, m := range got.Items {
		texts = append(texts, m.Text)
	}
	return texts, err
}

// forward moves the sandbox's clock. Other nodes see it within a second.
func (r *run) forward(by time.Duration) error {
	var got struct {
		Ahead int64 `json:"ahead_seconds"`
	}
	err := r.admin("MoveDomainClock", http.MethodPost, "/desk/v1/domains/"+url.PathEscape(r.box.ID)+"/clock", nil, map[string]any{"seconds": int64(by / time.Second)}, &got)
	if err != nil {
		return err
	}
	r.ahead = time.Duration(got.Ahead) * time.Second
	select {
	case <-r.Done():
		return r.Err()
	case <-time.After(1100 * time.Millisecond):
		return nil
	}
}

// exported is the text of all files of the catalogue in force.
func (r *run) exported() (string, error) {
	files, err := r.exportedFiles()
	all := ""
	for _, text := range files {
		all += text + "\n"
	}
	return all, err
}

func (r *run) exportedFiles() (map[string]string, error) {
	var got struct {
		Files map[string]string `json:"files"`
	}
	err := r.admin("ExportCatalog", http.MethodGet, "/desk/v1/catalog", nil, nil, &got)
	return got.Files, err
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
