// Package judge listens between the black-box tests and the server. A tap
// passes every byte on as it comes, one server connection for each client
// connection, so that nothing the tests are about changes (keep-alive, slow
// senders, cut connections, raw paths); beside that it parses what passes and
// holds each request and each answer of the customer API against api/v2.yaml
// with kin-openapi, which shares nothing with the generated server.
package judge

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// Bodies beyond these are passed on but not kept: they are judged by status,
// headers and their beginning only.
const (
	keepRequest = 16 << 20 // what the server reads of a JSON body, and more
	keepAnswer  = 32 << 20
	keepStream  = 64 << 10 // of an answer that is no JSON
)

// Tap is a listener in front of a server.
type Tap struct {
	URL      string // what clients call
	listener net.Listener
	server   string // host:port
	court    *Court
	wait     sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	closed   bool
}

// Listen opens a tap on a free port of the loopback interface, in front of
// host:port, which need not listen yet. What passes is judged by the court.
func Listen(server string, court *Court) (*Tap, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &Tap{URL: "http://" + l.Addr().String(), listener: l, server: server, court: court, open: map[net.Conn]struct{}{}}
	t.wait.Go(t.accept)
	return t, nil
}

// Close ends all connections and waits until everything that passed is judged.
func (t *Tap) Close() {
	t.mu.Lock()
	t.closed = true
	_ = t.listener.Close()
	for c := range t.open {
		_ = c.Close()
	}
	t.mu.Unlock()
	t.wait.Wait()
}

func (t *Tap) accept() {
	for {
		c, err := t.listener.Accept()
		if err != nil {
			return
		}
		t.wait.Go(func() { t.serve(c.(*net.TCPConn)) })
	}
}

// keep remembers a connection, so that Close can end it; false after Close.
func (t *Tap) keep(c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		_ = c.Close()
		return false
	}
	t.open[c] = struct{}{}
	return true
}

func (t *Tap) drop(c net.Conn) {
	_ = c.Close()
	t.mu.Lock()
	delete(t.open, c)
	t.mu.Unlock()
}

func (t *Tap) serve(client *net.TCPConn) {
	if !t.keep(client) {
		return
	}
	defer t.drop(client)
	up, err := net.Dial("tcp", t.server)
	if err != nil {
		_ = client.SetLinger(0) // as near to a refused connection as it gets
		return
	}
	server := up.(*net.TCPConn)
	if !t.keep(server) {
		return
	}
	defer t.drop(server)
	asked, answered := newBuffer(), newBuffer()
	var both sync.WaitGroup
	both.Go(func() { pass(server, client, asked) })
	both.Go(func() { pass(client, server, answered) })
	both.Go(func() { t.court.hear(asked, answered) })
	both.Wait()
}

// pass copies one direction, and ends the other end as this one ended. What was
// read is kept before it is passed on: nothing is answered that was not heard.
func pass(to, from *net.TCPConn, copied *buffer) {
	defer copied.end()
	_, err := io.Copy(io.MultiWriter(copied, to), from)
	if err == nil {
		_ = to.CloseWrite()
		return
	}
	if !errors.Is(err, net.ErrClosed) {
		_ = to.SetLinger(0)
	}
	_ = to.Close()
	_ = from.Close()
}

// buffer is a pipe whose writer never waits.
type buffer struct {
	mu    sync.Mutex
	more  *sync.Cond
	bytes bytes.Buffer
	ended bool
	deaf  bool // nobody reads any more
}

func newBuffer() *buffer {
	b := &buffer{}
	b.more = sync.NewCond(&b.mu)
	return b
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.deaf {
		b.bytes.Write(p)
		b.more.Signal()
	}
	return len(p), nil
}

func (b *buffer) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.bytes.Len() == 0 && !b.ended {
		b.more.Wait()
	}
	return b.bytes.Read(p)
}

func (b *buffer) end() {
	b.mu.Lock()
	b.ended = true
	b.more.Signal()
	b.mu.Unlock()
}

func (b *buffer) ignore() {
	b.mu.Lock()
	b.deaf = true
	b.bytes.Reset()
	b.mu.Unlock()
}

// exchange is a request and its answer.
type exchange struct {
	request *http.Request
	asked   body
	read    chan struct{} // closed when asked is there
	status  int
	header  http.Header
	last    bool // the server ends the connection with this answer
	told    body
}

// body is what was kept of a body.
type body struct {
	bytes []byte
	size  int64
	whole bool // it came to its end
}

func (b body) kept() bool { return b.whole && int64(len(b.bytes)) == b.size }

func take(r io.Reader, keep int64) (b body) {
	var text bytes.Buffer
	n, err := io.Copy(&text, io.LimitReader(r, keep))
	b.bytes, b.size = text.Bytes(), n
	if err == nil {
		n, err = io.Copy(io.Discard, r)
		b.size += n
	}
	b.whole = err == nil
	return b
}

// hear parses what passes on one connection and gives each exchange its
// verdict. It ends when the connection does, or at the first bytes that are no
// HTTP.
func (c *Court) hear(asked, answered *buffer) {
	exchanges := make(chan *exchange, 16)
	go func() {
		defer close(exchanges)
		defer asked.ignore()
		in := bufio.NewReader(asked)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			x := &exchange{request: r, read: make(chan struct{})}
			exchanges <- x
			x.asked = take(r.Body, keepRequest)
			close(x.read)
			if !x.asked.whole {
				return
			}
		}
	}()
	in := bufio.NewReader(answered)
	for x := range exchanges {
		if x.request == nil || !c.answer(in, x) {
			break
		}
		c.decide(x)
	}
	answered.ignore()
	asked.ignore()
	for x := range exchanges { // what was asked and never answered
		<-x.read
		c.cut()
	}
}

// answer reads the final answer to a request; false when none came whole.
func (c *Court) answer(in *bufio.Reader, x *exchange) bool {
	for {
		res, err := http.ReadResponse(in, x.request)
		if err != nil {
			c.cut()
			return false
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		keep := int64(keepStream)
		if isJSON(res.Header) {
			keep = keepAnswer
		}
		x.status, x.header, x.last = res.StatusCode, res.Header, res.Close
		x.told = take(res.Body, keep)
		if !x.told.whole {
			c.cut()
			return false
		}
		<-x.read
		return true
	}
}
