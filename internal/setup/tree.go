package setup

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/goccy/go-yaml"

	"casemate/internal/yamlfile"
)

// The tree: folder catalog has the catalogue's files as they were handed in,
// folder agreements those with agreements, folder templates one file for each
// message template; everything else is one file for each sort of entry.
const (
	catalogFolder    = "catalog/"
	agreementsFolder = "agreements/"
	accountsFolder   = "accounts/"
	readme           = "README.md"
	serverFile       = "server.yaml"
)

// treePath is where a file of the catalogue stands in the tree.
func treePath(name string) string {
	switch {
	case strings.HasPrefix(name, agreementsFolder):
		return name
	case strings.HasPrefix(name, "agreement") && !strings.Contains(name, "/"):
		return agreementsFolder + name
	}
	return catalogFolder + name
}

// catalogName is treePath the other way; ok is false for other files.
func catalogName(p string) (name string, ok bool) {
	if name, ok := strings.CutPrefix(p, catalogFolder); ok {
		return name, true
	}
	name, ok = strings.CutPrefix(p, agreementsFolder)
	if ok && (!strings.HasPrefix(name, "agreement") || strings.Contains(name, "/")) {
		name = p
	}
	return name, ok
}

// InCatalog tells whether a path of the tree is of a file of the catalogue, which is
// kept as it is, comments and all.
func InCatalog(p string) bool { _, ok := catalogName(p); return ok }

// header is the comment a file begins with.
func (l *list[T]) header() string {
	return "# " + l.title.ZH + "\n# " + l.title.EN + "\n"
}

// entries are what is stored or wanted, by the files they stand in, in an order
// that does not depend on the engine.
func (l *list[T]) entries(wanted bool) map[string][]T {
	all := slices.Clone(l.stored)
	if wanted {
		all = l.values()
	}
	for i := range all {
		if l.hide != nil {
			all[i] = l.hide(all[i])
		}
		if l.bare != nil && !l.open {
			all[i] = l.bare(all[i])
		}
	}
	slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(l.ident(a), l.ident(b)) })
	if l.place != nil {
		slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(l.place(a), l.place(b)) })
	}
	files := map[string][]T{}
	for _, v := range all {
		files[l.path(v)] = append(files[l.path(v)], v)
	}
	if l.file == nil && len(all) == 0 {
		files[l.key()+".yaml"] = []T{}
	}
	return files
}

func (l *list[T]) path(v T) string {
	if l.file != nil {
		return l.file(v)
	}
	return l.key() + ".yaml"
}

// render writes what is stored or wanted as files.
func (l *list[T]) render(wanted bool) (map[string]string, error) {
	return l.write(wanted, nil)
}

// notes is render of what is stored, with the names of what ids stand for as comments.
func (l *list[T]) notes(names map[string]string) (map[string]string, error) {
	return l.write(false, names)
}

func (l *list[T]) write(wanted bool, names map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for file, all := range l.entries(wanted) {
		text, err := l.encode(all, names)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out[file] = l.header() + text
	}
	return out, nil
}

// plain is a name that fits into a comment.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r == '\u0085' {
			return ' '
		}
		return r
	}, name)
}

// encode writes entries so that reading them gives the same: texts of several
// lines as blocks where that keeps every character, else quoted; an entry that
// the YAML library does not read as it writes it stands there as JSON.
func (l *list[T]) encode(all []T, names map[string]string) (string, error) {
	if len(all) == 0 {
		return l.name + ": []\n", nil
	}
	var b strings.Builder
	b.WriteString(l.name + ":\n")
	for _, v := range all {
		text, err := l.encodeOne(v, names)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func (l *list[T]) encodeOne(v T, names map[string]string) (string, error) {
	comments := yaml.CommentMap{}
	if l.said != nil && names != nil {
		for at, id := range l.said(v) {
			if n := names[id]; n != "" && id != "" {
				comments[fmt.Sprintf("$.%s[0].%s", l.name, at)] = []*yaml.Comment{yaml.LineComment(" " + plain(n))}
			}
		}
	}
	begin, want := l.name+":\n", []string{flat(v)}
	for _, style := range [][]yaml.EncodeOption{
		{yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true), yaml.WithComment(comments)},
		{yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true)},
		{yaml.IndentSequence(true)},
	} {
		text, err := yaml.MarshalWithOptions(map[string][]T{l.name: {v}}, style...)
		if err != nil {
			return "", err
		}
		if rest, ok := strings.CutPrefix(string(text), begin); ok && l.reads(text, want) {
			return rest, nil
		}
	}
	line := "  - " + escaped(flat(v)) + "\n"
	if !l.reads([]byte(begin+line), want) {
		return "", fmt.Errorf("%s %s cannot be written as YAML", l.name, l.ident(v))
	}
	return line, nil
}

