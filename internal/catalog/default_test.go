package catalog_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/nyaruka/phonenumbers"

	"casemate/internal/catalog"
	"casemate/internal/db/dbtest"
	"casemate/internal/locale"
)

// shipped is a store with nothing but the default catalogue.
func shipped(t *testing.T) *catalog.Catalog {
	t.Helper()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureDefault(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Now()
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

// TestDefaultBilingual reads the shipped files without our parser: wherever
// one language stands, the other stands too and is in that language.
func TestDefaultBilingual(t *testing.T) {
	t.Parallel()
	han := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	}
	names := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			zh, inZH := v["zh"].(string)
			en, inEN := v["en"].(string)
			if inZH || inEN {
				names++
				switch {
				case strings.TrimSpace(zh) == "" || strings.TrimSpace(en) == "":
					t.Errorf("%s: zh %q, en %q", path, zh, en)
				case han(en):
					t.Errorf("%s: Chinese in the English text %q", path, en)
				case !han(zh) && zh != en: // brand names are alike in both
					t.Errorf("%s: no Chinese in %q", path, zh)
				}
			}
			for k, x := range v {
				walk(path+"."+k, x)
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), x)
			}
		}
	}
	for name, text := range catalog.Default() {
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		walk(name, v)
	}
	if names < 650 {
		t.Errorf("only %d names were read", names)
	}
	t.Logf("REPORT default catalogue: %d texts, each in zh and en\n", names)
}

// TestDefaultRichness: what the product promises of its default.
func TestDefaultRichness(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	products := c.ProductsOf("0")
	if len(products) < 12 {
		t.Errorf("%d product types, want 12 or more", len(products))
	}
	kinds := map[int]bool{}
	sensitive, required, ranges, defaults := 0, 0, 0, 0
	for _, p := range c.Products() {
		if p.Acronym == "" {
			t.Errorf("%s has no acronym", p.ID)
		}
		types := c.ProblemTypesOf(p.ID)
		if len(types) < 2 {
			t.Errorf("%s has %d problem types", p.ID, len(types))
		}
		consultations := 0
		for _, pt := range types {
			if pt.CaseType == catalog.Consultation {
				consultations++
			}
			if len(c.Templates(pt.ID)) == 0 {
				t.Errorf("%s has no template", pt.ID)
			}
			for _, param := range c.Params(pt) {
				kinds[param.Kind.Wire()] = true
				if param.Sensitive {
					sensitive++
				}
				if param.Required {
					required++
				}
				if param.Min != nil && param.Max != nil {
					ranges++
				}
				if param.Default != "" {
					defaults++
				}
			}
		}
		if consultations == 0 {
			t.Errorf("%s cannot be asked about", p.ID)
		}
	}
	for _, kind := range []int{1, 3, 4, 5, 7, 8} { // contract/param_type.csv
		if !kinds[kind] {
			t.Errorf("no parameter of kind %d", kind)
		}
	}
	if sensitive == 0 || required == 0 || ranges == 0 || defaults == 0 {
		t.Errorf("sensitive %d, required %d, ranges %d, defaults %d", sensitive, required, ranges, defaults)
	}
	// The console asks for these at a cloud server (semantics.md section 9).
	ecs := c.FindProducts("ecs")
	if len(ecs) != 1 {
		t.Fatalf("ECS: %v", ecs)
	}
	i := slices.IndexFunc(c.ProblemTypesOf(ecs[0].ID), func(p catalog.ProblemType) bool { return p.Name.ZH == "远程登录" })
	if i < 0 {
		t.Fatal("no remote login")
	}
	login := c.ProblemTypesOf(ecs[0].ID)[i]
	for _, key := range []string{"eip", "ecs_id", "remote_port"} {
		if !slices.Contains(login.Params, key) {
			t.Errorf("remote login does not ask for %s", key)
		}
	}
	for _, kind := range []string{"0", "1", "2"} {
		if a, ok := c.LatestAgreement(kind); !ok || a.Version < 1 || utf8.RuneCountInString(a.Content.ZH) < 200 {
			t.Errorf("agreement %s: %v", kind, ok)
		}
	}
	if c.CopyAddresses() != 10 || c.Quota(login.ID) != 50 { // semantics.md D14, D10
		t.Errorf("copy addresses %d, quota %d", c.CopyAddresses(), c.Quota(login.ID))
	}
	if c.RequireAgreement() {
		t.Error("agreements are required by default")
	}
	t.Logf("REPORT default catalogue: %d products, %d problem types, %d calling codes, %d regions\n",
		len(c.Products()), len(c.ProblemTypes()), len(c.AreaCodes(0)), len(c.Regions(0)))
}

