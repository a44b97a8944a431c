package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"casemate/internal/fault"
)

// ErrUnreachable is a fault a caller may see: the object store does not answer,
// or refuses our credentials. The log has the cause.
var ErrUnreachable = fault.New(fault.Unavailable, fault.CodeInternal, "文件存储暂时不可用", "the store of files does not answer at the moment").After(10 * time.Second)

// S3 keeps blobs as objects of one bucket, named as Local names its files. An
// object appears whole or not at all, and is there for all nodes when Put
// returns.
type S3 struct {
	bucket *blob.Bucket
	client *s3.Client
	name   string
	prefix string            // of all keys, "" or ending in /
	public *blob.Bucket      // the same bucket at the address customers reach it at; nil = downloads go through us
	signer *s3.PresignClient // of that one
}

var (
	_ Store     = (*S3)(nil)
	_ Presigner = (*S3)(nil)
)

// ErrURL tells what is wrong with the URL of an object store.
var ErrURL = errors.New("the store of files is s3://BUCKET[/PREFIX][?region=REGION][&endpoint=URL][&downloads=URL], its credentials are in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in the profile's file")

// OpenS3 opens a bucket that exists and looks into it, so that a wrong name or
// missing credentials are told at once. With an endpoint of its own (any
// S3-compatible store) the bucket's name goes into the path, and checksums that
// only the first maker's store knows are left out; use_path_style and
// request_checksum_calculation in the URL say otherwise. downloads=URL is the
// address at which customers reach the store: Presign answers for it then. The URL holds no
// secrets: it is shown in settings and errors.
func OpenS3(ctx context.Context, rawURL string) (*S3, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != s3blob.Scheme || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, ErrURL // without the URL: it may hold what does not belong there
	}
	s := &S3{name: u.Host}
	if s.prefix = strings.Trim(u.Path, "/"); s.prefix != "" {
		s.prefix += "/"
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, ErrURL
	}
	downloads := q.Get("downloads")
	q.Del("downloads")
	if downloads != "" {
		// The address is the right to the file: never in clear but on this machine.
		if e, err := url.Parse(downloads); err != nil || e.Scheme != "https" && !loopback(e) || e.Host == "" || e.User != nil || e.RawQuery != "" {
			return nil, fmt.Errorf("downloads is an address such as https://files.example.com: %w", ErrURL)
		}
	}
	if q.Get("endpoint") != "" {
		if e, err := url.Parse(q.Get("endpoint")); err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || e.User != nil {
			return nil, fmt.Errorf("endpoint is an address such as https://s3.example.com: %w", ErrURL)
		}
		for k, v := range map[string]string{"use_path_style": "true", "request_checksum_calculation": "when_required",
			"response_checksum_validation": "when_required", "region": "us-east-1"} {
			if !q.Has(k) {
				q.Set(k, v)
			}
		}
	}
	u.Path, u.RawQuery = "", q.Encode()
	if s.bucket, err = new(s3blob.URLOpener).OpenBucketURL(ctx, u); err != nil {
		return nil, err
	}
	if !s.bucket.As(&s.client) {
		return nil, errors.Join(errors.New("blob: no client of the bucket"), s.Close())
	}
	if downloads != "" {
		q.Set("endpoint", downloads)
		u.RawQuery = q.Encode()
		if s.public, err = new(s3blob.URLOpener).OpenBucketURL(ctx, u); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		var client *s3.Client
		if !s.public.As(&client) {
			return nil, errors.Join(errors.New("blob: no client of the bucket"), s.Close())
		}
		s.signer = s3.NewPresignClient(client)
	}
	if ok, err := s.bucket.IsAccessible(ctx); err != nil || !ok {
		if err == nil {
			err = errors.New("no such bucket, or it is not ours")
		}
		return nil, errors.Join(fmt.Errorf("bucket %s: %w", s.name, err), s.Close())
	}
	return s, nil
}

func loopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (err == nil && ip.IsLoopback() || u.Hostname() == "localhost")
}

// ErrOwned: another installation keeps its blobs there. It would take ours for
// orphans, and we its.
var ErrOwned = errors.New("the bucket (under this prefix) belongs to another installation of Casemate: give each a prefix of its own")

// Claim marks the bucket, under the prefix, as one installation's, or fails with
// ErrOwned. An installation that was restored with its keys is the same one.
func (s *S3) Claim(ctx context.Context, owner string) error {
	key := s.prefix + "owner"
	err := s.bucket.WriteAll(ctx, key, []byte(owner), &blob.WriterOptions{ContentType: "text/plain", IfNotExist: true})
	if err == nil || gcerrors.Code(err) == gcerrors.FailedPrecondition {
		// Read what is there: of two that claim at once, one finds the other's.
		var is []byte
		if is, err = s.bucket.ReadAll(ctx, key); err == nil && string(is) != owner {
			return ErrOwned
		}
	}
	return unreachable(err)
}

