package notify_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"casemate/internal/config"
)

// The simulator of a text message centre is written from the SMPP 3.4
// specification, octet by octet, and shares nothing with the client.
const (
	cmdBindTransceiver = 0x00000009
	cmdSubmit          = 0x00000004
	cmdDeliver         = 0x00000005
	cmdUnbind          = 0x00000006
	cmdEnquire         = 0x00000015
	cmdNack            = 0x80000000
	answerBit          = 0x80000000
)

// submitted is a submit_sm as the centre got it.
type submitted struct {
	serviceType             string
	sourceTON, sourceNPI    byte
	source                  string
	destTON, destNPI        byte
	dest                    string
	esm, registered, coding byte
	octets                  []byte // short_message, with its header
	tlv                     map[uint16][]byte
}

// ref is user_message_reference (tag 0x0204).
func (s submitted) ref() string { return hex.EncodeToString(s.tlv[0x0204]) }

// ucs2 reads octets as UTF-16, high octet first.
func ucs2(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return string(utf16.Decode(units))
}

// centre is the simulator.
type centre struct {
	t        *testing.T
	listener net.Listener
	password string

	mu     sync.Mutex
	binds  int // good ones
	tries  int
	got    []submitted
	seen   map[uint32]int // commands
	conns  []*centreConn
	script func(c *centreConn, n int, s submitted) (status uint32, id string, answer bool)
	mute   bool // reads and says nothing, not even to a bind
	open   sync.WaitGroup
}

type centreConn struct {
	net.Conn
	w       sync.Mutex
	seq     uint32
	answers chan [2]uint32 // command and status of answers to what the centre sent
}

func startCentre(t *testing.T) *centre {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &centre{t: t, listener: l, password: "secret", seen: map[uint32]int{}}
	s.open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c := &centreConn{Conn: conn, answers: make(chan [2]uint32, 100)}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.open.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.cutAll()
		s.open.Wait()
	})
	return s
}

func (s *centre) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *centre) config() config.SMPP {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return config.SMPP{Name: "smsc", Address: s.listener.Addr().String(), SystemID: "casemate", Password: config.Secret{File: file}, SystemType: "VMS",
		Source: "Casemate", Recipient: []string{"001"}, Allow: []string{"127.0.0.1"}, Prices: map[string]int64{"86": 45, "*": 500}}
}

func (c *centreConn) put(command, status, seq uint32, body []byte) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(body)))
	b = binary.BigEndian.AppendUint32(b, command)
	b = binary.BigEndian.AppendUint32(b, status)
	b = binary.BigEndian.AppendUint32(b, seq)
	c.w.Lock()
	defer c.w.Unlock()
	_, err := c.Write(append(b, body...))
	return err
}

// fields reads a PDU's body.
type fields struct {
	b   []byte
	err error
}

func (f *fields) octet() byte {
	if len(f.b) < 1 {
		f.err = errors.New("the PDU is too short")
		return 0
	}
	o := f.b[0]
	f.b = f.b[1:]
	return o
}

func (f *fields) text() string {
	for i, o := range f.b {
		if o == 0 {
			s := string(f.b[:i])
			f.b = f.b[i+1:]
			return s
		}
	}
	f.err = errors.New("a text has no end")
	return ""
}

func (f *fields) take(n int) []byte {
	if len(f.b) < n {
		f.err = errors.New("the PDU is too short")
		return nil
	}
	t := f.b[:n]
	f.b = f.b[n:]
	return t
}

func readSubmit(body []byte) (s submitted, err error) {
	f := &fields{b: body}
	s.serviceType = f.text()
	s.sourceTON, s.sourceNPI, s.source = f.octet(), f.octet(), f.text()
	s.destTON, s.destNPI, s.dest = f.octet(), f.octet(), f.text()
	s.esm = f.octet()
	f.octet() // protocol_id
	f.octet() // priority_flag
	f.text()  // schedule_delivery_time
	f.text()  // validity_period
	s.registered = f.octet()
	f.octet() // replace_if_present_flag
	s.coding = f.octet()
	f.octet() // sm_default_msg_id
	s.octets = f.take(int(f.octet()))
	s.tlv = map[uint16][]byte{}
	for f.err == nil && len(f.b) > 0 {
		head := f.take(4)
		if f.err == nil {
			s.tlv[binary.BigEndian.Uint16(head)] = f.take(int(binary.BigEndian.Uint16(head[2:])))
		}
	}
	return s, f.err
}

