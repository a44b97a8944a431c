package attachment_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
)

// eicar is the test virus, written so that no scanner takes this file for it.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-` + `TEST-FILE!$H+H*`

// daemon is clamd as far as INSTREAM goes, with a size limit like its
// StreamMaxLength.
func daemon(t *testing.T, l net.Listener, limit int, asked *atomic.Int64) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			asked.Add(1)
			hello := make([]byte, len("zINSTREAM\x00"))
			if _, err := io.ReadFull(c, hello); err != nil || string(hello) != "zINSTREAM\x00" {
				t.Errorf("clamd was asked %q", hello)
				return
			}
			var all bytes.Buffer
			for {
				var n uint32
				if err := binary.Read(c, binary.BigEndian, &n); err != nil {
					return
				}
				if n == 0 {
					break
				}
				if _, err := io.CopyN(&all, c, int64(n)); err != nil {
					return
				}
				if all.Len() > limit {
					fmt.Fprint(c, "INSTREAM size limit exceeded. ERROR\x00")
					_, _ = io.Copy(io.Discard, c)
					return
				}
			}
			if strings.Contains(all.String(), eicar) {
				fmt.Fprint(c, "stream: Eicar-Test-Signature FOUND\x00")
				return
			}
			fmt.Fprint(c, "stream: OK\x00")
		}()
	}
}

// TestScanHook: a file is not given away before the scanner has found it clean;
// what it cannot read whole is never clean; without it uploads go on and wait
// (threats.md D7).
func TestScanHook(t *testing.T) {
	t.Parallel()
	scanned := func(w *world, id string) string {
		w.t.Helper()
		state := ""
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.Get("SELECT scan FROM attachments WHERE domain_id = ? AND id = ?", w.li.Domain, id).Scan(&state)
		}))
		return state
	}
	check := func(w *world, huge bool) {
		clean, bad := w.upload(w.li, "a.txt", "hello"), w.upload(w.li, "virus.txt", eicar)
		big := w.upload(w.li, "big.txt", strings.Repeat("x", 2*config.MB+1))
		for _, id := range []string{clean, bad} {
			_, err := w.read(w.li, "", id)
			w.refused(err, "01010002", "") // waits
			if _, err := w.s.Links(w.t.Context(), w.li, "", "", []string{id}); err == nil {
				w.t.Error("a link to a file that waits for the scanner")
			}
		}
		w.work()
		if text, err := w.read(w.li, "", clean); text != "hello" || err != nil || scanned(w, clean) != "clean" {
			w.t.Errorf("clean file: %q %v %s", text, err, scanned(w, clean))
		}
		_, err := w.read(w.li, "", bad)
		if !errors.Is(err, attachment.ErrInfected) || scanned(w, bad) != "infected" {
			w.t.Errorf("infected file: %v %s", err, scanned(w, bad))
		}
		w.refused(w.claim(w.li, w.ticketOf(w.li), bad), "01010001", "accessory_ids")
		if huge {
			if _, err := w.read(w.li, "", big); !errors.Is(err, attachment.ErrUnscanned) || scanned(w, big) != "failed" {
				w.t.Errorf("file over the scanner's limit: %v %s", err, scanned(w, big))
			}
		}
		w.ok(w.claim(w.li, w.ticketOf(w.li), big, clean)) // a ticket may hold it
	}
	listen := func(t *testing.T) net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	t.Run("clamd", func(t *testing.T) {
		l, asked := listen(t), new(atomic.Int64)
		go daemon(t, l, 4*config.MB, asked)
		each(t, config.Attachment{Scan: config.Scan{Clamd: l.Addr().String(), MaxMB: 2}}, func(w *world) { check(w, true) })
	})
	t.Run("clamd with a smaller limit of its own", func(t *testing.T) {
		l, asked := listen(t), new(atomic.Int64)
		go daemon(t, l, 2*config.MB, asked)
		each(t, config.Attachment{Scan: config.Scan{Clamd: l.Addr().String(), MaxMB: 8}}, func(w *world) { check(w, true) })
	})
	t.Run("command", func(t *testing.T) {
		script := filepath.Join(t.TempDir(), "scan.sh")
		if err := os.WriteFile(script, []byte("#!/bin/sh\ngrep -q 'EICAR-STANDARD-ANTIVIRUS' && { echo found; exit 1; }\nexit 0\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		each(t, config.Attachment{Scan: config.Scan{Command: []string{"/bin/sh", script}, MaxMB: 2}}, func(w *world) { check(w, true) })
	})
	t.Run("dead", func(t *testing.T) {
		dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
			// A socket in a folder of this database's own: nobody else can take its
			// place. Its path is short, as those of sockets have to be.
			folder, err := os.MkdirTemp("", "clamd")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(folder) })
			address := filepath.Join(folder, "socket")
			w := open(t, d, clock, config.Attachment{Scan: config.Scan{Clamd: address}})
			id := w.upload(w.li, "a.txt", "hello")
			for range 5 {
				w.work()
				w.clock.Add(10 * time.Minute)
			}
			if _, err := w.read(w.li, "", id); !errors.Is(err, attachment.ErrUnscanned) || scanned(w, id) != "waiting" {
				w.t.Errorf("%v %s", err, scanned(w, id))
			}
			back, err := net.Listen("unix", address)
			if err != nil {
				w.t.Fatal(err)
			}
			defer back.Close()
			asked := new(atomic.Int64)
			go daemon(w.t, back, config.MB, asked)
			w.work()
			if text, err := w.read(w.li, "", id); text != "hello" || err != nil {
				w.t.Errorf("after the scanner came back: %q %v", text, err)
			}
		})
		each(t, config.Attachment{Scan: config.Scan{Clamd: filepath.Join(t.TempDir(), "nobody"), AllowUnscanned: true}}, func(w *world) {
			id := w.upload(w.li, "a.txt", "hello")
			if text, err := w.read(w.li, "", id); text != "hello" || err != nil {
				w.t.Errorf("unscanned files are allowed: %q %v", text, err)
			}
		})
	})
}

