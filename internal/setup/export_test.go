package setup

import "casemate/internal/db"

// Interrupt ends the transaction of Apply at its end; nil = no more.
func (s *Service) Interrupt(f func() error) {
	s.interrupt = nil
	if f != nil {
		s.interrupt = func(*db.Tx) error { return f() }
	}
}

// Before runs f when all is ready, before the transaction of Apply; nil = no more.
func (s *Service) Before(f func()) { s.readied = f }

// Behind runs f at the end of the transaction of Apply, in it; nil = no more.
func (s *Service) Behind(f func(tx *db.Tx) error) { s.interrupt = f }
