package event

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
)

// A checkpoint is a statement signed with a key outside the database: the events
// from the first to this number have this digest. Unlike links and anchors,
// which are made with a secret, it can be checked by whoever has the events and
// the public key, without the installation; and who has the chain's secret but
// not the signing key cannot write history anew behind it.
const (
	digestLabel     = "casemate digest 1"
	checkpointLabel = "casemate checkpoint 1"
)

// digest is the digest of the events up to r, "" being that of none. It covers
// everything that is stored of an event, its link too.
func digest(before string, r Row) string {
	m := mac{sha256.New()}
	m.text(digestLabel)
	m.row(before, r)
	m.text(r.Hash)
	return m.sum()
}

// Checkpoint is such a statement.
type Checkpoint struct {
	Seq       int64
	Digest    string // base64url of 32 bytes
	At        int64  // milliseconds UTC
	Key       string // KeyID of the key that signed it
	Signature string // base64url of an Ed25519 signature
}

func (c Checkpoint) message() []byte {
	var b bytes.Buffer
	m := mac{writer{&b}}
	m.text(checkpointLabel)
	m.number(c.Seq)
	m.text(c.Digest)
	m.number(c.At)
	return b.Bytes()
}

// writer makes a buffer of what is written for a hash.
type writer struct{ *bytes.Buffer }

func (writer) Sum([]byte) []byte { return nil }
func (writer) Size() int         { return 0 }
func (writer) BlockSize() int    { return 1 }

// String is the checkpoint as a line of a file, without its end.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%d %s %d %s %s", c.Seq, c.Digest, c.At, c.Key, c.Signature)
}

func (c Checkpoint) genuine(public ed25519.PublicKey) bool {
	sig, err := base64.RawURLEncoding.Strict().DecodeString(c.Signature)
	return err == nil && c.Seq > 0 && c.Key == KeyID(public) && ed25519.Verify(public, c.message(), sig)
}

func parseCheckpoint(line string) (c Checkpoint, err error) {
	var rest string
	n, err := fmt.Sscanf(line, "%d %s %d %s %s %s", &c.Seq, &c.Digest, &c.At, &c.Key, &c.Signature, &rest)
	if n == 5 && c.Seq > 0 && strings.TrimRight(line, "\r\n") == c.String() {
		return c, nil
	}
	return Checkpoint{}, fmt.Errorf("not a checkpoint: %w", err)
}

// Signer signs checkpoints.
type Signer struct{ private ed25519.PrivateKey }

// NewSigner makes a signer of a secret of 32 bytes, which must not be in the
// database.
func NewSigner(seed []byte) Signer { return Signer{ed25519.NewKeyFromSeed(seed)} }

// Public is the key that checks what it signed.
func (s Signer) Public() ed25519.PublicKey { return s.private.Public().(ed25519.PublicKey) }

func (s Signer) sign(c Checkpoint) Checkpoint {
	c.Key = KeyID(s.Public())
	c.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(s.private, c.message()))
	return c
}

// KeyID tells public keys apart: 16 hexadecimal digits.
func KeyID(public ed25519.PublicKey) string {
	h := sha256.Sum256(public)
	return hex.EncodeToString(h[:8])
}

// PEM is a public key as other programs read it (PKIX).
func PEM(public ed25519.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err) // an Ed25519 key can always be written
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// ParsePEM reads what PEM wrote.
func ParsePEM(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("event: no PEM block of a public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("event: public key: %w", err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("event: not an Ed25519 public key")
	}
	return public, nil
}

// When checkpoints are written.
const (
	CheckpointEvery  = time.Hour
	CheckpointEvents = 1000
)

// Checkpointer writes checkpoints to a file of its node, one line each.
type Checkpointer struct {
	db     *db.DB
	key    []byte // of the chain
	signer Signer
	path   string
	log    *slog.Logger

	mu   sync.Mutex
	last Checkpoint // newest genuine one in the file
	hash string     // link of the event there
	read bool
}

// NewCheckpointer makes one. The file need not exist; its folder must. No server
// that works on many nodes needs more than a file for each.
func NewCheckpointer(d *db.DB, key []byte, signer Signer, path string, log *slog.Logger) *Checkpointer {
	return &Checkpointer{db: d, key: key, signer: signer, path: path, log: log}
}

// Due writes a checkpoint when CheckpointEvents events came since the last one,
// or CheckpointEvery has passed and at least one came.
func (c *Checkpointer) Due(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return err
	}
	var head int64
	if err := c.db.View(ctx, func(tx *db.Tx) (err error) { head, err = Head(tx, ""); return err }); err != nil {
		return err
	}
	waited := c.db.Now().UnixMilli() - c.last.At
	if head == c.last.Seq || head < c.last.Seq+CheckpointEvents && waited >= 0 && waited < CheckpointEvery.Milliseconds() {
		return nil
	}
	_, err := c.write(ctx)
	return err
}

// Write writes a checkpoint of all that is sealed now, unless the newest one
// says the same already, and answers it; number 0 = no event is sealed. It
// signs nothing when the chain does not hold since the last one.
func (c *Checkpointer) Write(ctx context.Context) (Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return Checkpoint{}, err
	}
	return c.write(ctx)
}

