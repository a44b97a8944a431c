// Command gosdk lives the life of a ticket with the vendor's own Go SDK,
// unmodified: only the endpoint differs. It reads the catalogue, proves an
// e-mail address by a code, opens a ticket, finds it again, talks with the
// engineer, closes with a score and reads the log. Each step is read back; a
// difference ends the program with status 1.
//
//	gosdk -credentials data/credentials.json -data data            # AK/SK signing
//	gosdk -credentials data/credentials.json -data data -auth token
//
// The engineer's side and the reading of the code use the casemate command,
// as an operator's script would.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	log := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	if err := run(os.Args[1:], log); err != nil {
		fmt.Fprintln(os.Stderr, "gosdk:", err)
		os.Exit(1)
	}
}

// world is the part of the credentials file the story needs.
type world struct {
	BaseURL string `json:"base_url"`
	Domains []struct {
		ID    string `json:"domain_id"`
		Name  string `json:"domain_name"`
		Users []struct {
			Name     string `json:"name"`
			Password string `json:"password"`
			ID       string `json:"user_id"`
			AK       string `json:"ak"`
			SK       string `json:"sk"`
			Role     string `json:"role"`
		} `json:"users"`
	} `json:"domains"`
}

func run(args []string, log func(string, ...any)) error {
	flags := flag.NewFlagSet("gosdk", flag.ExitOnError)
	credentials := flags.String("credentials", "data/credentials.json", "the file casemate serve --demo --credentials wrote")
	endpoint := flags.String("endpoint", "", "base URL of the installation (default: the one in the credentials file)")
	auth := flags.String("auth", "aksk", "how to authenticate: aksk or token")
	binary := flags.String("casemate", "bin/casemate", "the casemate command")
	data := flags.String("data", "data", "the server's data folder, for the casemate command")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*credentials)
	if err != nil {
		return err
	}
	var w world
	if err := json.Unmarshal(text, &w); err != nil {
		return fmt.Errorf("%s: %w", *credentials, err)
	}
	if len(w.Domains) == 0 || len(w.Domains[0].Users) == 0 {
		return fmt.Errorf("%s names no customer", *credentials)
	}
	if *endpoint != "" {
		w.BaseURL = *endpoint
	}
	domain, user := w.Domains[0], w.Domains[0].Users[0]
	log("customer %s of %s at %s, authenticated by %s", user.Name, domain.Name, w.BaseURL, *auth)

	s := &story{log: log, casemate: func(args ...string) (string, error) {
		args = append(args, "--data", *data, "--url", w.BaseURL)
		cmd := exec.Command(*binary, args...)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("casemate %s: %w", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out)), nil
	}}
	switch *auth {
	case "aksk":
		s.client, err = signingClient(w.BaseURL, user.AK, user.SK)
	case "token":
		s.client, err = tokenClient(w.BaseURL, domain.Name, user.Name, user.Password)
	default:
		return fmt.Errorf("-auth is aksk or token, not %q", *auth)
	}
	if err != nil {
		return err
	}
	return s.tell()
}
