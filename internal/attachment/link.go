package attachment

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"strconv"
	"time"

	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// LinkPath is where links lead, the file's id behind it; no contract has it.
const LinkPath = "/files/"

// linkLife is how long a link leads to its file (semantics.md D8).
const linkLife = 10 * time.Minute

// elsewhereLife is how long the object store's own address leads to a file: just
// long enough to go there, since what is withdrawn is looked for here only.
const elsewhereLife = time.Minute

// maxLinks bounds one call for links.
const maxLinks = 100

// Faults of links.
var (
	ErrLink        = fault.New(fault.Forbidden, fault.CodeForbidden, "下载链接无效", "this download link is not valid")
	ErrLinkExpired = fault.New(fault.Forbidden, fault.CodeForbidden, "下载链接已过期，请重新获取", "this download link has expired: get a new one")
	errLinkGone    = fault.New(fault.NotFound, fault.CodeForbidden, "附件不存在", "this attachment does not exist")
)

// Link is a way to a file that needs no log-in.
type Link struct {
	File
	Path string // with query; the caller puts the server's address in front
}

// Links makes links to files the caller may open, in the order of the ids; each
// leads to its file for ten minutes (semantics.md D8). Failures as of Open;
// field is the wire's name of the ids.
func (s *Service) Links(ctx context.Context, who principal.Principal, group, field string, ids []string) ([]Link, error) {
	return s.links(ctx, who, sight{group: group}, field, ids)
}

// Link makes one link as Links does, to a file the caller may open by any of his
// groups: the contract of a single link has no group.
func (s *Service) Link(ctx context.Context, who principal.Principal, field, id string) (Link, error) {
	all, err := s.links(ctx, who, sight{any: true}, field, []string{id})
	if err != nil {
		return Link{}, err
	}
	return all[0], nil
}

func (s *Service) links(ctx context.Context, who principal.Principal, by sight, field string, ids []string) ([]Link, error) {
	switch {
	case len(ids) == 0:
		return nil, fault.Missing.In(field)
	case len(ids) > maxLinks:
		return nil, errMost.In(field).With("max", maxLinks)
	}
	seen := map[string]File{}
	var once []string
	for _, id := range ids {
		if _, twice := seen[id]; !twice {
			seen[id] = File{}
			once = append(once, id)
		}
	}
	files, err := s.readable(ctx, who, by, once)
	if err != nil {
		if f, ok := fault.As(err); ok && f.Is(ErrNone) {
			return nil, f.In(field)
		}
		return nil, err
	}
	for _, f := range files {
		seen[f.ID] = f
	}
	expires := s.db.Now().Add(linkLife).UnixMilli()
	links := make([]Link, 0, len(ids))
	for _, id := range ids {
		f := seen[id]
		q := url.Values{"domain": {f.Domain}, "expires": {strconv.FormatInt(expires, 10)}, "signature": {s.sign(f.Domain, f.ID, expires)}}
		links = append(links, Link{File: f, Path: LinkPath + f.ID + "?" + q.Encode()})
	}
	return links, nil
}

// sign binds a link to domain, file and end.
func (s *Service) sign(domain, id string, expires int64) string {
	mac := hmac.New(sha256.New, s.linkKey)
	for _, part := range []string{domain, id, strconv.FormatInt(expires, 10)} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Follow opens the file a link leads to; the link is all the right it takes. It
// fails with ErrLink for a link that was changed, ErrLinkExpired, and when the
// file is gone, infected or not scanned.
func (s *Service) Follow(ctx context.Context, domain, id, expires, signature string) (Content, error) {
	end, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || subtle.ConstantTimeCompare([]byte(s.sign(domain, id, end)), []byte(signature)) != 1 {
		return Content{}, ErrLink
	}
	if s.db.Now().UnixMilli() >= end {
		return Content{}, ErrLinkExpired
	}
	var files []File
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) { files, err = find(tx, domain, []string{id}); return err }); err != nil {
		return Content{}, err
	}
	if len(files) == 0 || files[0].hidden {
		return Content{}, errLinkGone
	}
	if err := s.mayOpen(files[0]); err != nil {
		return Content{}, err
	}
	if err := s.names(ctx, files); err != nil {
		return Content{}, err
	}
	if p, ok := s.blobs.(blob.Presigner); ok {
		url, err := p.Presign(ctx, files[0].blob, wire.Disposition("attachment", files[0].Name), "application/octet-stream", elsewhereLife)
		if err != nil || url != "" {
			return Content{File: files[0], Elsewhere: url}, err
		}
	}
	return s.content(ctx, files[0])
}
