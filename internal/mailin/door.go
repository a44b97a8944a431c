package mailin

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// door is the receiver's listener: it takes connections of allowed peers within
// the limits.
type door struct {
	net.Listener
	r *receiver
}

// Accept is the next connection that may speak.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		pc, no := d.r.admit(c)
		if no == "" {
			return pc, nil
		}
		d.r.refused.Add(1)
		go turnAway(c, no)
	}
}

// admit counts a connection, or says why it may not speak.
func (r *receiver) admit(c net.Conn) (*peerConn, string) {
	var peer netip.Addr
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		peer = a.Addr().Unmap()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !within(r.peers, peer):
		r.g.log.Warn("a peer that may not bring mails was turned away", "peer", peer.String())
		return nil, "554 5.7.1 you may not bring mails here"
	case r.draining:
		return nil, "421 4.3.2 shutting down, try again"
	case len(r.conns) >= r.c.Connections, r.from[peer] >= r.c.PerPeer:
		return nil, "421 4.7.0 too many connections, try again"
	}
	pc := &peerConn{Conn: c, r: r, peer: peer}
	r.conns[pc] = struct{}{}
	r.from[peer]++
	return pc, ""
}

func turnAway(c net.Conn, why string) {
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Write([]byte(why + "\r\n")) // whether he hears it is his affair
	_ = c.Close()
}

// peerConn is a connection of the receiver. It knows whether a mail is under
// way.
type peerConn struct {
	net.Conn
	r    *receiver
	peer netip.Addr

	mu     sync.Mutex
	busy   bool
	ended  bool
	secure bool // STARTTLS was done
	once   sync.Once
}

// Close closes the connection and gives its place back.
func (c *peerConn) Close() error {
	c.once.Do(func() {
		c.r.mu.Lock()
		defer c.r.mu.Unlock()
		delete(c.r.conns, c)
		if c.r.from[c.peer]--; c.r.from[c.peer] <= 0 {
			delete(c.r.from, c.peer)
		}
	})
	return c.Conn.Close()
}

// begin notes that a mail is under way; not after the connection was ended.
func (c *peerConn) begin() bool {
	c.r.mu.Lock()
	stopping := c.r.draining
	c.r.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.ended && !stopping
	return c.busy
}

// done notes that none is. A server that stops ends the connection: the mail's
// answer has left.
func (c *peerConn) done() {
	c.r.mu.Lock()
	stopping := c.r.draining
	c.r.mu.Unlock()
	c.mu.Lock()
	was := c.busy
	c.busy = false
	end := was && stopping && !c.ended
	c.ended = c.ended || end
	c.mu.Unlock()
	if end {
		_ = c.Close()
	}
}

// endIfIdle ends the connection unless a mail is under way.
func (c *peerConn) endIfIdle() {
	c.mu.Lock()
	end := !c.busy && !c.ended
	c.ended = c.ended || end
	secure := c.secure
	c.mu.Unlock()
	if end {
		if !secure { // TLS has no place for it
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = c.Write([]byte("421 4.3.2 shutting down, try again\r\n")) // polite; the connection ends anyway
		}
		_ = c.Close()
	}
}