// TestDefaultWireLimits holds what goes out against the limits of api/v2.yaml.
func TestDefaultWireLimits(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	id := regexp.MustCompile(`^[!-.0-~]{1,32}$`) // visible ASCII without slash
	short := func(what, s string, most int) {
		if n := utf8.RuneCountInString(s); n > most {
			t.Errorf("%s has %d characters, at most %d: %s", what, n, most, s)
		}
	}
	for _, lang := range []locale.Language{locale.ZH, locale.EN} {
		for _, p := range c.ProblemTypes() {
			short("business_type_name", p.Name.In(lang), 64)
			if !id.MatchString(p.ID) {
				t.Errorf("id %q", p.ID)
			}
			for _, tpl := range c.Templates(p.ID) {
				short("template", tpl.Content.In(lang), 1200)
			}
			for _, x := range c.Params(p) {
				short("param_key", x.Key, 32)
				short("param_name", x.Name.In(lang), 32)
				short("param_desc", x.Desc.In(lang), 128)
				short("tips", x.Tips.In(lang), 128)
				short("default_value", x.Default, 64)
				short("select_item", x.SelectItem(lang), 5000)
			}
		}
		for _, p := range c.CommonParams() {
			short("param_name", p.Name.In(lang), 32)
		}
		for _, s := range c.Severities() {
			short("severity_name", s.Name.In(lang), 32)
		}
		for _, d := range c.Dimensions() {
			short("satisfaction_name", d.Name.In(lang), 32)
			short("satisfaction_desc", d.Desc.In(lang), 128)
		}
	}
	if n := len(c.Severities()); n < 1 || n > 10 {
		t.Errorf("%d severities", n)
	}
	for _, p := range c.Products() {
		if !id.MatchString(p.ID) {
			t.Errorf("id %q", p.ID)
		}
	}
	for _, r := range c.Regions(0) {
		if !id.MatchString(r.ID) {
			t.Errorf("id %q", r.ID)
		}
	}
}

// TestCallingCodes compares with libphonenumber's metadata.
func TestCallingCodes(t *testing.T) {
	t.Parallel()
	listed, byISO := map[int]bool{}, map[string]int{}
	ids := map[int]catalog.AreaCode{}
	c := shipped(t)
	for _, a := range c.AreaCodes(0) {
		n, err := strconv.Atoi(a.Code)
		if err != nil {
			t.Fatal(err)
		}
		listed[n], ids[a.ID] = true, a
		if a.ISO != "" {
			byISO[a.ISO] = n
		}
	}
	supported := phonenumbers.GetSupportedCallingCodes()
	for code := range supported {
		if !listed[code] {
			t.Errorf("calling code %d is missing", code)
		}
	}
	for code := range listed {
		if !supported[code] {
			t.Errorf("calling code %d is not assigned", code)
		}
	}
	for region := range phonenumbers.GetSupportedRegions() {
		if want := phonenumbers.GetCountryCodeForRegion(region); byISO[region] != want {
			t.Errorf("%s has code %d, want %d", region, byISO[region], want)
		}
	}
	if len(ids) < 240 {
		t.Errorf("%d entries", len(ids))
	}
	if first := c.AreaCodes(0)[0]; first.ID != 1 {
		t.Errorf("the China site begins with %v", first)
	}
	abroad := c.AreaCodes(1)
	if len(abroad) != len(ids) || abroad[0].ISO != "AF" || !strings.HasPrefix(abroad[len(abroad)-1].Name.EN, "Z") {
		t.Errorf("international order: %d entries from %v to %v", len(abroad), abroad[0], abroad[len(abroad)-1])
	}
}

