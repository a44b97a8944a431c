package queue

// Interrupt ends runs of macros, bulk runs and rules at a place with an error; nil ends none.
func (s *Service) Interrupt(f func(at string) error) { s.interrupt = f }
