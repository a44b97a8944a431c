package mailin

// Read is what a mail says, for tests.
type Read struct {
	From, Subject, Text, Reply string
	Files                      []string
	Bytes                      int
}

// ReadRaw reads a mail.
func ReadRaw(raw []byte) Read {
	m := readMail(raw)
	r := Read{From: m.From, Subject: m.Subject, Text: m.Text}
	r.Reply, _ = trimmed(m.Text)
	for _, f := range m.Files {
		r.Files = append(r.Files, f.Name)
		r.Bytes += len(f.Data)
	}
	return r
}
