package notify

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"

	"casemate/internal/config"
	"casemate/internal/guard"
)

// smpp sends text messages to a centre over one bind of this node, which it
// makes when there is something to send and keeps alive (Service.Run).
type smpp struct {
	c        config.SMPP
	password string
	source   pdu.Address
	dial     func(ctx context.Context) (net.Conn, error)
	log      *slog.Logger
	// receive keeps a receipt; nil = nobody wants them. Not known: no message has
	// the id, yet.
	receive func(ctx context.Context, in Receipt) (known bool, err error)

	mu      sync.Mutex
	link    *smppLink
	binding chan struct{} // closed when the bind under way has ended
	failed  error         // of the last bind
	again   time.Time     // no bind before then
	pause   time.Duration
	closed  bool
	binds   sync.WaitGroup
	said    []Line // what the last bind said, for transcripts; At is milliseconds UTC
}

// The pause between two binds after one failed: it doubles.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

// NewSMPP makes a provider of text messages of the server's file. It binds when
// it is first used.
func NewSMPP(c config.SMPP, log *slog.Logger) (Channel, error) {
	walls, err := guard.New(c.Allow)
	if err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	in := secretsOf{walls: &walls}
	if in.roots, err = pool(c.CAFile); err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	if in.secret, err = c.Password.Read(); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	return newSMPP(c, log, in)
}

func newSMPP(c config.SMPP, log *slog.Logger, in secretsOf) (*smpp, error) {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil || host == "" {
		return nil, fmt.Errorf("address %q is not host:port", c.Address)
	}
	c.Name = cmp.Or(c.Name, host)
	c.EnquireLink = cmp.Or(c.EnquireLink, 30*time.Second)
	c.Window = cmp.Or(c.Window, 10)
	if c.Window < 1 || c.Window > 1000 {
		return nil, errors.New("window is 1 to 1000")
	}
	if c.EnquireLink < 10*time.Millisecond {
		return nil, errors.New("enquire_link is too short")
	}
	s := &smpp{c: c, log: log, password: in.secret}
	for _, f := range []struct {
		name, value string
		most        int
	}{{"system_id", c.SystemID, 15}, {"system_type", c.SystemType, 12}, {"password", s.password, 64}, {"source", c.Source, 20}} {
		if len(f.value) > f.most || strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("%s is at most %d printable ASCII characters", f.name, f.most)
		}
	}
	if c.SystemID == "" {
		return nil, errors.New("system_id is missing")
	}
	if s.source, err = sourceAddress(c); err != nil {
		return nil, err
	}
	s.dial = func(ctx context.Context) (net.Conn, error) {
		if !c.TLS {
			return in.walls.Dialer().DialContext(ctx, "tcp", c.Address)
		}
		d := tls.Dialer{NetDialer: in.walls.Dialer(), Config: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: in.roots}}
		return d.DialContext(ctx, "tcp", c.Address)
	}
	return s, nil
}

// sourceAddress is the sender, with type and plan of its number (SMPP 3.4
// sections 5.2.5 and 5.2.6) as configured or as it looks.
func sourceAddress(c config.SMPP) (pdu.Address, error) {
	ton, npi, address := 0, 0, c.Source
	switch number, plus := strings.CutPrefix(address, "+"); {
	case plus:
		ton, npi, address = 1, 1, number
	case strings.Trim(address, "0123456789") != "":
		ton = 5
		if len(address) > 11 {
			return pdu.Address{}, errors.New("source: a name has at most 11 characters")
		}
	}
	for _, f := range []struct {
		name string
		set  *int
		to   *int
	}{{"source_ton", c.SourceTON, &ton}, {"source_npi", c.SourceNPI, &npi}} {
		if f.set == nil {
			continue
		}
		if *f.set < 0 || *f.set > 18 {
			return pdu.Address{}, fmt.Errorf("%s is 0 to 18", f.name)
		}
		*f.to = *f.set
	}
	return pdu.NewAddressWithTonNpiAddr(byte(ton), byte(npi), address)
}

// Name is the provider's name in the ledger.
func (s *smpp) Name() string { return s.c.Name }

// bound is the live bind; when there is none, it makes one. Whoever comes while
// one is being made waits for it, as long as his context allows.
func (s *smpp) bound(ctx context.Context) (*smppLink, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errors.New("the provider is closed")
		}
		if s.link != nil {
			select {
			case <-s.link.dead:
				s.link = nil
			default:
				l := s.link
				s.mu.Unlock()
				return l, nil
			}
		}
		if s.binding == nil {
			if now := time.Now(); now.Before(s.again) {
				err := s.failed
				s.mu.Unlock()
				return nil, err
			}
			s.binding = make(chan struct{})
			s.binds.Go(s.bind)
		}
		done := s.binding
		s.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return nil, fmt.Errorf("binding: %w", ctx.Err())
		}
	}
}

