package main

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"casemate/internal/config"
	"casemate/internal/locale"
	"casemate/internal/setup"
	"casemate/internal/yamlfile"
)

// configSecrets reads what references below a key "secrets" stand for, in files
// of providers: from this process's environment and files, so that the server
// reads none of its own for whoever calls it. What cannot be read is told with
// file and line. References of a wrong form, and files that are no YAML, are left
// to the server, which tells all mistakes at once.
func configSecrets(files map[string]string) (map[string]string, error) {
	found := map[string]string{}
	var wrong []yamlfile.Mistake
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if top, _, _ := strings.Cut(strings.TrimSuffix(strings.TrimSuffix(name, path.Ext(name)), "/"), "/"); top != "providers" {
			continue
		}
		src, unread := yamlfile.Parse(name, []byte(files[name]))
		if unread != nil {
			continue
		}
		list, at, ok := src.Key("providers")
		entries, isList := list.(*ast.SequenceNode)
		if !ok || !isList {
			continue
		}
		for i, entry := range entries.Values {
			for slot, text := range scalarsBelow(entry, "secrets") {
				if _, known := found[text]; known || !setup.SecretReference.MatchString(text) {
					continue
				}
				kind, what, _ := strings.Cut(text, ":")
				from := config.Secret{Env: what}
				if kind == "file" {
					from = config.Secret{File: what}
				}
				value, err := from.Read()
				if err == nil && value == "" {
					wrong = append(wrong, at.In(i, "secrets", slot).Mistake(text+" 为空", text+" is empty"))
				} else if err != nil {
					wrong = append(wrong, at.In(i, "secrets", slot).Mistake("无法读取 "+text+"："+err.Error(), text+" cannot be read: "+err.Error()))
				}
				found[text] = value
			}
		}
	}
	if len(wrong) == 0 {
		return found, nil
	}
	lines := func(lang locale.Language) string {
		return strings.Join(yamlfile.Lines(wrong, true, func(m yamlfile.Mistake) string { return locale.Texts{ZH: m.ZH, EN: m.EN}.In(lang) }), "\n")
	}
	return nil, problem{lines(locale.ZH), lines(locale.EN)}
}

// scalarsBelow are the texts of a mapping that stands under a key of an entry.
func scalarsBelow(entry ast.Node, key string) map[string]string {
	out := map[string]string{}
	for _, v := range pairsOf(entry) {
		if v.Key.GetToken().Value != key {
			continue
		}
		for _, inner := range pairsOf(v.Value) {
			if s, ok := inner.Value.(ast.ScalarNode); ok {
				if text, ok := s.GetValue().(string); ok {
					out[inner.Key.GetToken().Value] = text
				}
			}
		}
	}
	return out
}

func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}
