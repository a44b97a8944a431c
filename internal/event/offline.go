package event

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"casemate/internal/principal"
)

// maxExportLine bounds a line of an export.
const maxExportLine = 8 << 20

// CheckExport holds an export of the chain against checkpoints with nothing but
// the public key: each genuine checkpoint's digest is that of the events up to
// its number. What stands behind the newest checkpoint is counted as Unsealed:
// nobody has signed it. An error means that it could not read, not that
// something is wrong.
func CheckExport(public ed25519.PublicKey, export io.Reader, checkpoints ...io.Reader) (Report, error) {
	var v verifier
	for i, r := range checkpoints {
		text, err := io.ReadAll(r)
		if err != nil {
			return Report{}, err
		}
		v.addCheckpoints(public, fmt.Sprintf("checkpoint file %d", i+1), parseCheckpoints(string(text)))
	}
	if len(v.checkpoints) == 0 && v.report.Damages == 0 {
		return Report{}, errors.New("event: there is no checkpoint to check against")
	}
	v.sortCheckpoints()
	in := bufio.NewScanner(export)
	in.Buffer(make([]byte, 1<<16), maxExportLine)
	for in.Scan() {
		if err := v.exported(in.Bytes()); err != nil {
			v.bad(Break{Seq: v.report.Last + 1, Damage: Changed, Why: "a line of the export is no event as one was exported: " + err.Error()})
			continue
		}
	}
	if err := in.Err(); err != nil {
		return v.report, err
	}
	v.missing()
	v.report.Unsealed = v.report.Last - v.signed
	v.report.Unsealed = max(v.report.Unsealed, 0)
	slices.SortStableFunc(v.report.Broken, func(a, b Break) int { return cmp.Compare(a.place(), b.place()) })
	return v.report, nil
}

// exported takes the next line of an export.
func (v *verifier) exported(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	var e exported
	if err := d.Decode(&e); err != nil {
		return err
	}
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, line) {
		return errors.New("it is written in another way")
	}
	v.report.Events++
	r := Row{Domain: e.Domain, ID: e.ID, Kind: e.Kind, Subject: e.Subject, SubjectID: e.SubjectID, Revision: e.Revision, LogCode: e.LogCode,
		ActorKind: principal.Kind(e.ActorKind), Actor: e.Actor, Address: e.Address, RequestID: e.RequestID, At: e.At, Data: json.RawMessage(e.Data),
		Seq: e.Seq, DomainSeq: e.DomainSeq, Hash: e.Hash}
	if want := v.report.Last + 1; r.Seq != want {
		damage, why := Removed, fmt.Sprintf("after number %d comes number %d", want-1, r.Seq)
		if r.Seq < want {
			damage = Inserted
		}
		v.bad(Break{Seq: min(want, r.Seq), Damage: damage, Domain: r.Domain, ID: r.ID, Why: why})
		if r.Seq < want {
			return nil
		}
	}
	v.report.Last = r.Seq
	v.signedUpTo(r)
	return nil
}

func (v *verifier) addCheckpoints(public ed25519.PublicKey, path string, found []Checkpoint) {
	for i, c := range found {
		if !c.genuine(public) {
			v.bad(Break{Seq: c.Seq, Damage: Forged, Why: fmt.Sprintf("line %d of %s is not a genuine checkpoint", i+1, path)})
			continue
		}
		v.checkpoints = append(v.checkpoints, c)
	}
}

func (v *verifier) sortCheckpoints() {
	slices.SortFunc(v.checkpoints, func(a, b Checkpoint) int { return cmp.Compare(a.Seq, b.Seq) })
	v.report.Checkpoints = len(v.checkpoints)
}

// signedUpTo takes an event into the digest and holds it against the checkpoints
// of its number. Where they differ, what is signed counts from there on, so that
// each stretch between two checkpoints is judged by itself.
func (v *verifier) signedUpTo(r Row) {
	v.compare(r.Seq - 1) // of numbers that are missing
	v.digest, v.folded = digest(v.digest, r), r.Seq
	v.compare(r.Seq)
}

func (v *verifier) compare(upTo int64) {
	for len(v.checkpoints) > 0 && v.checkpoints[0].Seq <= upTo {
		c := v.checkpoints[0]
		v.checkpoints = v.checkpoints[1:]
		if c.Seq != v.folded || c.Digest != v.digest {
			v.bad(Break{Seq: c.Seq, Damage: Unsigned, Why: fmt.Sprintf("the events from number %d to this one are not those that were signed", v.signed+1)})
			v.digest = c.Digest
		}
		v.signed = c.Seq
	}
}

// missing tells of checkpoints behind the end.
func (v *verifier) missing() {
	if len(v.checkpoints) == 0 {
		return
	}
	c := v.checkpoints[len(v.checkpoints)-1]
	v.bad(Break{Seq: v.report.Last + 1, Damage: Cut, Why: fmt.Sprintf("the chain ends before this, a checkpoint says number %d", c.Seq)})
}
