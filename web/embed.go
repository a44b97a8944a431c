// Package web holds the built browser pages. The folder dist is empty in a
// fresh checkout, apart from one file, so that everything in Go builds and
// tests without Node; `make build` fills it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Dist is what was built: login.html, console.html, desk.html, assets/ and
// what is beside them, with .br and .gz of what is worth it.
func Dist() fs.FS {
	f, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the folder is named above
	}
	return f
}
