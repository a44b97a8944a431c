package attachment

import (
	"context"
	"io"
)

// CleanName is for the fuzz test.
func CleanName(name string) (string, error) { return cleanName("file", name) }

// Decodes is for the table of pictures.
func Decodes(ctx context.Context, r io.ReadSeeker) error { return decodes(ctx, r) }

// Distinct is for the names in an archive.
func Distinct(names ...string) []string {
	var files []File
	for _, n := range names {
		files = append(files, File{Name: n})
	}
	return distinct(files)
}