func (s *centre) serve(c *centreConn) {
	defer c.Close()
	bound := false
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		n, command, status, seq := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:]), binary.BigEndian.Uint32(head[12:])
		if n < 16 || n > 1000 {
			s.t.Errorf("a PDU of %d octets", n)
			return
		}
		body := make([]byte, n-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		s.mu.Lock()
		s.seen[command]++
		mute := s.mute
		s.mu.Unlock()
		if mute {
			continue
		}
		var err error
		switch command {
		case cmdBindTransceiver:
			f := &fields{b: body}
			id, password, kind, version := f.text(), f.text(), f.text(), f.octet()
			ok := id == "casemate" && password == s.password && kind == "VMS" && version == 0x34
			s.mu.Lock()
			s.tries++
			if ok {
				s.binds++
			}
			s.mu.Unlock()
			if !ok {
				_ = c.put(command|answerBit, 0x0000000e, seq, nil) // ESME_RINVPASWD, without a body
				return
			}
			bound = true
			err = c.put(command|answerBit, 0, seq, []byte("sim\x00"))
		case cmdEnquire:
			err = c.put(command|answerBit, 0, seq, nil)
		case cmdUnbind:
			_ = c.put(command|answerBit, 0, seq, nil)
			return
		case cmdSubmit:
			in, bad := readSubmit(body)
			if bad != nil || !bound {
				s.t.Errorf("submit_sm (bound: %v): %v", bound, bad)
				return
			}
			s.mu.Lock()
			s.got = append(s.got, in)
			n, script := len(s.got), s.script
			s.mu.Unlock()
			code, id, answer := uint32(0), fmt.Sprintf("sim-%d", n), true
			if script != nil {
				code, id, answer = script(c, n, in)
			}
			if answer && code != 0 {
				err = c.put(command|answerBit, code, seq, nil)
			} else if answer {
				err = c.put(command|answerBit, 0, seq, append([]byte(id), 0))
			}
		default:
			if command&answerBit != 0 {
				c.answers <- [2]uint32{command, status}
				continue
			}
			err = c.put(cmdNack, 3, seq, nil)
		}
		if err != nil {
			return
		}
	}
}

// deliver sends a deliver_sm on the newest connection and waits for its answer.
func (s *centre) deliver(esm, coding byte, text []byte, tlv map[uint16][]byte) [2]uint32 {
	s.t.Helper()
	s.mu.Lock()
	if len(s.conns) == 0 {
		s.mu.Unlock()
		s.t.Fatal("nobody is bound")
	}
	c := s.conns[len(s.conns)-1]
	s.mu.Unlock()
	body := append([]byte{0, 1, 1}, "8613800138000\x00"...)
	body = append(body, 5, 0)
	body = append(body, "Casemate\x00"...)
	body = append(body, esm, 0, 0, 0, 0, 0, 0, coding, 0, byte(len(text)))
	body = append(body, text...)
	for tag, v := range tlv {
		body = binary.BigEndian.AppendUint16(body, tag)
		body = binary.BigEndian.AppendUint16(body, uint16(len(v)))
		body = append(body, v...)
	}
	c.seq++
	if err := c.put(cmdDeliver, 0, c.seq, body); err != nil {
		s.t.Fatal(err)
	}
	select {
	case a := <-c.answers:
		return a
	case <-time.After(20 * time.Second):
		s.t.Fatal("the receipt was not answered")
		return [2]uint32{}
	}
}

func (s *centre) receipt(id, state, code string) {
	s.t.Helper()
	text := fmt.Sprintf("id:%s sub:001 dlvrd:001 submit date:2601150800 done date:2601150801 stat:%s err:%s text:x", id, state, code)
	if a := s.deliver(0x04, 0, []byte(text), nil); a != [2]uint32{cmdDeliver | answerBit, 0} {
		s.t.Errorf("the receipt was answered %x", a)
	}
}

func (s *centre) messages() []submitted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]submitted(nil), s.got...)
}

func (s *centre) count(command uint32) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[command]
}

func (s *centre) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// joined puts the parts of one message together by their headers.
func joined(t *testing.T, parts []submitted) string {
	t.Helper()
	texts := make([]string, len(parts))
	for _, p := range parts {
		h := p.octets
		if p.esm&0x40 == 0 || len(h) < 6 || h[0] != 5 || h[1] != 0 || h[2] != 3 || int(h[4]) != len(parts) || h[5] < 1 || int(h[5]) > len(parts) || h[3] != parts[0].octets[3] {
			t.Fatalf("the header of a part: esm_class %#x, % x", p.esm, h[:min(6, len(h))])
		}
		if len(h) > 140 || texts[h[5]-1] != "" {
			t.Errorf("part %d has %d octets", h[5], len(h))
		}
		texts[h[5]-1] = ucs2(h[6:])
	}
	return strings.Join(texts, "")
}