// Close ends the connections.
func (s *S3) Close() error {
	var err error
	if s.public != nil {
		err = s.public.Close()
	}
	return errors.Join(err, s.bucket.Close())
}

func (s *S3) key(id string) (string, error) {
	name, err := place(id)
	return s.prefix + name, err
}

// unreachable tells a failing store from what callers do wrong.
func unreachable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return ErrUnreachable.Because(err)
}

// Put uploads an object. Large ones go in parts, which appear together at the
// end; parts of an upload that was cut off go by Sweep.
func (s *S3) Put(ctx context.Context, id string, r io.Reader) error {
	key, err := s.key(id)
	if err != nil {
		return err
	}
	// Not If-None-Match, which many stores do not know: ids are random, this
	// finds a caller's mistake.
	if there, err := s.bucket.Exists(ctx, key); err != nil {
		return unreachable(err)
	} else if there {
		return fs.ErrExist
	}
	up, cut := context.WithCancel(ctx)
	defer cut()
	w, err := s.bucket.NewWriter(up, key, &blob.WriterOptions{ContentType: "application/octet-stream", MaxConcurrency: 2})
	if err != nil {
		return unreachable(err)
	}
	source := &remembering{r: r}
	if _, err := io.Copy(w, withContext{ctx, source}); err != nil {
		cut() // else Close would store what came so far
		closed := w.Close()
		if source.err != nil || ctx.Err() != nil {
			return err
		}
		return unreachable(errors.Join(err, closed))
	}
	return unreachable(w.Close())
}

// remembering keeps a reader's failure, to tell it from the writer's.
type remembering struct {
	r   io.Reader
	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Open reads an object, or a range of it.
func (s *S3) Open(ctx context.Context, id string, offset, length int64) (io.ReadCloser, error) {
	key, err := s.key(id)
	if err != nil {
		return nil, err
	}
	r, err := s.bucket.NewRangeReader(ctx, key, offset, length, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrNone
	}
	if err != nil {
		return nil, unreachable(err)
	}
	return r, nil
}

// Presign signs a GET of the object at the address customers reach the store at.
func (s *S3) Presign(ctx context.Context, id, disposition, media string, life time.Duration) (string, error) {
	key, err := s.key(id)
	if err != nil || s.signer == nil {
		return "", err
	}
	r, err := s.signer.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(s.name), Key: aws.String(key),
		ResponseContentDisposition: aws.String(disposition), ResponseContentType: aws.String(media)}, s3.WithPresignExpires(life))
	if err != nil {
		return "", unreachable(err)
	}
	return r.URL, nil
}

// Stat asks for an object's attributes.
func (s *S3) Stat(ctx context.Context, id string) (Info, error) {
	key, err := s.key(id)
	if err != nil {
		return Info{}, err
	}
	a, err := s.bucket.Attributes(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return Info{}, ErrNone
	}
	if err != nil {
		return Info{}, unreachable(err)
	}
	return Info{ID: id, Size: a.Size, Stored: a.ModTime}, nil
}

// Delete removes the object.
func (s *S3) Delete(ctx context.Context, id string) error {
	key, err := s.key(id)
	if err != nil {
		return err
	}
	if err := s.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return unreachable(err)
	}
	return nil
}

// List walks the bucket's objects. Those that are no blobs are passed over.
func (s *S3) List(ctx context.Context, each func(Info) error) error {
	all := s.bucket.List(&blob.ListOptions{Prefix: s.prefix})
	for {
		o, err := all.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return unreachable(err)
		}
		id := o.Key[strings.LastIndexByte(o.Key, '/')+1:]
		if key, err := s.key(id); err != nil || key != o.Key {
			continue
		}
		if err := each(Info{ID: id, Size: o.Size, Stored: o.ModTime}); err != nil {
			return err
		}
	}
}

// Sweep ends uploads in parts that nobody finished.
func (s *S3) Sweep(ctx context.Context, before time.Time) error {
	return s.SweepOf(ctx, before, func(string) bool { return true })
}

// SweepOf ends those of some keys only.
func (s *S3) SweepOf(ctx context.Context, before time.Time, ours func(key string) bool) error {
	in := &s3.ListMultipartUploadsInput{Bucket: aws.String(s.name), Prefix: aws.String(s.prefix)}
	var failed error
	for {
		page, err := s.client.ListMultipartUploads(ctx, in)
		if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "NoSuchUpload" {
			return failed // how some stores say that there are none
		}
		if err != nil {
			return errors.Join(failed, unreachable(err))
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) || !ours(aws.ToString(u.Key)) {
				continue
			}
			_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(s.name), Key: u.Key, UploadId: u.UploadId})
			failed = errors.Join(failed, unreachable(err))
		}
		if !aws.ToBool(page.IsTruncated) {
			return failed
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}