// escaped is a JSON text in which only what can be seen stands for itself.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= ' ' && r < 0x7f || r > 0x7f && unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			x, y := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", x, y)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// reads tells whether a text is read as entries.
func (l *list[T]) reads(text []byte, want []string) bool {
	src, wrong := yamlfile.Parse("x.yaml", text)
	if wrong != nil {
		return false
	}
	got := &list[T]{kind: l.kind}
	w := &wrongs{}
	got.read(src, w)
	if len(w.all) > 0 || len(got.wanted) != len(want) {
		return false
	}
	for i, p := range got.wanted {
		if flat(p.v) != want[i] {
			return false
		}
	}
	return true
}

// tree is the whole configuration as files without comments about names: what
// versions keep and hashes are taken of.
func (d *draft) tree(wanted bool) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range d.parts {
		files, err := p.render(wanted)
		if err != nil {
			return nil, err
		}
		maps.Copy(out, files)
	}
	files := d.files
	if wanted && d.given != nil {
		files = d.given
	}
	for p, text := range files {
		out[p] = string(text)
	}
	return out, nil
}

// movedSince are the sections in which what is stored differs from another look.
func (d *draft) movedSince(before *draft) (names []string) {
	for p := range d.files {
		if string(d.files[p]) != string(before.files[p]) {
			names = append(names, p)
		}
	}
	for p := range before.files {
		if _, ok := d.files[p]; !ok {
			names = append(names, p)
		}
	}
	for i, p := range d.parts {
		if p.stamp() != before.parts[i].stamp() {
			names = append(names, p.key())
		}
	}
	slices.Sort(names)
	return names
}

// Hashes are the SHA-256 of files, by path.
func Hashes(tree map[string]string) map[string]string {
	out := map[string]string{}
	for p, text := range tree {
		sum := sha256.Sum256([]byte(text))
		out[p] = hex.EncodeToString(sum[:])
	}
	return out
}

// hashOf is one hash over all files.
func hashOf(base map[string]string) string {
	var b bytes.Buffer
	for _, p := range slices.Sorted(maps.Keys(base)) {
		fmt.Fprintf(&b, "%s %s\n", p, base[p])
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}

// Differing are the paths whose hashes differ.
func Differing(a, b map[string]string) (paths []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, p := range slices.Sorted(maps.Keys(all)) {
		if a[p] != b[p] {
			paths = append(paths, p)
		}
	}
	return paths
}

// moved are the files that changed since a plan was made, of the sections that
// would be changed: the others are left alone, whatever they have become.
func (d *draft) moved(base map[string]string) []string {
	return slices.DeleteFunc(Differing(base, d.base), func(p string) bool {
		if _, inCatalog := catalogName(p); inCatalog {
			return d.given == nil
		}
		part := d.section(p)
		return part != nil && (!part.was() || len(part.diff()) == 0)
	})
}

// section is the part that a file of the tree belongs to; nil for the
// catalogue's and unknown ones.
func (d *draft) section(p string) part {
	name := strings.TrimSuffix(strings.TrimSuffix(p, ".yml"), ".yaml")
	if dir := path.Dir(p); dir != "." && !strings.HasPrefix(p, accountsFolder) {
		name, _, _ = strings.Cut(p, "/")
	}
	for _, s := range d.parts {
		if s.key() == name {
			return s
		}
	}
	return nil
}

// sections are the names that files of the tree may have.
func (d *draft) sections() string {
	names := []string{"agreements", "catalog"}
	for _, s := range d.parts {
		names = append(names, s.key())
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
