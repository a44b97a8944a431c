package config

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// checkForms finds the first value that is not of its key's form and says what
// to write instead, by key and line: the decoder speaks of Go's types. What it
// does not know (unknown keys, anchors, broken YAML) is left to the decoder.
// Values are not repeated, because one may be a secret at the wrong place.
func checkForms(text []byte) error {
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil // the decoder says it
	}
	for _, d := range f.Docs {
		if err := formed("", d.Body, reflect.TypeFor[Config]()); err != nil {
			return err
		}
	}
	return nil
}

func formed(key string, n ast.Node, t reflect.Type) error {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return nil
	case *ast.MappingNode:
		return formedKeys(key, n, n.Values, t)
	case *ast.MappingValueNode:
		return formedKeys(key, n, []*ast.MappingValueNode{n}, t)
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			return wrongForm(key, n, t)
		}
		for i, v := range n.Values {
			if err := formed(fmt.Sprintf("%s[%d]", key, i), v, t.Elem()); err != nil {
				return err
			}
		}
		return nil
	}
	text, ok := "", false
	if s, is := n.(ast.ScalarNode); is {
		text = fmt.Sprint(s.GetValue())
		ok = true
	}
	_, number := n.(*ast.IntegerNode)
	switch {
	case !ok:
	case t == reflect.TypeFor[time.Duration]():
		_, err := time.ParseDuration(text)
		ok = !number && err == nil
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		_, err := strconv.ParseInt(text, 10, 64)
		ok = number && err == nil
	case t.Kind() == reflect.Bool:
		_, ok = n.(*ast.BoolNode)
	default:
		ok = t.Kind() == reflect.String
	}
	if !ok {
		return wrongForm(key, n, t)
	}
	return nil
}

func formedKeys(key string, at ast.Node, values []*ast.MappingValueNode, t reflect.Type) error {
	if t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
		return wrongForm(key, at, t)
	}
	for _, v := range values {
		name := v.Key.GetToken().Value
		of := reflect.Type(nil)
		if t.Kind() == reflect.Map {
			of = t.Elem()
		} else {
			for i := range t.NumField() {
				if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); tag == name {
					of = t.Field(i).Type
				}
			}
		}
		if of == nil {
			continue // the decoder says that it is unknown
		}
		if err := formed(strings.TrimPrefix(key+"."+name, "."), v.Value, of); err != nil {
			return err
		}
	}
	return nil
}

func wrongForm(key string, n ast.Node, t reflect.Type) error {
	write := "write a text"
	switch {
	case t == reflect.TypeFor[time.Duration]():
		write = "write a time with its unit, such as 5s, 30m or 24h"
		if i, ok := n.(*ast.IntegerNode); ok {
			write = fmt.Sprintf("write the time with its unit, such as %[1]vs or %[1]vm", i.Value)
		}
	case t == reflect.TypeFor[Secret]():
		write = "write {env: NAME} or {file: PATH}; a secret never stands in this file"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		write = "write a whole number"
	case t.Kind() == reflect.Bool:
		write = "write true or false"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		write = "write a list of entries, each with its keys"
	case t.Kind() == reflect.Slice:
		write = "write a list, such as [a, b]"
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		write = "write its keys below it, indented"
	}
	if key == "" {
		key = "the file"
	}
	return fmt.Errorf("line %d: %s: %s", n.GetToken().Position.Line, key, write)
}

// ranges refuses what is neither an address nor a range.
func ranges(key string, list []string) error {
	for _, s := range list {
		if _, err := netip.ParsePrefix(s); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(s); err != nil {
			return fmt.Errorf("%s: %q is neither an address nor a range such as 10.0.0.0/8", key, s)
		}
	}
	return nil
}

// listenAddress refuses what nothing can listen on; "" is left out.
func listenAddress(key, s string) error {
	if s == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%s: %q is no address with a port, such as 127.0.0.1:9090", key, s)
	}
	return nil
}