// TestKnownIDs: what is publicly known of the original is kept literally.
func TestKnownIDs(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	codes := map[int]catalog.AreaCode{}
	for _, a := range c.AreaCodes(0) {
		codes[a.ID] = a
	}
	kinds := map[string]catalog.Kind{"sub_type": catalog.KindSubType, "product_category": catalog.KindProduct,
		"problem_type": catalog.KindProblemType, "region": catalog.KindRegion, "severity": catalog.KindSeverity, "satisfaction": catalog.KindDimension}
	read := 0
	for _, row := range readCSV(t, "testdata/catalogue.csv") {
		kind, id, zh, en := row[0], row[1], row[2], row[3]
		if id == "" || kind == "case_type" {
			continue
		}
		read++
		if kind == "area_code" {
			n, err := strconv.Atoi(id)
			if err != nil {
				t.Fatal(err)
			}
			if a := codes[n]; a.Code+" "+a.Name.ZH != zh || a.Code+" "+a.Name.EN != en {
				t.Errorf("area code %s is %v, want %s / %s", id, a, zh, en)
			}
			continue
		}
		gotZH, gotEN := c.Name(kinds[kind], id, locale.ZH), c.Name(kinds[kind], id, locale.EN)
		if gotZH == "" {
			t.Errorf("%s %s is missing", kind, id)
			continue
		}
		// The table's names carry remarks: the name must be part of them.
		if zh != "" && !strings.Contains(zh, gotZH) || en != "" && !strings.HasPrefix(en, "(") && !strings.Contains(en, gotEN) && !strings.HasPrefix(en, "Timeliness") {
			t.Errorf("%s %s is %q / %q, known as %q / %q", kind, id, gotZH, gotEN, zh, en)
		}
	}
	if read < 18 {
		t.Errorf("only %d known ids were read", read)
	}
	for _, id := range []string{"0", "1"} {
		if _, ok := c.SubType(id); !ok {
			t.Errorf("sub type %s is missing", id)
		}
	}
	if hk := slices.IndexFunc(c.Regions(1), func(r catalog.Region) bool { return strings.Contains(r.Name.EN, "Hong Kong") }); hk < 0 {
		t.Error("Hong Kong is no international region")
	}
	if r, _ := c.Region("cn-north-1"); r.Type != 0 {
		t.Error("cn-north-1 is no mainland region")
	}
}

// TestSupportPlans compares with the documented table of first responses.
func TestSupportPlans(t *testing.T) {
	t.Parallel()
	c := shipped(t)
	ids := map[string]string{"Core system unavailable": "sev-1", "Core production system unavailable": "sev-1",
		"Production system unavailable": "sev-2", "Production system impaired": "sev-3", "Production system exception": "sev-3",
		"System impaired": "sev-4", "System exception": "sev-4", "General guidance": "sev-5"}
	rows := 0
	want := map[string]map[string]string{}
	for _, row := range readCSV(t, "testdata/sla.csv") {
		rows++
		plan, severity := row[0], ids[row[1]]
		response := strings.NewReplacer(" h", "h", " min", "m").Replace(strings.TrimSuffix(row[2], " (the rest as Partner Standard)"))
		if want[plan] == nil {
			want[plan] = map[string]string{}
		}
		switch {
		case row[1] == "(any)":
			for _, s := range []string{"sev-1", "sev-2", "sev-3", "sev-4", "sev-5"} {
				want[plan][s] = "1d"
			}
			continue
		case plan == "Partner Premier":
			for s, r := range want["Partner Standard"] {
				want[plan][s] = r
			}
		case severity == "":
			t.Errorf("severity %q is not known", row[1])
		}
		want[plan][severity] = response
		p, ok := c.Plan(plan)
		if clock := strings.TrimSuffix(row[3], " (guess)"); !ok || p.Clock != clock {
			t.Errorf("%s has clock %q, want %q", plan, p.Clock, clock)
		}
	}
	for plan, targets := range want {
		p, _ := c.Plan(plan)
		got := map[string]string{}
		for _, target := range p.Targets {
			got[target.Severity] = target.FirstResponse
		}
		if fmt.Sprint(got) != fmt.Sprint(targets) {
			t.Errorf("%s: %v, want %v", plan, got, targets)
		}
	}
	if rows != 22 || len(c.Plans()) != len(want) {
		t.Errorf("%d rows, %d plans, %d shipped", rows, len(want), len(c.Plans()))
	}
}
