package db

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// ids makes rising ids: keys that rise with time keep the trees of the store
// compact (random ones touch a new page each).
type ids struct {
	now  func() time.Time
	rand io.Reader
	mu   sync.Mutex
	last [16]byte
}

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// next is 48 bits of milliseconds and 80 random bits. Within one millisecond,
// or when the clock steps back, the last id is counted up, so a node's ids
// rise strictly.
func (g *ids) next() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	ms := uint64(g.now().UnixMilli())
	var b [16]byte
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	if string(b[:6]) <= string(g.last[:6]) {
		b = g.last
		// A random step keeps the next id from being guessed from this one.
		var step [5]byte
		g.read(step[:])
		carry := 1
		for i := 15; i >= 0; i-- {
			add := carry
			if i >= 11 {
				add += int(step[i-11])
			}
			sum := int(b[i]) + add
			b[i], carry = byte(sum), sum>>8
		}
	} else {
		g.read(b[6:])
		b[6] &= 0x7f // room to count up
	}
	g.last = b
	return encode(b)
}

// IDAt is the least id that NewID gives at an instant, milliseconds UTC on the
// installation's clock.
func IDAt(ms int64) string {
	var b [16]byte
	for i := range 6 {
		b[i] = byte(uint64(max(ms, 0)) >> (40 - 8*i))
	}
	return encode(b)
}

func (g *ids) read(p []byte) {
	if _, err := io.ReadFull(g.rand, p); err != nil {
		panic(fmt.Errorf("db: source of randomness: %w", err))
	}
}

// encode writes 128 bits as 26 characters, the first holding 3 bits.
func encode(b [16]byte) string {
	var out [26]byte
	var acc uint64
	bits := 2 // 26*5 = 130: two leading zero bits
	at := 0
	for _, x := range b {
		acc = acc<<8 | uint64(x)
		bits += 8
		for bits >= 5 {
			bits -= 5
			out[at] = crockford[acc>>bits&31]
			at++
		}
	}
	return string(out[:])
}
