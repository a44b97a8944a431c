package setup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/yamlfile"
)

// What happens to an entry.
const (
	Added   = "added"
	Changed = "changed"
	Removed = "removed"
)

// Change is the difference of one entry. Entries of the catalogue have its
// words: retired, restored, reordered (package catalog).
type Change struct {
	What    string
	Section string // teams, queues ...; catalog.<kind> for the catalogue
	ID      string
	Name    locale.Texts
	Fields  []catalog.FieldChange
}

// part is a section of the configuration: what is stored, what the files want.
type part interface {
	key() string
	about() locale.Texts
	read(src *yamlfile.Source, w *wrongs)
	was() bool // whether files say anything of it
	settle()
	judge(ctx context.Context, now, next env, w *wrongs) error
	diff() []Change
	stamp() string
	fix()
	render(wanted bool) (map[string]string, error)
	notes(names map[string]string) (map[string]string, error)
}

// placed is an entry with its place in the files.
type placed[T any] struct {
	v  T
	at yamlfile.Origin
}

// kind tells how entries of one sort are handled.
type kind[T any] struct {
	name   string
	folder string // in which its file stands, with a slash
	title  locale.Texts
	id     func(*T) *string
	label  func(T) locale.Texts
	file   func(T) string // nil: <name>.yaml
	place  func(T) int64  // the order entries stand in, before their ids; nil = ids alone
	// most is how many entries there may be, 0 = no bound.
	most int
	// merge: entries that the files do not name stay as they are, and unknown ones
	// are refused by noSuch unless creates says that they may be new.
	merge   bool
	noSuch  *fault.Error
	creates func(e env, v T) bool
	// drop tells of kinds that merge that an entry's file wants it gone.
	drop func(T) bool
	// bare is an entry as versions keep it: without what is personal.
	bare func(T) T
	// form are the ids that new entries may have; nil = idForm.
	form *regexp.Regexp
	// check tidies an entry and tells what is wrong with it.
	check func(ctx context.Context, e env, v *T) []error
	// whole tells what is wrong with entries beside each other, by their index.
	whole func(e env, all []T) []misfit
	// hide takes out of an entry what no file and no version has; nil = nothing.
	hide func(T) T
	// said are the references that are shown as comments: path below the entry to id.
	said func(T) map[string]string
}

// misfit is an entry that does not go with the others.
type misfit struct {
	index int
	err   error
}

// list is a part with entries of one sort.
type list[T any] struct {
	kind[T]
	stored  []T
	wanted  []placed[T]
	given   bool
	lenient bool           // merge: unknown entries are left out, not refused
	open    bool           // what is personal is written, too
	at      map[string]int // places of stored, by id
	dropped map[string]bool

	fixed bool // puts and gones are what is to be done
	puts  []pair[T]
	gones []T
}

func (l *list[T]) key() string         { return l.folder + l.name }
func (l *list[T]) about() locale.Texts { return l.title }
func (l *list[T]) was() bool           { return l.given }

func (l *list[T]) ident(v T) string { return *l.id(&v) }

