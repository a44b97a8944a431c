package yamlfile

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

var (
	// goType is a Go type with its package, which means nothing to the reader.
	goType     = regexp.MustCompile(`\b[a-z]+\.([A-Za-z]+)\b`)
	unknownKey = regexp.MustCompile(`^unknown field ("[^"]*")$`)
	keyTwice   = regexp.MustCompile(`^mapping key ("[^"]*") already defined at \[(\d+):\d+\]$`)
)

// unreadable is a mistake of the library's own words, for text that is no YAML.
func unreadable(name string, err error) *Mistake {
	m := Mistake{File: name}
	why := err.Error()
	if y := yaml.Error(nil); errors.As(err, &y) {
		why = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			m.Line, m.Column = t.Position.Line, t.Position.Column
		}
	}
	if k := keyTwice.FindStringSubmatch(why); k != nil {
		m.ZH, m.EN = fmt.Sprintf("键 %s 重复，已在第 %s 行定义", k[1], k[2]), fmt.Sprintf("the key %s is already defined in line %s", k[1], k[2])
		return &m
	}
	why = goType.ReplaceAllString(why, "$1")
	says := Words(why)
	m.ZH, m.EN = "无法读取："+says.ZH, "cannot be read: "+says.EN
	return &m
}

// unfit is the mistake of YAML that is not what is asked for, in words of the
// file: its keys, and what belongs there.
func (s *Source) unfit(err error) *Mistake {
	m := unreadable(s.Name, err)
	var (
		wrong *yaml.TypeError
		over  *yaml.OverflowError
		other *yaml.UnexpectedNodeTypeError
		more  *yaml.UnknownFieldError
	)
	switch {
	case errors.As(err, &wrong):
		zh, en := kindOf(wrong.DstType)
		m.ZH, m.EN = s.mustBe(wrong.Token, zh, en)
	case errors.As(err, &over):
		zh, en := kindOf(over.DstType)
		m.ZH, m.EN = s.mustBe(over.Token, zh+"，且不得超出范围", en+" within its range")
	case errors.As(err, &other):
		zh, en := "映射（键: 值）", "a mapping (key: value)"
		if other.Expected == ast.SequenceType {
			zh, en = "列表", "a list"
		}
		m.ZH, m.EN = s.mustBe(other.Token, zh, en)
	case errors.As(err, &more):
		if k := unknownKey.FindStringSubmatch(more.Message); k != nil {
			m.ZH, m.EN = "无法识别的键 "+k[1], "unknown key "+k[1]
		}
	}
	return m
}

func (s *Source) mustBe(at *token.Token, zh, en string) (string, string) {
	key := keyAt(s.Root, at)
	if key == "" {
		return "须为" + zh, "must be " + en
	}
	return key + " 须为" + zh, key + " must be " + en
}

// keyAt is the key whose value, or an item of it, has the token.
func keyAt(root ast.Node, at *token.Token) (key string) {
	var look func(n ast.Node, under string) bool
	look = func(n ast.Node, under string) bool {
		switch n := n.(type) {
		case *ast.MappingNode:
			for _, v := range n.Values {
				if look(v, under) {
					return true
				}
			}
		case *ast.MappingValueNode:
			if look(n.Value, n.Key.String()) {
				return true
			}
		case *ast.SequenceNode:
			for _, v := range n.Values {
				if look(v, under) {
					return true
				}
			}
		}
		if n != nil && at != nil && n.GetToken() == at {
			key = under
			return true
		}
		return false
	}
	look(root, "")
	return key
}

// kindOf says what a value of the type is written as.
func kindOf(t reflect.Type) (zh, en string) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "其他类型", "something else"
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "整数", "a whole number"
	case reflect.Float32, reflect.Float64:
		return "数字", "a number"
	case reflect.Bool:
		return " true 或 false", "true or false"
	case reflect.String:
		return "文本", "a text"
	case reflect.Slice, reflect.Array:
		return "列表", "a list"
	case reflect.Map, reflect.Struct:
		return "映射（键: 值）", "a mapping (key: value)"
	}
	return "其他类型", "something else"
}
