package server

import (
	"slices"

	"casemate/internal/attachment"
	"casemate/internal/authorization"
	"casemate/internal/diagnose"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// openPrivacy puts together what the nouns hold about people. The account goes
// last: until then its rows can be found by it.
func (s *Server) openPrivacy() {
	s.privacy = privacy.New(s.db, s.keys, privacy.Nouns{
		Identity: s.ident, Tickets: s.ticket, Attachments: s.files,
		Rules: slices.Concat(notify.Personal(), verify.Personal(), attachment.Personal(), authorization.Personal(), diagnose.Personal(), queue.Personal(), mailin.Personal(),
			knowledge.Personal(), ticket.Personal(), identity.Personal()),
		Aged:   slices.Concat(notify.Aged(), verify.Aged(), attachment.Aged(), authorization.Aged(), mailin.Aged(), ticket.Aged(), identity.Aged()),
		Hashes: []func(string) []string{s.notify.SubjectOf, s.mail.SubjectOf},
	}, s.o.Log)
	s.runner.Add(s.privacy.Kinds()...)
	s.runner.Every(s.privacy.Periodic()...)
}
