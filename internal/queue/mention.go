package queue

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/fault"
	"casemate/internal/principal"
)

// maxMentions is how many people one note names.
const maxMentions = 20

// Faults of mentions.
var (
	errMention  = fault.New(fault.Invalid, fault.CodeInvalid, "备注中的 @{name} 不是可查看该备注的工程师；如果不是要提及某人，请写成 `@{name}`", "there is no engineer @{name} who reads this note; if nobody is meant, write `@{name}` in back quotes").In("text")
	errMentions = fault.New(fault.Invalid, fault.CodeInvalid, "一条备注最多提及 {max} 人", "a note names at most {max} people").In("text").With("max", maxMentions)
)

var (
	fenced = regexp.MustCompile("(?ms)^ {0,3}(```|~~~).*?(^ {0,3}(```|~~~)[ \t]*$|\\z)")
	inline = regexp.MustCompile("(?s)``.+?``|`[^`\n]+`")
	indent = regexp.MustCompile("(?m)^(\t| {4}).*$")
)

// mentions are the names behind an @ in a note: what follows it up to a
// character no name has. Code (fenced, indented, in back quotes), mail
// addresses and paths such as @types/node are not looked at.
func mentions(text string) (runs []string) {
	for _, code := range []*regexp.Regexp{fenced, inline, indent} {
		text = code.ReplaceAllString(text, "\n")
	}
	before := ' '
	for i, r := range text {
		if r == '@' && !partOfWord(before) {
			run := text[i+1:]
			if end := strings.IndexFunc(run, func(r rune) bool { return !partOfName(r) }); end >= 0 {
				if next, _ := utf8.DecodeRuneInString(run[end:]); next == '@' || next == '/' {
					run = "" // an address of another net, a package
				} else {
					run = run[:end]
				}
			}
			if run = strings.TrimRight(run, "._-"); run != "" && !slices.Contains(runs, run) {
				runs = append(runs, run)
			}
		}
		before = r
	}
	return runs
}

// partOfName is what log-in names are made of that can be mentioned.
func partOfName(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("._-", r)
}

// partOfWord is what stands before the @ of a mail address or a path. A Chinese
// word does not: it may stand right before a mention.
func partOfWord(r rune) bool {
	return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._%+-/@", r))
}

// candidates are the names a run can begin with, the longest first. Chinese goes
// on without a space: "@chen请看" names chen; "@chenli" never does.
func candidates(run string) (names []string) {
	runes := []rune(run)
	for end := min(len(runes), 64); end > 0; end-- {
		if end < len(runes) && runes[end] < utf8.RuneSelf && runes[end-1] < utf8.RuneSelf {
			continue
		}
		if name := strings.TrimRight(string(runes[:end]), "._-"); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// mentioned are the user ids of those a note names, without its writer. It
// fails when one is not there, is shut out, or is of another side and so cannot
// read the note: of notes Casemate writes itself, unknown names are passed over.
func (s *Service) mentioned(ctx context.Context, who principal.Principal, text string) (users []string, err error) {
	runs := mentions(text)
	if len(runs) == 0 {
		return nil, nil
	}
	if len(runs) > maxMentions {
		return nil, errMentions
	}
	var all []string
	for _, run := range runs {
		all = append(all, candidates(run)...)
	}
	found, err := s.ident.Colleagues(ctx, who.Partner, all)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		names := candidates(run)
		i := slices.IndexFunc(names, func(n string) bool { return found[n] != "" })
		if i < 0 {
			if who.Kind == principal.System {
				continue
			}
			return nil, errMention.With("name", run)
		}
		if id := found[names[i]]; id != who.User && !slices.Contains(users, id) {
			users = append(users, id)
		}
	}
	return users, nil
}
