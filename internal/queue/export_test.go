package queue

// Mentions is for the table of what names somebody.
func Mentions(text string) []string { return mentions(text) }

// Interrupt ends runs of macros, bulk runs and rules at a place with an error; nil ends none.
func (s *Service) Interrupt(f func(at string) error) { s.interrupt = f }
