package setup

// Interrupt ends the transaction of Apply at its end; nil = no more.
func (s *Service) Interrupt(f func() error) { s.interrupt = f }