// idForm is what entries are called by: they travel in URLs.
var idForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,31}$`)

// read takes a file's entries.
func (l *list[T]) read(src *yamlfile.Source, w *wrongs) {
	keys, ok := src.Keys()
	if !ok {
		w.at(yamlfile.Origin{File: src}, "须以 "+l.name+": 开头", "must begin with "+l.name+":")
		return
	}
	l.given = true
	for _, k := range keys {
		if k != l.name {
			_, at, _ := src.Key(k)
			w.at(at, fmt.Sprintf("无法识别的键 %q，此文件只能有 %q", k, l.name), fmt.Sprintf("unknown key %q: this file has %q only", k, l.name))
		}
	}
	node, at, ok := src.Key(l.name)
	if !ok {
		return
	}
	all, wrong := yamlfile.Each[T](src, node)
	if len(wrong) > 0 {
		for _, m := range wrong {
			w.add(m)
		}
		return
	}
	for i, v := range all {
		l.wanted = append(l.wanted, placed[T]{v, at.In(i)})
	}
}

// settle completes what is wanted by what the files leave alone.
func (l *list[T]) settle() {
	if l.given && !l.merge {
		return
	}
	named := idsOf(l, true)
	var all []placed[T]
	for _, v := range l.stored {
		if !named[l.ident(v)] {
			all = append(all, placed[T]{v: v})
		}
	}
	l.wanted = append(all, l.wanted...) // of two that do not go together, what a file says is blamed
}

func (l *list[T]) find(id string) (v T, ok bool) {
	if l.at == nil {
		l.at = map[string]int{}
		for i, v := range l.stored {
			l.at[l.ident(v)] = i
		}
	}
	i, ok := l.at[id]
	if !ok {
		return v, false
	}
	return l.stored[i], true
}

func (l *list[T]) values() []T {
	out := make([]T, len(l.wanted))
	for i, p := range l.wanted {
		out[i] = p.v
	}
	return out
}

var (
	errForm   = fault.New(fault.Invalid, fault.CodeInvalid, "id {id} 须为 1 到 32 个字母、数字、点、下划线或连字符，以字母或数字开头", "the id {id} must be 1 to 32 letters, digits, dots, underscores or hyphens and begin with a letter or digit")
	errTwice  = fault.New(fault.Invalid, fault.CodeInvalid, "id {id} 重复，已在 {place} 定义", "the id {id} is used twice, first in {place}")
	errMost   = fault.New(fault.Invalid, fault.CodeInvalid, "{section} 最多可有 {max} 项", "there can be at most {max} {section}")
	errNobody = fault.New(fault.Invalid, fault.CodeInvalid, "{field}：{id} 不存在", "{field}: there is no {id}")
)

// judge holds what is wanted against the rules. What is wrong with an entry that
// is stored like this already, and was as wrong before, is nobody's mistake now.
func (l *list[T]) judge(ctx context.Context, now, next env, w *wrongs) error {
	if l.merge && l.lenient {
		l.wanted = slices.DeleteFunc(l.wanted, func(p placed[T]) bool { _, ok := l.find(l.ident(p.v)); return !ok })
	}
	form := l.form
	if form == nil {
		form = idForm
	}
	if l.most > 0 && len(l.wanted) > l.most {
		w.fault(l.wanted[l.most].at, errMost.With("section", l.name).With("max", l.most))
	}
	first := map[string]yamlfile.Origin{}
	for i := range l.wanted {
		p := &l.wanted[i]
		id := l.ident(p.v)
		if before, ok := first[id]; ok {
			line, _ := before.Position()
			w.fault(p.at.In("id"), errTwice.With("id", id).With("place", fmt.Sprintf("%s:%d", before.Name(), line)))
			continue
		}
		first[id] = p.at
		old, stored := l.find(id)
		switch {
		case l.drop != nil && l.drop(p.v):
			continue
		case l.merge && !stored && (l.creates == nil || !l.creates(next, p.v)):
			w.fault(p.at.In("id"), l.noSuch.With("id", id))
			continue
		case !stored && !form.MatchString(id):
			w.fault(p.at.In("id"), errForm.With("id", strconv.Quote(id)))
			continue
		}
		wrong := l.check(ctx, next, &p.v)
		if len(wrong) > 0 && stored && flat(old) == flat(p.v) && len(l.check(ctx, now, &old)) > 0 {
			continue
		}
		for _, err := range wrong {
			f, ok := fault.As(err)
			if !ok {
				return err
			}
			l.blame(w, *p, fieldPath(f.Field), err)
		}
	}
	if l.drop != nil {
		l.dropped = map[string]bool{}
		l.wanted = slices.DeleteFunc(l.wanted, func(p placed[T]) bool {
			gone := l.drop(p.v)
			if gone {
				l.dropped[l.ident(p.v)] = true
			}
			return gone
		})
	}
	if l.whole != nil {
		for _, m := range l.whole(next, l.values()) {
			f, _ := fault.As(m.err)
			l.blame(w, l.wanted[m.index], fieldPath(f.Field), m.err)
		}
	}
	return nil
}

// blame notes what is wrong with an entry. One that no file handed in has, because
// its section was left out, is named by its id.
func (l *list[T]) blame(w *wrongs, p placed[T], path []any, err error) {
	if p.at.File != nil {
		w.fault(p.at.In(path...), err)
		return
	}
	var one wrongs
	one.fault(yamlfile.Origin{}, err)
	for _, m := range one.all {
		id := l.ident(p.v)
		w.add(yamlfile.Mistake{File: l.path(p.v), ZH: id + "：" + m.ZH, EN: id + ": " + m.EN})
	}
}

var indexed = regexp.MustCompile(`^([^\[]*)((?:\[[0-9]+\])*)$`)

// fieldPath is a refusal's field as keys and indexes: then[0].text.zh, name_zh.
func fieldPath(field string) (path []any) {
	for step := range strings.SplitSeq(field, ".") {
		m := indexed.FindStringSubmatch(step)
		if step == "" || m == nil {
			continue
		}
		switch m[1] {
		case "name_zh", "name_en":
			path = append(path, "name", m[1][5:])
		default:
			path = append(path, m[1])
		}
		for n := range strings.SplitSeq(strings.Trim(m[2], "[]"), "][") {
			if i, err := strconv.Atoi(n); err == nil {
				path = append(path, i)
			}
		}
	}
	return path
}

// flat is an entry as one JSON text with the keys of its file, empty parts left
// out: how entries are compared.
func flat(v any) string {
	text, err := json.Marshal(bare(reflect.ValueOf(v)))
	if err != nil {
		panic(err) // shapes always marshal
	}
	return string(text)
}

// bare is a shape as maps, lists and values; nil when there is nothing.
func bare(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return bare(v.Elem())
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			name, more, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			f := v.Field(i)
			value := bare(f)
			if value == nil || more == "omitempty" && f.Kind() != reflect.Pointer && f.IsZero() {
				continue
			}
			out[name] = value
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = bare(v.Index(i))
		}
		return out
	case reflect.Map:
		if v.Len() == 0 {
			return nil
		}
	}
	return v.Interface()
}

// diff tells what must happen for what is stored to become what is wanted.
func (l *list[T]) diff() (all []Change) {
	for _, p := range l.wanted {
		c := Change{Section: l.key(), ID: l.ident(p.v), Name: l.label(p.v)}
		old, ok := l.find(c.ID)
		switch {
		case !ok:
			c.What = Added
			c.Fields = catalog.FieldChanges("{}", flat(p.v))
		case flat(old) != flat(p.v):
			c.What, c.Fields = Changed, catalog.FieldChanges(flat(old), flat(p.v))
		default:
			continue
		}
		all = append(all, c)
	}
	for _, v := range l.gone() {
		all = append(all, Change{What: Removed, Section: l.key(), ID: l.ident(v), Name: l.label(v), Fields: catalog.FieldChanges(flat(v), "{}")})
	}
	slices.SortStableFunc(all, func(a, b Change) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// stamp is what is stored, by ids, as text that is cheap to make and to compare.
func (l *list[T]) stamp() string {
	all := slices.Clone(l.stored)
	slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(l.ident(a), l.ident(b)) })
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // shapes always marshal
	}
	return string(text)
}

// fix keeps what is to be done: nothing is compared any more in the transaction
// that does it.
func (l *list[T]) fix() {
	l.puts, l.gones = l.put(), l.gone()
	l.fixed = true
}

// gone are the stored entries that are wanted no more.
func (l *list[T]) gone() (all []T) {
	if l.fixed {
		return l.gones
	}
	wanted := idsOf(l, true)
	for _, v := range l.stored {
		if !wanted[l.ident(v)] {
			all = append(all, v)
		}
	}
	return all
}

// put are the wanted entries that are new or differ, with what is stored.
func (l *list[T]) put() (all []pair[T]) {
	if l.fixed {
		return l.puts
	}
	for _, p := range l.wanted {
		old, ok := l.find(l.ident(p.v))
		switch {
		case !ok:
			all = append(all, pair[T]{v: p.v, fresh: true})
		case flat(old) != flat(p.v):
			all = append(all, pair[T]{v: p.v, old: old})
		}
	}
	return all
}

type pair[T any] struct {
	v, old T
	fresh  bool
}

// wrongs collects mistakes.
type wrongs struct{ all []yamlfile.Mistake }

func (w *wrongs) add(m ...yamlfile.Mistake) { w.all = append(w.all, m...) }

func (w *wrongs) at(o yamlfile.Origin, zh, en string) { w.add(o.Mistake(zh, en)) }

func (w *wrongs) fault(o yamlfile.Origin, err error) {
	f, ok := fault.As(err)
	if !ok {
		w.at(o, err.Error(), err.Error())
		return
	}
	w.at(o, locale.Text(locale.ZH, f), locale.Text(locale.EN, f))
}
