package attachment

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/fault"
)

// maxName is the contract's limit of a file's name, in characters.
const maxName = 512

var errName = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不是有效的文件名", "{field} is not a file's name")

// devices are names that mean a device on some systems, with any extension.
var devices = map[string]bool{"con": true, "prn": true, "aux": true, "nul": true, "conin$": true, "conout$": true}

// cleanName is a file's name as it is kept and given away: the last part of a
// path, without controls and marks that turn the direction of reading, never a
// device. Names never become paths of ours; this is for those who save the file
// (threats.md D3, D4). It fails for names over 512 characters and for those of
// which nothing is left.
func cleanName(field, name string) (string, error) {
	switch {
	case name == "":
		return "", fault.Missing.In(field)
	case !utf8.ValidString(name):
		return "", errName.In(field)
	case utf8.RuneCountInString(name) > maxName:
		return "", fault.TooLong.In(field).With("max", maxName)
	}
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.TrimRightFunc(strings.TrimSpace(name), func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
	if strings.Trim(name, "._ ") == "" {
		return "", errName.In(field)
	}
	base := strings.ToLower(name[:len(name)-len(path.Ext(name))])
	base, _, _ = strings.Cut(base, ".")
	base = strings.TrimSpace(base)
	if devices[base] || len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) && base[3] >= '0' && base[3] <= '9' {
		name = "_" + name
	}
	return name, nil
}

// extension is the lower-case extension of a clean name, without the dot.
func extension(name string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")) }

// distinct gives equal names, whatever their case, a number: a.txt, a (2).txt.
func distinct(files []File) []string {
	used := map[string]bool{}
	out := make([]string, len(files))
	for i, f := range files {
		name := f.Name
		ext := path.Ext(name)
		for n := 2; used[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(f.Name, ext), n, ext)
		}
		used[strings.ToLower(name)] = true
		out[i] = name
	}
	return out
}
