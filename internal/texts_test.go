package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// texts are the string expressions of a file, concatenations joined; a part
// that is not a literal reads as a blank.
func texts(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.ADD {
				out = append(out, fold(n))
				return false
			}
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				out = append(out, fold(n))
			}
		}
		return true
	})
	return out
}

func fold(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(e.Value)
		return s
	case *ast.BinaryExpr:
		return fold(e.X) + fold(e.Y)
	case *ast.ParenExpr:
		return fold(e.X)
	}
	return " "
}
