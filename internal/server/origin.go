package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"casemate/internal/seal"
)

// Addresses of clients, and names in a person's own words, stand in the history
// sealed with the key of who came from there and gave them: erasing him makes them
// unreadable and leaves the chain as it is.

// sealedAddress is how such an address begins (seal.Person).
const sealedAddress = "p1."

// addressWait bounds the look for a key that is not at hand: authentication has
// made it so for whoever calls.
const addressWait = time.Second

func addressPlace(event string) seal.Place {
	return seal.Place{Table: "events", Column: "address", Row: event}
}

func (s *Server) sealAddress(person, event, address string) string {
	ctx, cancel := context.WithTimeout(context.Background(), addressWait)
	defer cancel()
	key, err := s.keys.Person(ctx, person)
	if err == nil {
		var sealed string
		if sealed, err = key.Seal(addressPlace(event), address); err == nil {
			return sealed
		}
	}
	if !errors.Is(err, seal.ErrErased) {
		s.o.Log.Error("an address or a name is left out of the history: the key of its person is not there", "place", event, "error", err)
	}
	return ""
}

// openAddress opens what sealAddress made; older events have addresses in clear.
func (s *Server) openAddress(person, event, sealed string) (string, error) {
	if !strings.HasPrefix(sealed, sealedAddress) {
		return sealed, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), addressWait)
	defer cancel()
	key, err := s.keys.Person(ctx, person)
	if errors.Is(err, seal.ErrErased) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return key.Open(addressPlace(event), sealed)
}

// warm has a caller's key at hand before his request writes.
func (s *Server) warm(ctx context.Context, user string) {
	if user != "" {
		_, _ = s.keys.Person(ctx, user) // who needs it is told what is wrong
	}
}
