package attachment

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the formats that are decoded
	_ "image/jpeg"
	_ "image/png"
	"io"
	"strings"
	"time"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Bounds of pictures (threats.md D6).
const (
	maxSide        = 16384
	maxPixels      = 40_000_000
	decodeMemory   = 256 << 20
	decodeTime     = 5 * time.Second
	decodersAtOnce = 2
)

// ErrNoPicture: the file is none, does not decode, or is too large to be shown.
var ErrNoPicture = fault.New(fault.Invalid, fault.CodeInvalid, "该附件不是可显示的图片", "this attachment is not a picture that can be shown").In("accessory_id")

// What is known of whether a file can be shown.
const (
	notLooked = iota
	canDraw
	cannotDraw
)

// Picture opens a picture to be shown inside a text. It is decoded once, within
// bounds of size, memory and time, and its verdict kept: what does not decode
// whole is never shown inline. Failures are those of Open, and ErrNoPicture.
func (s *Service) Picture(ctx context.Context, who principal.Principal, group, id string) (Content, error) {
	c, err := s.Open(ctx, who, group, id)
	if err != nil {
		return c, err
	}
	ok := c.drawable == canDraw
	if strings.HasPrefix(c.Media, "image/") && c.drawable == notLooked {
		if ok, err = s.draw(ctx, c); err != nil {
			return Content{}, errors.Join(err, c.Close())
		}
	}
	if !ok {
		return Content{}, errors.Join(ErrNoPicture, c.Close())
	}
	_, err = c.Seek(0, io.SeekStart)
	return c, err
}

// draw decodes the picture and keeps whether it could.
func (s *Service) draw(ctx context.Context, c Content) (bool, error) {
	wait, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	select {
	case s.decoders <- struct{}{}:
		defer func() { <-s.decoders }()
	case <-wait.Done():
		return false, fault.Busy.After(time.Second)
	}
	verdict := canDraw
	err := decodes(ctx, c.Reader)
	if broken := (brokenPicture{}); errors.As(err, &broken) {
		s.o.Log.InfoContext(ctx, "a picture that does not decode", "attachment", c.ID, "why", err)
		verdict = cannotDraw
	} else if err != nil {
		return false, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE attachments SET drawable = ? WHERE domain_id = ? AND id = ?", verdict, c.Domain, c.ID)
		return nil
	})
	return verdict == canDraw, err
}

// brokenPicture says why a picture is not shown.
type brokenPicture struct{ error }

func (b brokenPicture) Unwrap() error { return b.error }

// ended stops a decoder that takes too long: decoders look at nothing but what
// they read.
type ended struct {
	ctx context.Context
	r   io.Reader
}

func (e ended) Read(p []byte) (int, error) {
	if err := e.ctx.Err(); err != nil {
		return 0, err
	}
	return e.r.Read(p)
}

// decodes reads a picture whole: first its header, which may refuse it, then
// the pixels. It fails with brokenPicture.
func decodes(ctx context.Context, r io.ReadSeeker) error {
	ctx, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	cfg, format, err := image.DecodeConfig(bufio.NewReader(ended{ctx, r}))
	if err != nil {
		return brokenPicture{err}
	}
	if cfg.Width <= 0 || cfg.Height <= 0 || cfg.Width > maxSide || cfg.Height > maxSide || cfg.Width*cfg.Height > maxPixels {
		return brokenPicture{fmt.Errorf("%d x %d pixels", cfg.Width, cfg.Height)}
	}
	each, err := pixelBytes(r, cfg.ColorModel, format)
	if err != nil {
		return brokenPicture{err}
	}
	if cfg.Width*cfg.Height*each > decodeMemory {
		return brokenPicture{fmt.Errorf("%d x %d pixels of %d bytes", cfg.Width, cfg.Height, each)}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	picture, again, err := image.Decode(bufio.NewReaderSize(ended{ctx, r}, 64<<10))
	if err != nil {
		return brokenPicture{err}
	}
	if b := picture.Bounds(); again != format || b.Dx() > cfg.Width || b.Dy() > cfg.Height {
		return brokenPicture{errors.New("the header says something else")}
	}
	return nil
}

// pixelBytes is what decoding takes for a pixel, in bytes, at most.
func pixelBytes(r io.ReadSeeker, m color.Model, format string) (int, error) {
	n := 4
	switch m {
	case color.RGBA64Model, color.NRGBA64Model:
		n = 8
	case color.Gray16Model:
		n = 2
	case color.GrayModel:
		n = 1
	}
	if _, indexed := m.(color.Palette); indexed {
		n = 1
	}
	switch format {
	case "png":
		interlaced, err := at(r, 28)
		if interlaced != 0 {
			n *= 2 // each pass is a picture of its own
		}
		return n, err
	case "jpeg":
		whole, err := progressive(r)
		if whole {
			n += 16 // the coefficients of four components
		}
		return n, err
	case "webp":
		return 3 * n, nil
	}
	return n, nil
}

func at(r io.ReadSeeker, offset int64) (byte, error) {
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// progressive tells a JPEG that keeps all its coefficients until its end from
// one that is decoded block by block, by its frame's marker.
func progressive(r io.ReadSeeker) (bool, error) {
	if _, err := r.Seek(2, io.SeekStart); err != nil {
		return false, err
	}
	in := bufio.NewReader(r)
	for range 10000 { // segments before the frame
		b, err := in.ReadByte()
		if err != nil {
			return false, err
		}
		if b != 0xff {
			continue
		}
		for b == 0xff {
			if b, err = in.ReadByte(); err != nil {
				return false, err
			}
		}
		switch {
		case b == 0 || b == 1 || b >= 0xd0 && b <= 0xd9:
			continue
		case b == 0xc2:
			return true, nil
		case b == 0xc0 || b == 0xc1:
			return false, nil
		}
		var length [2]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return false, err
		}
		if _, err := in.Discard(max(int(binary.BigEndian.Uint16(length[:]))-2, 0)); err != nil {
			return false, err
		}
	}
	return true, nil
}
