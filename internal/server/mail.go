package server

import "casemate/internal/mailin"

// openGate builds how mails come in. A tool leaves it out: it serves nobody, and
// must not need the secrets of mailboxes.
func (s *Server) openGate(node string) (err error) {
	o := mailin.GateOptions{Node: node, Alone: s.o.Database == "", Log: s.o.Log}
	if !s.o.tool {
		o.Config = s.o.Config.MailIn
	}
	s.gate, err = mailin.NewGate(s.db, s.keys, s.mail, o)
	return err
}
