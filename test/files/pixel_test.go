package files

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"io"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

func chunk(b *bytes.Buffer, kind string, data []byte) {
	_ = binary.Write(b, binary.BigEndian, uint32(len(data)))
	b.WriteString(kind)
	b.Write(data)
	_ = binary.Write(b, binary.BigEndian, crc32.ChecksumIEEE(append([]byte(kind), data...)))
}

// bomb is a PNG of the size it says whose pixels and text inflate to far more.
func bomb(width, height uint32, pixels int64) string {
	zeros := func(n int64) []byte {
		var z bytes.Buffer
		w, _ := zlib.NewWriterLevel(&z, zlib.BestCompression)
		_, _ = io.CopyN(w, zero{}, n)
		_ = w.Close()
		return z.Bytes()
	}
	b := bytes.NewBufferString("\x89PNG\r\n\x1a\n")
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	chunk(b, "IHDR", append(head, 8, 2, 0, 0, 0))
	chunk(b, "zTXt", append([]byte("Comment\x00\x00"), zeros(pixels)...))
	chunk(b, "IDAT", zeros(pixels))
	chunk(b, "IEND", nil)
	return b.String()
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestPixelFlood: pictures that promise or inflate to more than they are worth
// cost neither memory nor time (threats.md D6).
func TestPixelFlood(t *testing.T) {
	w := world.Start(t, world.Options{})
	tk := token(t, w, 0)
	frame := image.NewPaletted(image.Rect(0, 0, 100, 100), color.Palette{color.Black, color.White})
	many := &gif.GIF{}
	for range 10_000 {
		many.Image, many.Delay = append(many.Image, frame), append(many.Delay, 0)
	}
	var frames bytes.Buffer
	if err := gif.EncodeAll(&frames, many); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		status     int
	}{
		{"wide.png", bomb(65535, 65535, 1<<10), 400},
		{"flood.png", bomb(16384, 16384, 1<<10), 400},
		{"bomb.png", bomb(100, 100, 1<<28), 400},
		{"frames.gif", frames.String(), 200},
	} {
		body, length := form(tt.name, int64(len(tt.text)), strings.NewReader(tt.text))
		status, text, err := send(w, tk, body, length)
		if status != 200 || err != nil {
			t.Fatalf("%s: %d %s %v", tt.name, status, text, err)
		}
		before, began, asked := peak(t, w.PID()), worked(t, w.PID()), time.Now()
		res, answer := get(t, w.URL+accessorys+"/"+accessory(text)+"/image", tk)
		took, grown := worked(t, w.PID())-began, memory(t, w.PID(), "VmHWM")-before
		waited := time.Since(asked)
		if res.StatusCode != tt.status {
			t.Errorf("%s: %d %.200s", tt.name, res.StatusCode, answer)
		}
		t.Logf("REPORT pixels: %s of %d bytes: answered in %v, %v of work, memory grew by %d MiB\n", tt.name, len(tt.text), waited.Round(time.Millisecond), took.Round(time.Millisecond), grown)
		// 200 ms on a machine of its own; who waits for something waits longer than work beside takes.
		if grown > 64 || took > time.Second || waited > 10*time.Second {
			t.Errorf("%s: %v of work, answered in %v, %d MiB", tt.name, took, waited, grown)
		}
	}
}