// bind makes the bind that others wait for.
func (s *smpp) bind() {
	ctx, cancel := context.WithTimeout(context.Background(), bindTime)
	defer cancel()
	var link *smppLink
	said := newTape(s.password)
	said.note("connecting to %s", s.c.Address)
	conn, err := s.dial(ctx)
	if err == nil {
		said.note("connected to %s", conn.RemoteAddr())
		if c, ok := conn.(*tls.Conn); ok {
			said.note("%s", secured(c.ConnectionState()))
		}
		said.say(SaidClient, fmt.Sprintf("bind_transceiver system_id=%q password=*** system_type=%q interface_version=3.4", s.c.SystemID, s.c.SystemType))
		req := pdu.NewBindRequest(pdu.Transceiver)
		req.SystemID, req.Password, req.SystemType = s.c.SystemID, s.password, s.c.SystemType
		if link, err = bindLink(conn, req, s.c.Window, s.c.EnquireLink, s.heard); err == nil {
			said.say(SaidServer, "bind_transceiver_resp "+statusText(data.ESME_ROK))
		}
	}
	if refusal := (*bindRefused)(nil); errors.As(err, &refusal) {
		said.say(SaidServer, "bind_transceiver_resp "+statusText(refusal.status))
	} else {
		said.refused(err)
	}
	s.mu.Lock()
	s.said = said.all()
	for i := range s.said {
		s.said[i].At += said.began.UnixMilli()
	}
	if err != nil {
		s.pause = min(max(2*s.pause, firstPause), longestPause)
		s.failed, s.again = err, time.Now().Add(s.pause)
		s.log.Warn("a text message centre cannot be bound", "provider", s.c.Name, "error", scrub(err.Error(), ""))
	} else {
		s.pause, s.failed, s.again = 0, nil, time.Time{}
		s.log.Info("a text message centre is bound", "provider", s.c.Name)
	}
	close(s.binding)
	s.binding = nil
	late := s.closed && link != nil
	if !late {
		s.link = link
	}
	s.mu.Unlock()
	if late {
		link.Close()
	}
}

// keep keeps the bind alive until the context ends: receipts come over it
// whether anything is sent or not.
func (s *smpp) keep(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := s.bound(ctx)
		if err != nil {
			s.mu.Lock()
			wait := max(time.Until(s.again), 10*time.Millisecond)
			s.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.dead:
		}
	}
}

// Close unbinds; nothing is sent any more.
func (s *smpp) Close() {
	s.mu.Lock()
	s.closed = true
	l := s.link
	s.link = nil
	s.mu.Unlock()
	if l != nil {
		l.Close()
	}
	s.binds.Wait()
}

// unbind ends the bind; the next message makes another one.
func (s *smpp) unbind() {
	s.mu.Lock()
	l := s.link
	s.link = nil
	s.mu.Unlock()
	if l != nil {
		l.Close()
	}
}

// Send hands the message over; the id is the first part's.
func (s *smpp) Send(ctx context.Context, m Outgoing) (string, error) {
	ids, err := s.SendParts(ctx, m)
	if len(ids) == 0 || err != nil {
		return "", err
	}
	return ids[0], nil
}

