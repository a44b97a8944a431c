package attachment

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"

	"casemate/internal/blob"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/job"
	"casemate/internal/principal"
)

// States of a file towards the scanner (threats.md D7).
const (
	scanOff      = "off"      // there was no scanner
	scanWaiting  = "waiting"  // not looked into yet
	scanClean    = "clean"    // nothing found
	scanInfected = "infected" // something found
	scanFailed   = "failed"   // the scanner cannot look into it, e.g. for its size
)

const scanJob = "attachment.scan"

type scanArgs struct{ Domain, ID string }

// verdict is what a scanner said: one of the states, and what it found.
type verdict struct{ state, found string }

// scanner looks into a file. An error means that it did not answer: it is asked
// again.
type scanner interface {
	scan(ctx context.Context, r io.Reader) (verdict, error)
}

func newScanner(c config.Scan) scanner {
	switch {
	case c.Clamd != "":
		return clamd{c.Clamd}
	case len(c.Command) > 0:
		return command(c.Command)
	}
	return nil
}

// Kinds are the jobs of this package.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: scanJob, Run: s.scanOne, Timeout: s.o.Config.Scan.Timeout + 10*time.Second, MaxTries: 1 << 20,
		Backoff: func(try int) time.Duration { return min(time.Second<<min(try, 10), 5*time.Minute) }}}
}

// scanOne looks into one file. While the scanner does not answer the file
// waits.
func (s *Service) scanOne(ctx context.Context, r job.Running) error {
	var a scanArgs
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return errors.Join(job.ErrDrop, err)
	}
	var files []File
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { files, err = find(tx, a.Domain, []string{a.ID}); return err })
	if err != nil || len(files) == 0 || files[0].Scan != scanWaiting {
		return err
	}
	v, err := s.look(ctx, files[0])
	if err != nil {
		return fmt.Errorf("scanning: %w", err)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE attachments SET scan = ? WHERE domain_id = ? AND id = ? AND scan = 'waiting'", v.state, a.Domain, a.ID)
		event.Record(tx, principal.AsSystem(a.Domain), event.Event{Domain: a.Domain, Kind: "attachment.scan", Subject: "attachment", SubjectID: a.ID, LogCode: event.NoLog,
			Data: map[string]any{"state": v.state, "found": v.found}})
		return nil
	})
}

func (s *Service) look(ctx context.Context, f File) (verdict, error) {
	switch {
	case s.scanner == nil:
		return verdict{state: scanOff}, nil
	case f.Size > int64(s.o.Config.Scan.MaxMB)*config.MB:
		// Scanners call "clean" what they did not read.
		return verdict{scanFailed, "larger than the scanner's limit"}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Config.Scan.Timeout)
	defer cancel()
	in, err := s.blobs.Open(ctx, f.blob, 0, -1)
	if errors.Is(err, blob.ErrNone) {
		return verdict{scanFailed, "the bytes are gone"}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	defer in.Close()
	return s.scanner.scan(ctx, in)
}

// clamd talks to ClamAV's daemon: INSTREAM, chunks with their length in front.
type clamd struct{ address string }

func (c clamd) scan(ctx context.Context, r io.Reader) (verdict, error) {
	network := "tcp"
	if strings.HasPrefix(c.address, "/") {
		network = "unix"
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, c.address)
	if err != nil {
		return verdict{}, err
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(end)
	}
	sent := c.send(conn, r)
	// It answers before the end when the stream is over its limit, and hangs up.
	line, err := bufio.NewReaderSize(conn, 4096).ReadString(0)
	answer := strings.TrimSpace(strings.TrimPrefix(strings.TrimRight(line, "\x00\n"), "stream:"))
	switch found, ok := strings.CutSuffix(answer, " FOUND"); {
	case ok:
		return verdict{scanInfected, found}, nil
	case answer == "OK" && sent == nil:
		return verdict{state: scanClean}, nil
	case strings.Contains(answer, "size limit exceeded"):
		return verdict{scanFailed, answer}, nil
	}
	return verdict{}, errors.Join(fmt.Errorf("clamd answers %q", answer), sent, err)
}

func (c clamd) send(conn io.Writer, r io.Reader) error {
	if _, err := io.WriteString(conn, "zINSTREAM\x00"); err != nil {
		return err
	}
	chunk := make([]byte, 4+64<<10)
	for {
		n, err := r.Read(chunk[4:])
		if n > 0 {
			binary.BigEndian.PutUint32(chunk, uint32(n))
			if _, err := conn.Write(chunk[:4+n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			_, err := conn.Write([]byte{0, 0, 0, 0})
			return err
		}
		if err != nil {
			return err
		}
	}
}

// command runs a program of the operator's with the file on its standard input:
// exit status 0 is clean, 1 infected, as clamdscan does; any other is no answer.
type command []string

func (c command) scan(ctx context.Context, r io.Reader) (verdict, error) {
	cmd := exec.CommandContext(ctx, c[0], c[1:]...)
	cmd.Stdin = r
	cmd.WaitDelay = time.Second
	var out limited
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return verdict{state: scanClean}, nil
	case ctx.Err() == nil && errors.As(err, &exit) && exit.ExitCode() == 1:
		return verdict{scanInfected, strings.TrimSpace(string(out))}, nil
	}
	return verdict{}, fmt.Errorf("%s: %w: %s", c[0], err, out)
}

// limited keeps the beginning of what is written.
type limited []byte

func (l *limited) Write(p []byte) (int, error) {
	const most = 500
	*l = append(*l, p[:min(len(p), most-len(*l))]...)
	return len(p), nil
}