func encoded(t *testing.T, encode func(w io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pngOf is a PNG whose header says what it likes.
func pngOf(t *testing.T, width, height uint32) []byte {
	t.Helper()
	b := encoded(t, func(w io.Writer) error { return png.Encode(w, image.NewGray(image.Rect(0, 0, 8, 8))) })
	binary.BigEndian.PutUint32(b[16:], width)
	binary.BigEndian.PutUint32(b[20:], height)
	binary.BigEndian.PutUint32(b[29:], crc(b[12:29]))
	return b
}

type counted struct {
	io.ReadSeeker
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadSeeker.Read(p)
	c.n += n
	return n, err
}

// TestPictures: only what decodes whole is shown inline; too many pixels are
// refused by the header (threats.md D6).
func TestPictures(t *testing.T) {
	t.Parallel()
	small := image.NewRGBA(image.Rect(0, 0, 20, 10))
	frame := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
	good := map[string][]byte{
		"a.png":  encoded(t, func(w io.Writer) error { return png.Encode(w, small) }),
		"a.jpg":  encoded(t, func(w io.Writer) error { return jpeg.Encode(w, small, nil) }),
		"a.gif":  encoded(t, func(w io.Writer) error { return gif.Encode(w, small, nil) }),
		"l.jpeg": encoded(t, func(w io.Writer) error { return jpeg.Encode(w, image.NewGray(image.Rect(0, 0, 1200, 800)), nil) }),
	}
	many := &gif.GIF{}
	for range 10_000 {
		many.Image, many.Delay = append(many.Image, frame), append(many.Delay, 0)
	}
	good["many.gif"] = encoded(t, func(w io.Writer) error { return gif.EncodeAll(w, many) })
	bad := map[string][]byte{
		"wide.png":  pngOf(t, 65535, 65535),
		"tall.png":  pngOf(t, 1, 16385),
		"flood.png": pngOf(t, 16384, 16384),
		"cut.png":   good["a.png"][:len(good["a.png"])-20],
		"cut.jpg":   good["l.jpeg"][:len(good["l.jpeg"])/2],
		"false.png": pngOf(t, 9, 9), // fewer rows than it says
		"text.png":  append([]byte("\x89PNG\r\n\x1a\n"), strings.Repeat("<script>", 100)...),
	}
	for name, text := range bad {
		read := &counted{ReadSeeker: bytes.NewReader(append(text, make([]byte, 10<<20)...))}
		if err := attachment.Decodes(t.Context(), read); err == nil {
			t.Errorf("%s decodes", name)
		}
		// The header refuses it: of what follows nothing is read (its time and
		// memory are measured against the shipped binary).
		if (name == "wide.png" || name == "tall.png" || name == "flood.png") && read.n > 16<<10 {
			t.Errorf("%s: %d bytes were read", name, read.n)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := attachment.Decodes(ended, bytes.NewReader(good["l.jpeg"])); err == nil {
		t.Error("a decoder goes on after its time")
	}
	each(t, config.Attachment{}, func(w *world) {
		for name, text := range good {
			id := w.upload(w.li, name, string(text))
			for range 2 { // decoded, then known
				c, err := w.s.Picture(w.t.Context(), w.li, "", id)
				if err != nil {
					w.t.Errorf("%s: %v", name, err)
					continue
				}
				got, err := io.ReadAll(c)
				if err != nil || !bytes.Equal(got, text) {
					w.t.Errorf("%s: %d bytes %v", name, len(got), err)
				}
				w.ok(c.Close())
			}
		}
		for name, text := range bad {
			id := w.upload(w.li, name, string(text))
			for range 2 {
				if _, err := w.s.Picture(w.t.Context(), w.li, "", id); !errors.Is(err, attachment.ErrNoPicture) {
					w.t.Errorf("%s: %v", name, err)
				}
			}
			if got, err := w.read(w.li, "", id); err != nil || got != string(text) { // it can be saved all the same
				w.t.Errorf("%s: %v", name, err)
			}
		}
		id := w.upload(w.li, "a.txt", "no picture")
		_, err := w.s.Picture(w.t.Context(), w.li, "", id)
		w.refused(err, "01010001", "accessory_id")
		_, err = w.s.Picture(w.t.Context(), w.wang, "", id)
		w.refused(err, "01010001", "accessory_id")
	})
}

func crc(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
