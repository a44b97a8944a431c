package blob_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"casemate/internal/blob"
)

func TestMain(m *testing.M) {
	// The credentials of a store that takes any.
	_ = os.Setenv("AWS_ACCESS_KEY_ID", "test")
	_ = os.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-tests")
	os.Exit(m.Run())
}

// fakeS3 serves an object store with the bucket "files" and answers its address.
func fakeS3(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return server.URL
}

func openS3(t *testing.T, endpoint, prefix string) *blob.S3 {
	t.Helper()
	s, err := blob.OpenS3(t.Context(), "s3://files/"+prefix+"?endpoint="+endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestS3URL: what is wrong with a URL or a bucket is told when it is opened,
// and never with a secret.
func TestS3URL(t *testing.T) {
	t.Parallel()
	endpoint := fakeS3(t)
	for _, bad := range []string{"", "files", "s3://", "s3:///files", "http://files", "s3://key:a-secret-of-tests@files", "s3://files?endpoint=nonsense", "s3://files?downloads=nonsense&endpoint=" + endpoint, "s3://files?downloads=http://files.example.com&endpoint=" + endpoint, "s3://files?downloads=http://key:a-secret-of-tests@localhost&endpoint=" + endpoint,
		"s3://files?endpoint=http://key:a-secret-of-tests@localhost", "s3://files?surprise=1&endpoint=" + endpoint, "s3://files?%zz", "s3://others?endpoint=" + endpoint} {
		s, err := blob.OpenS3(t.Context(), bad)
		if err == nil {
			_ = s.Close()
			t.Errorf("%q is taken", bad)
			continue
		}
		if strings.Contains(err.Error(), "a-secret") {
			t.Errorf("%q: the error holds the secret: %v", bad, err)
		}
	}
}

// TestS3Gone: a store that does not answer, or refuses, is a fault that says to
// come again, and nothing is taken for missing or stored.
func TestS3Gone(t *testing.T) {
	t.Parallel()
	broken := false
	backend := s3mem.New()
	if err := backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken {
			http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s := openS3(t, server.URL, "")
	ctx := t.Context()
	if err := s.Put(ctx, id, strings.NewReader("kept")); err != nil {
		t.Fatal(err)
	}
	broken = true
	if err := s.Put(ctx, strings.Repeat("d", 32), strings.NewReader("x")); !errors.Is(err, blob.ErrUnreachable) {
		t.Errorf("put: %v", err)
	}
	if _, err := s.Open(ctx, id, 0, -1); !errors.Is(err, blob.ErrUnreachable) {
		t.Errorf("open: %v", err)
	}
	if _, err := s.Stat(ctx, id); !errors.Is(err, blob.ErrUnreachable) {
		t.Errorf("stat: %v", err)
	}
	if err := s.Delete(ctx, id); !errors.Is(err, blob.ErrUnreachable) {
		t.Errorf("delete: %v", err)
	}
	broken = false
	if i, err := s.Stat(ctx, id); err != nil || i.Size != 4 {
		t.Errorf("%v %v", i, err)
	}
}

// TestS3Sweep: parts of an upload that nobody finished go once they are old; of a
// place for files of many people only those that are ours.
func TestS3Sweep(t *testing.T) {
	t.Parallel()
	endpoint := fakeS3(t)
	s := openS3(t, endpoint, "in")
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(endpoint),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("test", "a-secret-of-tests", "")))
	if err != nil {
		t.Fatal(err)
	}
	c := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	for _, key := range []string{"in/aa/" + strings.Repeat("a", 32), "in/b", "elsewhere"} {
		if _, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("files"), Key: aws.String(key)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		age  time.Duration
		ours string
		left int
	}{{-time.Hour, "", 3}, {time.Hour, "in/b", 2}, {time.Hour, "", 1}} {
		if err := s.SweepOf(t.Context(), time.Now().Add(tt.age), func(key string) bool { return strings.HasPrefix(key, tt.ours) }); err != nil {
			t.Fatal(err)
		}
		all, err := c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String("files")})
		if err != nil || len(all.Uploads) != tt.left {
			t.Errorf("%v: %d uploads, %v", tt.age, len(all.Uploads), err)
		}
	}
}

// TestS3Claim: two installations never share a place, whichever comes first.
func TestS3Claim(t *testing.T) {
	t.Parallel()
	endpoint := fakeS3(t)
	s := openS3(t, endpoint, "")
	for _, owner := range []string{"one", "one"} {
		if err := s.Claim(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Claim(t.Context(), "two"); !errors.Is(err, blob.ErrOwned) {
		t.Errorf("a second owner: %v", err)
	}
	if err := openS3(t, endpoint, "two").Claim(t.Context(), "two"); err != nil {
		t.Errorf("under a prefix of its own: %v", err)
	}
	if err := s.List(t.Context(), func(i blob.Info) error { t.Errorf("the mark is listed as a blob: %v", i); return nil }); err != nil {
		t.Error(err)
	}
}
