package yamlfile_test

import (
	"strings"
	"testing"

	"casemate/internal/yamlfile"
)

// TestUnfit: what does not fit is told in the words of the file, in both
// languages, with its place, and of each entry.
func TestUnfit(t *testing.T) {
	type entry struct {
		Place int               `yaml:"place"`
		Small int8              `yaml:"small"`
		On    bool              `yaml:"on"`
		Tags  []string          `yaml:"tags"`
		Days  []int             `yaml:"days"`
		Name  map[string]string `yaml:"name"`
		Sub   struct {
			Rate float64 `yaml:"rate"`
		} `yaml:"sub"`
		Next *int `yaml:"next"`
	}
	for _, tt := range []struct {
		text         string
		line, column int
		zh, en       string
	}{
		{"place: first", 2, 12, "place 须为整数", "place must be a whole number"},
		{"place: [1]", 2, 12, "place 须为整数", "place must be a whole number"},
		{"next: first", 2, 11, "next 须为整数", "next must be a whole number"},
		{"small: 1000", 2, 12, "small 须为整数，且不得超出范围", "small must be a whole number within its range"},
		{"on: maybe", 2, 9, "on 须为 true 或 false", "on must be true or false"},
		{"tags: a", 2, 11, "tags 须为列表", "tags must be a list"},
		{"days: [1, x]", 2, 15, "days 须为整数", "days must be a whole number"},
		{"name: x", 2, 11, "name 须为映射（键: 值）", "name must be a mapping (key: value)"},
		{"sub: {rate: x}", 2, 17, "rate 须为数字", "rate must be a number"},
		{"sub: x", 2, 10, "sub 须为映射（键: 值）", "sub must be a mapping (key: value)"},
		{"colour: red", 2, 5, `无法识别的键 "colour"`, `unknown key "colour"`},
	} {
		src, wrong := yamlfile.Parse("x.yaml", []byte("all:\n  - "+tt.text+"\n  - place: last\n"))
		if wrong != nil {
			t.Fatal(wrong)
		}
		node, _, _ := src.Key("all")
		all, mistakes := yamlfile.Each[entry](src, node)
		if len(all) != 2 || len(mistakes) != 2 || mistakes[1].Line != 3 || mistakes[1].EN != "place must be a whole number" {
			t.Errorf("%s: %+v", tt.text, mistakes)
			continue
		}
		if m := mistakes[0]; m.File != "x.yaml" || m.Line != tt.line || m.Column != tt.column || m.ZH != tt.zh || m.EN != tt.en {
			t.Errorf("%s: %+v", tt.text, m)
		}
	}
	if _, wrong := yamlfile.Parse("x.yaml", []byte("a: 1\na: 2\n")); wrong == nil || wrong.Line != 2 || !strings.Contains(wrong.EN, "already defined in line 1") {
		t.Errorf("a key twice: %+v", wrong)
	}
}