// SendParts hands over all parts, one after another, and returns the ids of
// those that were taken: all, unless it fails.
func (s *smpp) SendParts(ctx context.Context, m Outgoing) (ids []string, err error) {
	parts, err := s.compose(m)
	if err != nil {
		return nil, &Failure{Permanent: true, Detail: "smpp", Cause: err}
	}
	for _, p := range parts {
		id, err := s.submit(ctx, p)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (s *smpp) submit(ctx context.Context, p *pdu.SubmitSM) (string, error) {
	for try := 0; ; try++ {
		link, err := s.bound(ctx)
		t := taped(ctx)
		s.tellBind(t, try)
		if err != nil {
			return "", &Failure{Unsent: true, Detail: "smpp", Cause: err}
		}
		t.submit(p)
		a, err := link.submit(ctx, p)
		t.submitted(a, err)
		unsent := (*notSent)(nil)
		switch {
		case err == nil:
			return judgeStatus(a)
		case !errors.As(err, &unsent):
			return "", &Failure{Unknown: true, Detail: "smpp: no answer", Cause: err}
		case try > 0 || ctx.Err() != nil:
			return "", &Failure{Unsent: true, Detail: "smpp", Cause: err}
		}
		// The bind had ended before anything left: once more on a fresh one.
	}
}

// tellBind tells a tape how the bind came to be, which may be long ago.
func (s *smpp) tellBind(t *tape, try int) {
	if t == nil || try > 0 {
		return
	}
	s.mu.Lock()
	said := slices.Clone(s.said)
	s.mu.Unlock()
	if len(said) > 0 {
		if at := time.UnixMilli(said[0].At).UTC(); at.Before(t.began) {
			t.note("bind of %s", at.Format(time.RFC3339))
		}
	}
	for _, l := range said {
		t.say(l.From, l.Text)
	}
}

func (t *tape) submit(p *pdu.SubmitSM) {
	if t == nil {
		return
	}
	text, err := p.Message.GetMessage()
	if err != nil {
		text = "?"
	}
	t.say(SaidClient, fmt.Sprintf("submit_sm source=%q ton=%d npi=%d destination=%q ton=%d npi=%d esm_class=0x%02X data_coding=0x%02X registered_delivery=%d short_message=%q",
		p.SourceAddr.Address(), p.SourceAddr.Ton(), p.SourceAddr.Npi(), p.DestAddr.Address(), p.DestAddr.Ton(), p.DestAddr.Npi(), p.EsmClass, p.Message.Encoding().DataCoding(), p.RegisteredDelivery, text))
}

func (t *tape) submitted(a answered, err error) {
	switch res, ok := a.body.(*pdu.SubmitSMResp); {
	case t == nil:
	case err != nil:
		t.refused(err)
	case ok:
		t.say(SaidServer, fmt.Sprintf("submit_sm_resp %s message_id=%q", statusText(a.status), res.MessageID))
	default:
		t.say(SaidServer, "submit_sm_resp "+statusText(a.status))
	}
}

// reference is the message's client reference, the same at every repeat. The
// protocol has 16 bits for it.
func reference(id string) uint16 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return uint16(h.Sum32()>>16) ^ uint16(h.Sum32())
}

// compose are the requests of a message.
func (s *smpp) compose(m Outgoing) ([]*pdu.SubmitSM, error) {
	to, err := pdu.NewAddressWithTonNpiAddr(1, 1, strings.TrimPrefix(m.To, "+"))
	if err != nil {
		return nil, errors.New("the number is too long")
	}
	coding, texts := segments(m.Text)
	if len(texts) > maxParts {
		return nil, errors.New("the text is too long")
	}
	ref := reference(m.ID)
	var all []*pdu.SubmitSM
	for i, text := range texts {
		p, ok := pdu.NewSubmitSM().(*pdu.SubmitSM)
		if !ok {
			return nil, errors.New("no submit_sm")
		}
		p.SourceAddr, p.DestAddr, p.RegisteredDelivery = s.source, to, 1
		if err := p.Message.SetMessageDataWithEncoding(text, coding); err != nil {
			return nil, err
		}
		if len(texts) > 1 {
			p.EsmClass |= data.SM_UDH_GSM
			p.Message.SetUDH(pdu.UDH{pdu.NewIEConcatMessage(byte(len(texts)), byte(i+1), byte(ref))})
		}
		p.RegisterOptionalParam(pdu.Field{Tag: pdu.TagUserMessageReference, Data: []byte{byte(ref >> 8), byte(ref)}})
		all = append(all, p)
	}
	return all, nil
}

// What an answer means for the message (SMPP 3.4 section 5.1.3). What is not
// listed is the provider's trouble: the message may pass later or elsewhere.
var (
	noRecipient = []data.CommandStatusType{data.ESME_RINVDSTADR}
	notTaken    = []data.CommandStatusType{data.ESME_RINVMSGLEN, data.ESME_RINVESMCLASS, data.ESME_RINVDSTTON, data.ESME_RINVDSTNPI, data.ESME_RX_P_APPN, data.ESME_RX_R_APPN}
)

func judgeStatus(a answered) (string, error) {
	if a.status != data.ESME_ROK {
		f := &Failure{Detail: "smpp " + statusText(a.status)}
		f.Recipient = slices.Contains(noRecipient, a.status)
		f.Permanent = f.Recipient || slices.Contains(notTaken, a.status)
		return "", f
	}
	res, ok := a.body.(*pdu.SubmitSMResp)
	if !ok {
		return "", &Failure{Unknown: true, Detail: "smpp: an answer that cannot be read"}
	}
	return res.MessageID, nil
}

// statusText names a status: "0x58 ESME_RTHROTTLED".
func statusText(c data.CommandStatusType) string {
	return fmt.Sprintf("0x%02X %s", uint32(c), c)
}
