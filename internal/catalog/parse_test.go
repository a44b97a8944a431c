package catalog_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/locale"
)

// lineOf is the line of the first place of a text in a file of the default.
func lineOf(t *testing.T, files map[string][]byte, file, text string) int {
	t.Helper()
	before, _, ok := strings.Cut(string(files[file]), text)
	if !ok {
		t.Fatalf("%s does not hold %q", file, text)
	}
	return strings.Count(before, "\n") + 1
}

// TestMistakes: each kind of mistake is found, with its file, its line and a
// reason in both languages.
func TestMistakes(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		file      string
		old, text string
		at        string // text on the line that must be named; "" = the replaced text
		words     string // of the English reason
	}{
		{"no YAML", "regions.yaml", "regions:\n", "regions: [\n", "-", "cannot be read"},
		{"unknown key", "regions.yaml", "type: 0,", "typ: 0,", "", "unknown key"},
		{"anchor", "regions.yaml", "type: 0,", "type: &zero 0,", "", "are not taken"},
		{"tag", "regions.yaml", "type: 0,", "type: !!int 0,", "", "are not taken"},
		{"repeated key", "limits.yaml", "create_requires_agreement: false", "create_case_ccemail_max_count: 9", "", "already defined"},
		{"wrong type", "regions.yaml", "type: 0,", "type: north,", "", "must be a whole number"},
		{"missing translation", "products-network.yaml", "{zh: 解析记录咨询, en: Records}", "{zh: 解析记录咨询}", "", "English text (en) is missing"},
		{"missing Chinese", "regions.yaml", "zh: 华北-北京一, ", "", "cn-north-1", "Chinese text (zh) is missing"},
		{"repeated id", "regions.yaml", "id: cn-north-2", "id: cn-north-1", "Beijing2", "used twice, first in regions.yaml:"},
		{"repeated problem type over files", "products-storage.yaml", "id: evs-expand\n", "id: dns-record\n", "", "used twice, first in products-network.yaml:"},
		{"slash in an id", "regions.yaml", "id: cn-north-1,", "id: cn/north-1,", "", "does not have the form"},
		{"id of 33", "regions.yaml", "id: cn-north-1,", "id: " + strings.Repeat("x", 33) + ",", "", "does not have the form"},
		{"unknown sub type", "products-compute.yaml", `sub_type: "0"`, `sub_type: "9"`, "", `no sub_type "9"`},
		{"unknown param", "products-compute.yaml", "params: [ecs_id, eip, remote_port", "params: [ecs_id, eip, remote_prot", "", `no param "remote_prot"`},
		{"param twice", "products-compute.yaml", "params: [ecs_id, eip, remote_port", "params: [ecs_id, eip, eip", "", "asked for twice"},
		{"unknown severity", "severities.yaml", "{severity: sev-5, first_response: 24h, next_response: 24h}", "{severity: sev-6, first_response: 24h}", "", `no severity "sev-6"`},
		{"bad response time", "severities.yaml", "first_response: 24h,", "first_response: soon,", "", "does not have the form"},
		{"bad colour", "severities.yaml", `"#c7000b"`, `"#C7000B0"`, "", "does not have the form"},
		{"bad case type", "products-network.yaml", `case_type: "5"`, `case_type: "1"`, "", "not one of 0, 5"},
		{"bad param kind", "params.yaml", "    kind: integer", "    kind: number", "", "not one of integer"},
		{"default outside", "params.yaml", `default: "22"`, `default: "70000"`, "", "not a value of this parameter"},
		{"default no item", "params.yaml", "default: linux", "default: beos", "", "not a value of this parameter"},
		{"min above max", "params.yaml", "max: 65535", "max: 0", "min: 1", "0 <= min <= max"},
		{"items missing", "params.yaml", "    length: 45\n    name: {zh: 弹性公网 IP, en: EIP}", "    length: 45\n    items: [{value: a, name: {zh: 甲, en: A}}]\n    name: {zh: 弹性公网 IP, en: EIP}", "items: [{value: a", "must not have them"},
		{"name too long", "params.yaml", "en: Remote port}", "en: " + strings.Repeat("p", 33) + "}", "", "at most 32"},
		{"template too long", "products-network.yaml", "1. 源地址、目的地址、协议和端口：", "1. " + strings.Repeat("长", 1200), "              zh: |\n                1. 长", "at most 1200"},
		{"bad calling code", "area-codes.yaml", `code: "86"`, `code: "+86"`, "", "does not have the form"},
		{"negative quota", "products-business.yaml", "quota: -1", "quota: -2", "", "between -1 and 65535"},
		{"region type", "regions.yaml", "id: cn-north-1, type: 0", "id: cn-north-1, type: 2", "", "between 0 and 1"},
		{"limits twice", "regions.yaml", "regions:\n", "limits:\n  create_case_ccemail_max_count: 1\nregions:\n", "limits:", "only once"},
		{"signature without agreement type", "agreements.yaml", `  - {type: "0",`, `  - {type: "9",`, `type: "0"` + "\n    version", `no agreement type "0"`},
		{"too many copy addresses", "limits.yaml", "create_case_ccemail_max_count: 10", "create_case_ccemail_max_count: 65536", "", "between 0 and 65535"},
		{"required what", "common-params.yaml", "required: fault", "required: sometimes", "", "not one of never, always, fault"},
		{"control character", "satisfaction.yaml", "en: Timeliness", `en: "Time\bliness"`, "", "control characters"},
	}
	small := smaller{s: s}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var others []string
			if strings.Contains(tt.name, "over files") {
				others = []string{"products-network.yaml"}
			}
			files := small.edited(t, tt.file, tt.old, tt.text, others...)
			_, err := s.Plan(t.Context(), admin, files)
			f, ok := fault.As(err)
			var broken *catalog.Broken
			if !ok || f.Kind != fault.Invalid || f.Code != "OSM.01010001" || !errors.As(err, &broken) {
				t.Fatalf("not refused: %v", err)
			}
			found := false
			for _, m := range broken.Mistakes {
				if m.ZH == "" || m.EN == "" {
					t.Errorf("a reason in one language: %+v", m)
				}
				at := tt.at
				if at == "" {
					at = strings.TrimSpace(tt.text)
				}
				fits := m.File == tt.file && strings.Contains(m.EN, tt.words)
				found = found || fits && (at == "-" || m.Line == lineOf(t, files, tt.file, at))
			}
			if !found {
				t.Errorf("no mistake in %s with %q at the line of %q:\n%v", tt.file, tt.words, tt.at, err)
			}
			if text := locale.Text(locale.ZH, f); !strings.Contains(text, tt.file) || !strings.Contains(text, "未作任何更改") {
				t.Errorf("Chinese text: %s", text)
			}
		})
	}
	if s.Now().Version != 0 {
		t.Error("planning changed the store")
	}
}

