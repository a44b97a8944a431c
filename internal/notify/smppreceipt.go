package notify

import (
	"context"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/linxGnu/gosmpp/data"
	"github.com/linxGnu/gosmpp/pdu"
)

// A receipt may come before the message's row tells the id: so long it is
// asked again whether it is known.
var receiptRetries = []time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second, 3 * time.Second}

// heard keeps a receipt. False tells the centre to send it again; what is no
// receipt (a customer's text message), or not known, is taken and forgotten.
func (s *smpp) heard(p *pdu.DeliverSM) bool {
	r, ok := s.readReceipt(p)
	if !ok || s.receive == nil {
		return true
	}
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		known, err := s.receive(ctx, r)
		cancel()
		if err != nil {
			s.log.Warn("a receipt could not be kept", "provider", s.c.Name, "error", err)
			return false
		}
		if known || try == len(receiptRetries) {
			return true
		}
		time.Sleep(receiptRetries[try])
	}
}

// The fields of a receipt's text (SMPP 3.4 appendix B, which leaves them to
// each centre).
var (
	receiptID    = regexp.MustCompile(`(?i)\bid:\s*([^\s]{1,64})`)
	receiptState = regexp.MustCompile(`(?i)\bstat:\s*([A-Z]{1,12})`)
	receiptError = regexp.MustCompile(`(?i)\berr:\s*([0-9A-Z:]{1,12})`)
)

// messageStates are the values of message_state (section 5.2.28) as a
// receipt's text has them.
var messageStates = map[byte]string{1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD"}

// readReceipt reads a delivery receipt: its optional parameters go before its
// text. Not ok: it is none, or tells nothing final.
func (s *smpp) readReceipt(p *pdu.DeliverSM) (Receipt, bool) {
	const kind, receipt = 0x3c, 0x04 // section 5.2.12: message type
	if p.EsmClass&kind != receipt {
		return Receipt{}, false
	}
	text := receiptText(p)
	find := func(r *regexp.Regexp) string {
		if m := r.FindStringSubmatch(text); m != nil {
			return m[1]
		}
		return ""
	}
	id, state, code := find(receiptID), strings.ToUpper(find(receiptState)), find(receiptError)
	if f, ok := p.OptionalParameters[pdu.TagReceiptedMessageID]; ok && f.String() != "" {
		id = f.String()
	}
	if f, ok := p.OptionalParameters[pdu.TagMessageStateOption]; ok && len(f.Data) == 1 && messageStates[f.Data[0]] != "" {
		state = messageStates[f.Data[0]]
	}
	if f, ok := p.OptionalParameters[pdu.TagNetworkErrorCode]; ok && code == "" && len(f.Data) == 3 {
		code = number3(binary.BigEndian.Uint16(f.Data[1:]))
	}
	r := Receipt{Provider: s.c.Name, ProviderID: id, Detail: "smpp " + state}
	if code != "" {
		r.Detail += " err:" + code
	}
	switch state {
	case "DELIVRD":
		r.Delivered = true
	case "EXPIRED", "DELETED", "UNDELIV", "REJECTD":
		r.Recipient = code != "" && slices.Contains(s.c.Recipient, code)
	default: // under way, or the centre does not know
		return r, false
	}
	return r, id != ""
}

// number3 is an error code as receipts' texts write it: 001.
func number3(n uint16) string {
	digits := []byte{'0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)}
	return string(digits)
}

// receiptText is the text: ASCII in most codings, or UCS-2.
func receiptText(p *pdu.DeliverSM) string {
	raw, _ := p.Message.GetMessageData() // never fails
	if f, ok := p.OptionalParameters[pdu.TagMessagePayload]; ok && len(raw) == 0 {
		raw = f.Data
	}
	if e := p.Message.Encoding(); e != nil && e.DataCoding() == data.UCS2Coding && len(raw)%2 == 0 {
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(raw[2*i:])
		}
		return string(utf16.Decode(units))
	}
	return string(raw)
}
