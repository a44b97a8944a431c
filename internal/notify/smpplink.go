package notify

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// Times of one bind.
const (
	bindTime   = 10 * time.Second // until the centre must have answered the bind
	writeTime  = 5 * time.Second
	unbindTime = time.Second
	abandoned  = time.Minute // a request that nobody waits for any more keeps its place in the window so long
	maxFrame   = 64 << 10
)

// smppLink is one bound connection. Requests wait for their answer in a window;
// whatever ends the connection ends them all.
type smppLink struct {
	conn   net.Conn
	in     io.Reader
	window chan struct{}                  // a place for each request without an answer
	taking chan struct{}                  // a place for each receipt being kept
	heard  func(*pdu.DeliverSM) (ok bool) // a receipt or message from the centre; false = it shall send it again

	write sync.Mutex

	mu      sync.Mutex
	seq     int32
	waiting map[int32]chan answered
	why     error
	dead    chan struct{} // closed when the connection is over
	work    sync.WaitGroup
}

// answered is the head of an answer and, where it is well formed, the rest.
type answered struct {
	status data.CommandStatusType
	body   pdu.PDU
}

var errLinkEnded = errors.New("the connection ended")

// bindRefused is the centre's answer to a bind that it does not want.
type bindRefused struct{ status data.CommandStatusType }

func (e *bindRefused) Error() string { return "bind refused: " + statusText(e.status) }

// bindLink binds a fresh connection as a transceiver, and owns it from then on:
// it is closed when the bind fails.
func bindLink(conn net.Conn, req *pdu.BindRequest, window int, every time.Duration, heard func(*pdu.DeliverSM) bool) (*smppLink, error) {
	l := &smppLink{conn: conn, in: conn, window: make(chan struct{}, window), taking: make(chan struct{}, 64), heard: heard, waiting: map[int32]chan answered{}, dead: make(chan struct{}), seq: 1}
	req.SetSequenceNumber(1)
	_ = conn.SetDeadline(time.Now().Add(bindTime))
	err := l.put(req)
	for err == nil {
		var h pdu.Header
		if h, _, err = l.frame(); err != nil || h.CommandID != data.BIND_TRANSCEIVER_RESP && h.CommandID != data.GENERIC_NACK {
			continue // nothing else may come before the answer, but some centres ask for a sign of life
		}
		if h.CommandStatus != data.ESME_ROK || h.CommandID == data.GENERIC_NACK {
			err = &bindRefused{h.CommandStatus}
		}
		break
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	_ = conn.SetDeadline(time.Time{})
	l.work.Go(l.read)
	l.work.Go(func() { l.enquire(every) })
	return l, nil
}

// frame reads one PDU whole.
func (l *smppLink) frame() (pdu.Header, []byte, error) {
	var head [16]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return pdu.Header{}, nil, err
	}
	n := binary.BigEndian.Uint32(head[:4])
	if n < uint32(len(head)) || n > maxFrame {
		return pdu.Header{}, nil, fmt.Errorf("a length of %d is no PDU", n)
	}
	all := make([]byte, n)
	copy(all, head[:])
	_, err := io.ReadFull(l.in, all[len(head):])
	return pdu.ParseHeader(head), all, err
}

// parse reads a PDU's body with the library, which was not written for hostile
// peers: what makes it panic is a broken PDU like others.
func parse(all []byte) (p pdu.PDU, err error) {
	defer func() {
		if recover() != nil {
			p, err = nil, errors.New("the PDU cannot be read")
		}
	}()
	return pdu.Parse(bytes.NewReader(all))
}

func (l *smppLink) put(p pdu.PDU) error {
	b := pdu.NewBuffer(nil)
	p.Marshal(b)
	l.write.Lock()
	defer l.write.Unlock()
	_ = l.conn.SetWriteDeadline(time.Now().Add(writeTime))
	_, err := l.conn.Write(b.Bytes())
	return err
}

// end closes the connection for a reason, once.
func (l *smppLink) end(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why != nil {
		return
	}
	l.why = why
	close(l.dead)
	_ = l.conn.Close()
}

// Close unbinds and waits until nothing of the link runs any more.
func (l *smppLink) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), unbindTime)
	defer cancel()
	_ = l.ask(ctx, pdu.NewUnbind()) // polite; the connection is closed whatever it says
	l.end(errLinkEnded)
	l.work.Wait()
}

// notSent is a failure before anything left.
type notSent struct{ error }

func (e *notSent) Unwrap() error { return e.error }

