// Package archive writes and reads the files of a backup: a tar with a manifest
// first and a proof over all entries last, as it is or encrypted with age
// (age-encryption.org/v1). It streams both ways and knows nothing of what the
// entries are.
package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"filippo.io/age"

	"casemate/internal/fault"
)

// Manifest is the first entry of an archive.
type Manifest struct {
	Format string            `json:"format"`
	Made   time.Time         `json:"made"`
	SHA256 map[string]string `json:"sha256"`           // of the entries that are files
	Store  string            `json:"store,omitempty"`  // the engine it was copied from, "" = SQLite
	Tables map[string]Table  `json:"tables,omitempty"` // what each table of the data held
	Apart  bool              `json:"apart,omitempty"`  // attachments' bytes are not in it: they stay in their object store
}

// Table is what a table held when it was copied.
type Table struct {
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256,omitempty"` // over all rows (db.TableSync), "" = not worked out
}

// Formats of archives. Of the older ones, which had no proof at the end, any can
// still be read.
const (
	Data    = "casemate-backup-2"
	Keys    = "casemate-keys-2"
	dataOld = "casemate-backup-1"
	keysOld = "casemate-keys-1"
)

const (
	manifestName = "manifest.json"
	endName      = "end.json"
	ageIntro     = "age-encryption.org/"
)

// What is wrong with an archive.
var (
	errNone    = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不是 Casemate 的备份", "{file} is no backup of Casemate")
	errNotData = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不是数据备份：--from 为数据备份，--keys-from 为密钥备份", "{file} is no backup of the data: --from is that of the data, --keys-from that of the keys")
	errNotKeys = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不是密钥备份：--from 为数据备份，--keys-from 为密钥备份", "{file} is no backup of the keys: --from is that of the data, --keys-from that of the keys")
	errTar     = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 已损坏或不完整：{why}", "{file} is damaged or cut off: {why}")
	errCutOff  = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不完整：缺少结尾", "{file} is cut off: its end is missing")
	errChanged = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 的内容与结尾处的校验值不符：文件被更改过", "{file} is not what its end says: it was changed")
	errSealed  = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 已加密：请用 --identity 给出身份文件", "{file} is encrypted: give the identity file with --identity")
	errForeign = fault.New(fault.Invalid, fault.CodeInvalid, "所给身份打不开 {file}：它是为其他接收方加密的", "no given identity opens {file}: it was encrypted for other recipients")
	errHeader  = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 的加密头已损坏：{why}", "the head of the encrypted {file} is damaged: {why}")
	errBytes   = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不完整或被更改过：第 {at} 字节之后的加密校验不符", "{file} is cut off or was changed: the encryption's check fails after byte {at}")
)

// end is the last entry: what must have been read before it.
type end struct {
	Entries int64  `json:"entries"`
	SHA256  string `json:"sha256"` // over name, size and hash of each entry
}

// proof is a running hash over entries.
type proof struct {
	entries int64
	all     hash.Hash
}

func (p *proof) add(name string, size int64, content []byte) {
	fmt.Fprintf(p.all, "%s\x00%d\x00%x\n", name, size, content)
	p.entries++
}

func (p *proof) end() end {
	return end{p.entries, hex.EncodeToString(p.all.Sum(nil))}
}

// Writer writes an archive.
type Writer struct {
	tar   *tar.Writer
	seal  io.WriteCloser // nil = not encrypted
	proof proof
	made  time.Time
}

// Create begins an archive, encrypted when there are recipients. Nothing of it
// passes for an archive before Close has ended without an error.
func Create(w io.Writer, recipients []age.Recipient, m Manifest) (*Writer, error) {
	a := &Writer{made: m.Made, proof: proof{all: sha256.New()}}
	if len(recipients) > 0 {
		var err error
		if a.seal, err = age.Encrypt(w, recipients...); err != nil {
			return nil, err
		}
		w = a.seal
	}
	a.tar = tar.NewWriter(w)
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return a, a.Add(manifestName, int64(len(text)), bytes.NewReader(text))
}

// ErrSize tells that an entry has not the bytes it was announced with.
var ErrSize = errors.New("archive: another size than announced")

// Add writes an entry of so many bytes; r must have exactly these, else ErrSize.
func (a *Writer) Add(name string, size int64, r io.Reader) error {
	h := sha256.New()
	if err := a.add(name, size, io.TeeReader(r, h)); err != nil {
		return err
	}
	a.proof.add(name, size, h.Sum(nil))
	return nil
}

func (a *Writer) add(name string, size int64, r io.Reader) error {
	if err := a.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: a.made}); err != nil {
		return err
	}
	n, err := io.Copy(a.tar, r)
	if err == nil && n != size || errors.Is(err, tar.ErrWriteTooLong) {
		err = fmt.Errorf("%w: %s", ErrSize, name)
	}
	return err
}

