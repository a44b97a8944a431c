package mailtest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Sender speaks SMTP or LMTP line by line, and is as rude as a test wants.
type Sender struct {
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects and answers the greeting.
func Dial(address string) (s *Sender, greeting string, err error) {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, "", err
	}
	s = &Sender{conn: c, in: bufio.NewReader(c)}
	greeting, err = s.Answer()
	return s, greeting, err
}

// Close ends the connection without a word.
func (s *Sender) Close() { _ = s.conn.Close() }

// Answer reads one answer, all its lines.
func (s *Sender) Answer() (string, error) {
	_ = s.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	var all strings.Builder
	for {
		line, err := s.in.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			return all.String(), err
		}
		if len(line) < 4 || line[3] != '-' {
			return all.String(), nil
		}
	}
}

// Say sends a line and reads the answer; one that cannot be had is its error.
func (s *Sender) Say(format string, args ...any) string {
	if _, err := fmt.Fprintf(s.conn, format+"\r\n", args...); err != nil {
		return err.Error()
	}
	a, err := s.Answer()
	if err != nil {
		return a + err.Error()
	}
	return a
}

// Write sends bytes as they are.
func (s *Sender) Write(text string) error {
	_, err := s.conn.Write([]byte(text))
	return err
}

// StartTLS goes on over TLS.
func (s *Sender) StartTLS(c *tls.Config) error {
	if a := s.Say("STARTTLS"); !strings.HasPrefix(a, "220") {
		return fmt.Errorf("STARTTLS: %s", a)
	}
	t := tls.Client(s.conn, c)
	if err := t.Handshake(); err != nil {
		return err
	}
	s.conn, s.in = t, bufio.NewReader(t)
	return nil
}

// Bring brings a mail over LMTP or SMTP. The answers are the codes of the
// recipients in their order: those of RCPT where they were refused, else those
// behind the data; 0 where no answer came.
func (s *Sender) Bring(lmtp bool, from string, to []string, mail string) (codes []int) {
	codes = make([]int, len(to))
	set := func(code int) []int {
		for i := range codes {
			if codes[i] == 0 {
				codes[i] = code
			}
		}
		return codes
	}
	code := func(a string) int {
		if len(a) < 3 {
			return 0
		}
		n, _ := strconv.Atoi(a[:3])
		return n
	}
	hello := "EHLO"
	if lmtp {
		hello = "LHLO"
	}
	if a := s.Say("%s tests.example", hello); code(a) != 250 {
		return set(code(a))
	}
	if a := s.Say("MAIL FROM:<%s>", from); code(a) != 250 {
		return set(code(a))
	}
	taken := 0
	for i, t := range to {
		if c := code(s.Say("RCPT TO:<%s>", t)); c != 250 {
			codes[i] = c
			continue
		}
		taken++
	}
	if taken == 0 {
		s.Say("RSET")
		return codes
	}
	if a := s.Say("DATA"); code(a) != 354 {
		return set(code(a))
	}
	body := strings.ReplaceAll("\r\n"+mail, "\r\n.", "\r\n..")[2:]
	if !strings.HasSuffix(body, "\r\n") {
		body += "\r\n"
	}
	if s.Write(body+".\r\n") != nil {
		return codes
	}
	if !lmtp {
		a, err := s.Answer()
		if err != nil {
			return codes
		}
		return set(code(a))
	}
	for i := range codes {
		if codes[i] == 0 {
			a, err := s.Answer()
			if err != nil {
				return codes
			}
			codes[i] = code(a)
		}
	}
	return codes
}

// BringOnce connects, brings one mail and says goodbye.
func BringOnce(address string, lmtp bool, from, to, mail string) int {
	s, _, err := Dial(address)
	if err != nil {
		return 0
	}
	defer s.Close()
	code := s.Bring(lmtp, from, []string{to}, mail)[0]
	s.Say("QUIT")
	return code
}