// send sends a request; its answer comes over the channel, unless the
// connection ends. A *notSent has not left.
func (l *smppLink) send(p pdu.PDU) (<-chan answered, error) {
	l.mu.Lock()
	if l.why != nil {
		l.mu.Unlock()
		return nil, &notSent{l.why}
	}
	l.seq = l.seq%0x7ffffffe + 1
	got := make(chan answered, 1)
	l.waiting[l.seq] = got
	p.SetSequenceNumber(l.seq)
	l.mu.Unlock()
	if err := l.put(p); err != nil {
		l.end(err)
		return nil, err
	}
	return got, nil
}

// wait waits for an answer.
func (l *smppLink) wait(ctx context.Context, got <-chan answered) (answered, error) {
	select {
	case a := <-got:
		return a, nil
	case <-l.dead:
		select {
		case a := <-got: // it was read before the end
			return a, nil
		default:
			return answered{}, errLinkEnded
		}
	case <-ctx.Done():
		return answered{}, ctx.Err()
	}
}

// ask sends a request outside the window and waits for its answer.
func (l *smppLink) ask(ctx context.Context, p pdu.PDU) error {
	got, err := l.send(p)
	if err == nil {
		_, err = l.wait(ctx, got)
	}
	return err
}

// submit sends a message within the window and waits for its answer: while the
// window is full, too. An error other than *notSent leaves open whether the
// centre has the message.
func (l *smppLink) submit(ctx context.Context, p *pdu.SubmitSM) (answered, error) {
	select {
	case l.window <- struct{}{}:
	case <-l.dead:
		return answered{}, &notSent{errLinkEnded}
	case <-ctx.Done():
		return answered{}, &notSent{fmt.Errorf("the window is full: %w", ctx.Err())}
	}
	got, err := l.send(p)
	if err != nil {
		<-l.window
		return answered{}, err
	}
	a, err := l.wait(ctx, got)
	if err == nil {
		<-l.window
		return a, nil
	}
	// The centre may still answer: the place stays taken until it does, or until
	// that is unlikely.
	l.work.Go(func() {
		late, cancel := context.WithTimeout(context.Background(), abandoned)
		defer cancel()
		_, _ = l.wait(late, got)
		l.forget(p.GetSequenceNumber())
		<-l.window
	})
	return a, err
}

func (l *smppLink) forget(seq int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, seq)
}

// read takes what the centre sends until the connection ends.
func (l *smppLink) read() {
	for {
		h, all, err := l.frame()
		if err != nil {
			l.end(err)
			return
		}
		if uint32(h.CommandID)&0x80000000 != 0 {
			body, _ := parse(all) // an answer that cannot be read still has its status
			l.mu.Lock()
			if got := l.waiting[h.SequenceNumber]; got != nil {
				delete(l.waiting, h.SequenceNumber)
				a := answered{h.CommandStatus, body}
				if h.CommandID == data.GENERIC_NACK && a.status == data.ESME_ROK {
					a.status = data.ESME_RUNKNOWNERR
				}
				got <- a
			}
			l.mu.Unlock()
			continue
		}
		p, _ := parse(all) // what cannot be read is none of the cases
		switch p := p.(type) {
		case *pdu.EnquireLink:
			err = l.put(p.GetResponse())
		case *pdu.Unbind:
			_ = l.put(p.GetResponse())
			err = errors.New("the centre unbound")
		case *pdu.DeliverSM:
			l.taking <- struct{}{}
			l.work.Go(func() {
				defer func() { <-l.taking }()
				l.deliver(p)
			})
		default:
			// What is not understood is refused (SMPP 3.4 section 4.3).
			nack := pdu.NewGenericNack()
			nack.SetSequenceNumber(h.SequenceNumber)
			if g, ok := nack.(*pdu.GenericNack); ok {
				g.CommandStatus = data.ESME_RINVCMDID
			}
			err = l.put(nack)
		}
		if err != nil {
			l.end(err)
			return
		}
	}
}

// deliver answers a message of the centre once it is kept.
func (l *smppLink) deliver(p *pdu.DeliverSM) {
	ok := l.heard(p)
	res := pdu.NewDeliverSMRespFromReq(p)
	if r, is := res.(*pdu.DeliverSMResp); is && !ok {
		r.CommandStatus = data.ESME_RX_T_APPN
	}
	if err := l.put(res); err != nil {
		l.end(err)
	}
}

// enquire asks for a sign of life again and again; none until the next ends
// the connection.
func (l *smppLink) enquire(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.dead:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), every)
		err := l.ask(ctx, pdu.NewEnquireLink())
		cancel()
		if err != nil {
			l.end(fmt.Errorf("no sign of life: %w", err))
			return
		}
	}
}