// TestAllMistakesAtOnce: the operator sees everything in one go.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := edited(t, "regions.yaml", "id: cn-north-2", "id: cn-north-1")
	text := strings.Replace(string(files["params.yaml"]), "    kind: integer", "    kind: number", 1)
	files["params.yaml"] = []byte(strings.Replace(text, "en: EIP", "en: ''", 1))
	_, err = s.Plan(t.Context(), admin, files)
	var broken *catalog.Broken
	if !errors.As(err, &broken) || len(broken.Mistakes) != 3 {
		t.Errorf("%v", err)
	}
}

// TestWhatIsNoCatalogue: nothing, strange files, files that would retire it all.
func TestWhatIsNoCatalogue(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	many := map[string][]byte{}
	for i := range 201 {
		many[fmt.Sprintf("%d.yaml", i)] = nil
	}
	odd := maps.Clone(catalog.Default())
	odd["notes.txt"] = []byte("hello")
	big := maps.Clone(catalog.Default())
	big["big.yaml"] = []byte("# " + strings.Repeat("x", 1<<20))
	two := maps.Clone(catalog.Default())
	two["two.yaml"] = []byte("regions: []\n---\nregions: []\n")
	for name, tt := range map[string]struct {
		files map[string][]byte
		words string
	}{
		"nothing":       {nil, "no .yaml files"},
		"empty file":    {map[string][]byte{"a.yaml": nil}, "are missing"},
		"comments only": {map[string][]byte{"a.yaml": []byte("# nothing\n")}, "are missing"},
		"a list":        {map[string][]byte{"a.yaml": []byte("- 1\n")}, "a.yaml"},
		"a scalar":      {map[string][]byte{"a.yaml": []byte("hello\n")}, "a.yaml"},
		"other files":   {odd, "notes.txt: only .yaml"},
		"too many":      {many, "at most 200"},
		"too big":       {big, "big.yaml: the file has more"},
		"outside":       {map[string][]byte{"../a.yaml": nil}, "not a file name"},
		"absolute":      {map[string][]byte{"/etc/a.yaml": nil}, "not a file name"},
		"latin-1":       {map[string][]byte{"a.yaml": []byte("# \xe4\n")}, "not UTF-8"},
		"null byte":     {map[string][]byte{"a.yaml": []byte("# \x00\n")}, "not UTF-8"},
		"two documents": {two, "two.yaml: a file may hold one"},
	} {
		_, err := s.Plan(t.Context(), admin, tt.files)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPlan: whatever an operator's file holds, the answer is a difference or
// a list of mistakes, never a panic.
func FuzzPlan(f *testing.F) {
	for name, text := range catalog.Default() {
		if len(text) > 800 { // the start of each file shows its shape
			text = text[:800+strings.IndexByte(string(text[800:]), '\n')]
		}
		f.Add(name, text)
	}
	for _, text := range []string{"regions: [", "regions:\n  - ~", "limits: ~", "a: &a [*a]", "products:\n  - problem_types: [~]", "\xff\xfe", "? - x", "regions: !!binary x", "<<: *x"} {
		f.Add("a.yaml", []byte(text))
	}
	d := dbtest.Open(f, sqliteOptions(f))
	s, err := catalog.New(f.Context(), d, catalog.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		_, err := s.Plan(t.Context(), admin, map[string][]byte{name: text})
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatal(err)
		}
	})
}