// Close writes the end. The writer below is not closed.
func (a *Writer) Close() error {
	text, err := json.Marshal(a.proof.end())
	if err != nil {
		return err
	}
	if err := a.add(endName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	err = a.tar.Close()
	if err == nil && a.seal != nil {
		err = a.seal.Close()
	}
	return err
}

// Reader reads an archive.
type Reader struct {
	Manifest
	Sealed bool // it is encrypted

	name  string
	plain *counted // below the tar
	tar   *tar.Reader
	proof proof
	old   bool
	entry *entry
}

// entry is the content being read.
type entry struct {
	name string
	size int64
	r    io.Reader
	h    hash.Hash
}

// Open begins to read an archive of a format, Data or Keys. name is how it is
// called in errors.
func Open(r io.Reader, name, format string, identities []age.Identity) (*Reader, error) {
	a := &Reader{name: name, proof: proof{all: sha256.New()}}
	b := bufio.NewReaderSize(r, 64<<10)
	a.plain = &counted{r: b}
	if intro, err := b.Peek(len(ageIntro)); string(intro) == ageIntro {
		a.Sealed = true
		if len(identities) == 0 {
			return nil, errSealed.With("file", name)
		}
		opened, err := age.Decrypt(b, identities...)
		if other := (*age.NoIdentityMatchError)(nil); errors.As(err, &other) {
			return nil, errForeign.With("file", name)
		}
		if err != nil {
			return nil, errHeader.With("file", name).With("why", fault.Reason(err)).Because(err)
		}
		a.plain.r = &unsealed{r: opened, name: name}
	} else if err != nil && err != io.EOF {
		return nil, err
	}
	a.tar = tar.NewReader(a.plain)
	h, err := a.tar.Next()
	if f, ok := fault.As(err); ok {
		return nil, f
	}
	if err != nil || h.Name != manifestName || h.Size > 16<<20 {
		return nil, errNone.With("file", name)
	}
	a.begin(h)
	text, err := io.ReadAll(a.entry)
	if err != nil {
		return nil, a.broken(err)
	}
	if err := json.Unmarshal(text, &a.Manifest); err != nil {
		return nil, errNone.With("file", name)
	}
	old := map[string]string{Data: dataOld, Keys: keysOld}[format]
	if a.old = a.Format == old; !a.old && a.Format != format {
		if format == Keys {
			return nil, errNotKeys.With("file", name)
		}
		return nil, errNotData.With("file", name)
	}
	return a, nil
}

// counted counts what was read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// unsealed tells where the encryption's check failed.
type unsealed struct {
	r    io.Reader
	name string
	at   int64
}

func (u *unsealed) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.at += int64(n)
	if err != nil && err != io.EOF {
		err = errBytes.With("file", u.name).With("at", u.at).Because(err)
	}
	return n, err
}

func (a *Reader) begin(h *tar.Header) {
	sum := sha256.New()
	a.entry = &entry{h.Name, h.Size, io.TeeReader(a.tar, sum), sum}
}

// Read reads the content.
func (e *entry) Read(p []byte) (int, error) { return e.r.Read(p) }

// finish reads what is left of the entry before, and adds it to the proof.
func (a *Reader) finish() error {
	if a.entry == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, a.entry); err != nil {
		return a.broken(err)
	}
	a.proof.add(a.entry.name, a.entry.size, a.entry.h.Sum(nil))
	a.entry = nil
	return nil
}

func (a *Reader) broken(err error) error {
	if f, ok := fault.As(err); ok {
		return f
	}
	return errTar.With("file", a.name).With("why", fault.Reason(err)).Because(err)
}

// Next goes to the next entry, whose content is read until the Next after it.
// io.EOF comes only when the archive was read to its end and is whole: its proof
// holds, and so does the encryption's.
func (a *Reader) Next() (name string, content io.Reader, err error) {
	if err := a.finish(); err != nil {
		return "", nil, err
	}
	h, err := a.tar.Next()
	switch {
	case err == io.EOF && a.old:
		return "", nil, a.drain(0)
	case err == io.EOF:
		return "", nil, errCutOff.With("file", a.name)
	case err != nil:
		return "", nil, a.broken(err)
	case h.Typeflag != tar.TypeReg:
		return "", nil, errTar.With("file", a.name).With("why", h.Name)
	case h.Name != endName:
		a.begin(h)
		return h.Name, a.entry, nil
	}
	const block = 512 // of tar: content is filled up to one, and two of zeroes are the end
	whole := a.plain.n + (h.Size+block-1)/block*block + 2*block
	var is end
	if err := json.NewDecoder(io.LimitReader(a.tar, 1<<10)).Decode(&is); err != nil {
		return "", nil, a.broken(err)
	}
	if is != a.proof.end() {
		return "", nil, errChanged.With("file", a.name)
	}
	if _, err := a.tar.Next(); err != io.EOF {
		return "", nil, errChanged.With("file", a.name).Because(err)
	}
	return "", nil, a.drain(whole)
}

// drain reads to the very end, which is what makes the encryption's last check,
// and wants so many bytes in all: tar itself misses no zeroes at the end.
func (a *Reader) drain(whole int64) error {
	var rest [32 << 10]byte
	for {
		n, err := a.plain.Read(rest[:])
		if len(bytes.Trim(rest[:n], "\x00")) > 0 {
			return errChanged.With("file", a.name)
		}
		if err == io.EOF && a.plain.n < whole {
			return errCutOff.With("file", a.name)
		}
		if err == io.EOF {
			return io.EOF
		}
		if err != nil {
			return a.broken(err)
		}
	}
}