// load reads the newest genuine checkpoint of the file. What is not genuine is
// left for Verify to find; then all is read from the first event.
func (c *Checkpointer) load() error {
	if c.read {
		return nil
	}
	found, err := readCheckpoints(c.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, p := range found {
		if p.genuine(c.signer.Public()) && p.Seq > c.last.Seq {
			c.last = p
		}
	}
	c.read = true
	return nil
}

func (c *Checkpointer) write(ctx context.Context) (Checkpoint, error) {
	next := c.last
	before, known := c.hash, c.hash != "" || next.Seq == 0
	const chunk = 1000
	for more := true; more; {
		err := c.db.View(ctx, func(tx *db.Tx) error {
			seq, sum, link0, known0 := next.Seq, next.Digest, before, known // a view may run again
			rows, err := list(tx, "SELECT "+columns+" FROM events WHERE seq >= ? AND seq > 0 ORDER BY seq, domain_id, id LIMIT ? /* all domains: the chain */", seq, chunk)
			if err != nil {
				return err
			}
			n := 0
			for _, r := range rows {
				if r.Seq == seq && !known0 {
					link0, known0 = r.Hash, true // the event the last checkpoint ends with
					continue
				}
				if r.Seq == seq && r.Hash == link0 {
					continue
				}
				if r.Seq != seq+1 || link(c.key, link0, r) != r.Hash {
					return fmt.Errorf("event: the chain does not hold at number %d: no checkpoint was signed; casemate audit verify tells more", seq+1)
				}
				sum, link0, seq = digest(sum, r), r.Hash, r.Seq
				n++
			}
			next.Seq, next.Digest, next.At, before, known, more = seq, sum, tx.Now, link0, known0, len(rows) == chunk && n > 0
			return nil
		})
		if err != nil {
			return Checkpoint{}, err
		}
	}
	if next.Seq == c.last.Seq {
		return c.last, nil
	}
	next = c.signer.sign(next)
	if err := appendLine(c.path, next.String()+"\n"); err != nil {
		return Checkpoint{}, err
	}
	c.last, c.hash = next, before
	c.log.Info("events checkpointed", "seq", next.Seq, "digest", next.Digest, "at", next.At, "key", next.Key, "signature", next.Signature)
	return next, nil
}

// appendLine adds a line to a file and syncs it; half a line that a crash left is
// ended first.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("event checkpoints: %w", err)
	}
	if end, err := f.Seek(-1, io.SeekEnd); err == nil {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, end); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	_, err = f.WriteString(line)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("event checkpoints: %w", err)
	}
	return nil
}

// readCheckpoints reads a file of checkpoints. Lines that are none come back with
// number 0; half a line at the end is a crash's and left out.
func readCheckpoints(path string) (found []Checkpoint, err error) {
	whole, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("event checkpoints: %w", err)
	}
	return parseCheckpoints(string(whole)), nil
}

func parseCheckpoints(text string) (found []Checkpoint) {
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		c, err := parseCheckpoint(line)
		if err != nil {
			c = Checkpoint{}
		}
		found = append(found, c)
	}
	return found
}

// exported is an event in an export of the chain: everything the digest covers,
// the data as the text it is stored as.
type exported struct {
	Seq       int64  `json:"seq"`
	DomainSeq int64  `json:"domain_seq"`
	Domain    string `json:"domain"`
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Subject   string `json:"subject"`
	SubjectID string `json:"subject_id"`
	Revision  int64  `json:"revision"`
	LogCode   int    `json:"log_code"`
	ActorKind uint8  `json:"actor_kind"`
	Actor     string `json:"actor"`
	Address   string `json:"address"`
	RequestID string `json:"request_id"`
	At        int64  `json:"at"`
	Data      string `json:"data"`
	Hash      string `json:"hash"`
}

// Export writes all sealed events, one line of JSON each, in the order of their
// numbers, and tells how many. With the file of checkpoints and the public key
// that is all CheckExport needs.
func Export(ctx context.Context, d *db.DB, w io.Writer) (n int64, err error) {
	const chunk = 1000
	last := int64(0)
	for more := true; more; {
		var rows []Row
		err := d.View(ctx, func(tx *db.Tx) (err error) {
			rows, err = list(tx, "SELECT "+columns+" FROM events WHERE seq > ? ORDER BY seq, domain_id, id LIMIT ? /* all domains: the chain */", last, chunk)
			return err
		})
		if err != nil {
			return n, err
		}
		for _, r := range rows {
			line, err := json.Marshal(exported{r.Seq, r.DomainSeq, r.Domain, r.ID, r.Kind, r.Subject, r.SubjectID, r.Revision, r.LogCode, uint8(r.ActorKind),
				r.Actor, r.Address, r.RequestID, r.At, string(r.Data), r.Hash})
			if err != nil {
				return n, err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return n, err
			}
			n++
			last = r.Seq
		}
		more = len(rows) == chunk
	}
	return n, nil
}
