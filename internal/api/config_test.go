package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"casemate/internal/api"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// Ids of the default catalogue (documented ones of the original service).
const (
	ecs         = "69af625c1be54800b58ac4bae4870c90"
	remoteLogin = "5efc9f47ace944bfafd054161409f15b"
)

// catalogWorld is the real surface over a store with the default catalogue and
// a customer of each of two support plans.
type catalogWorld struct {
	handler  http.Handler
	contract *openapi3.T
	catalog  *catalog.Service
	business principal.Principal // plan Business
	free     principal.Principal // no plan
}

func eachCatalogWorld(t *testing.T, test func(t *testing.T, w *catalogWorld)) {
	t.Helper()
	t.Parallel()
	contract := contractOf(t)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &catalogWorld{contract: contract}
		var err error
		if w.catalog, err = catalog.New(t.Context(), d, catalog.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := w.catalog.EnsureDefault(t.Context()); err != nil {
			t.Fatal(err)
		}
		people := identity.New(d, sealtest.Keyring(t), identity.Options{PasswordMemory: 64})
		join := func(name, plan string) principal.Principal {
			dom, err := people.CreateDomain(t.Context(), principal.AsSystem(principal.House), identity.NewDomain{Name: name, Plan: plan})
			if err != nil {
				t.Fatal(err)
			}
			return principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: "user-of-" + name, Main: true}
		}
		w.business, w.free = join("business", "Business"), join("free", "")
		w.handler, err = api.New(api.Nouns{Catalog: w.catalog}, api.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		test(t, w)
	})
}

var number = regexp.MustCompile(`/\d+/`)

// call sends a request and holds the answer against the contract.
func (w *catalogWorld) call(t *testing.T, who principal.Principal, method, path, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, "/v2/servicerequest/"+path, strings.NewReader(body))
	req.Header.Set("X-Auth-Token", "verified in front of the surface")
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	ctx := locale.With(principal.With(req.Context(), who),
		locale.Parse(req.Header.Get("X-Language"), req.Header.Get("X-Time-Zone"), req.Header.Get("X-Site")))
	req = req.WithContext(ctx)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	raw := rec.Body.Bytes()
	template := number.ReplaceAllString(req.URL.Path, "/{id}/")
	item := w.contract.Paths.Value(template)
	if item == nil {
		t.Fatalf("%s is not in the contract", template)
	}
	route := &routers.Route{Spec: w.contract, Path: template, PathItem: item, Method: method, Operation: item.GetOperation(method)}
	in := &openapi3filter.RequestValidationInput{Request: req, Route: route}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(),
		Body: io.NopCloser(bytes.NewReader(raw))}
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s %s: the answer breaks the contract: %v\n%s", method, path, err, raw)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, path, rec.Code, raw)
	}
	return rec.Code, answer
}

func (w *catalogWorld) get(t *testing.T, path string, headers ...string) map[string]any {
	t.Helper()
	status, answer := w.call(t, w.business, http.MethodGet, path, "", headers...)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %v", path, status, answer)
	}
	return answer
}

// list is a list of the answer; it must be there, be it empty.
func list(t *testing.T, answer map[string]any, name string) []map[string]any {
	t.Helper()
	raw, ok := answer[name].([]any)
	if !ok {
		t.Fatalf("no list %s in %v", name, answer)
	}
	out := []map[string]any{}
	for _, v := range raw {
		out = append(out, v.(map[string]any))
	}
	if n, ok := answer["total_count"]; ok && n != float64(len(raw)) {
		t.Errorf("total_count %v of %d %s", n, len(raw), name)
	}
	return out
}

// find is the only element with the value.
func find(t *testing.T, items []map[string]any, key string, value any) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, item := range items {
		if item[key] == value {
			found = append(found, item)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d elements with %s %v", len(found), key, value)
	}
	return found[0]
}

func wants(t *testing.T, got map[string]any, fields map[string]any) {
	t.Helper()
	for k, v := range fields {
		if got[k] != v {
			t.Errorf("%s is %#v, want %#v", k, got[k], v)
		}
	}
}

const en = "en-us"

func TestListAreaCodes(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		zh := list(t, w.get(t, "config/area-codes"), "area_code_list")
		wants(t, find(t, zh, "id", 1.0), map[string]any{"area_code": "86", "area_name": "中国"})
		wants(t, find(t, zh, "id", 2.0), map[string]any{"area_code": "354", "area_name": "冰岛"})
		wants(t, zh[0], map[string]any{"area_code": "86"})
		abroad := list(t, w.get(t, "config/area-codes", "X-Language", en, "X-Site", "1"), "area_code_list")
		wants(t, find(t, abroad, "id", 1.0), map[string]any{"area_name": "China"})
		if abroad[0]["area_name"] != "Afghanistan" || len(abroad) != len(zh) {
			t.Errorf("international: %d codes from %v", len(abroad), abroad[0])
		}
	})
}

func TestListCaseCategories(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		types := list(t, w.get(t, "config/categories"), "incident_sub_type_list")
		wants(t, types[0], map[string]any{"incident_sub_type_id": "0", "incident_sub_type_name": "产品类"})
		wants(t, types[1], map[string]any{"incident_sub_type_id": "1"})
		products := list(t, types[0], "incident_product_category_list")
		if len(products) < 12 {
			t.Errorf("%d products", len(products))
		}
		wants(t, find(t, products, "incident_product_category_acronym", "ECS"), map[string]any{"incident_product_category_id": ecs,
			"incident_product_category_name": "弹性云服务器", "can_use_support_plan": true})
		business := list(t, types[1], "incident_product_category_list")
		wants(t, find(t, business, "incident_product_category_id", "b5f0be5c9639466184abf80e01f9fa1d"),
			map[string]any{"incident_product_category_name": "用户中心", "can_use_support_plan": false})

		flat := list(t, w.get(t, "config/product-categories"), "incident_product_category_list")
		if len(flat) != len(products)+len(business) {
			t.Errorf("%d products in the flat list, %d in the tree", len(flat), len(products)+len(business))
		}
		one := list(t, w.get(t, "config/product-categories?product_category_name=elastic%20cloud", "X-Language", en), "incident_product_category_list")
		if len(one) != 1 || one[0]["incident_product_category_name"] != "Elastic Cloud Server" {
			t.Errorf("by name: %v", one)
		}
		if none := list(t, w.get(t, "config/product-categories?product_category_name=nope"), "incident_product_category_list"); len(none) != 0 {
			t.Errorf("nope: %v", none)
		}
	})
}

func TestListProblemTypes(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		const name = "incident_business_type_list"
		all := list(t, w.get(t, "config/problems"), name)
		wants(t, find(t, all, "business_type_id", "b6dc3d3bf7ef434fa3f23d79cfc41449"), map[string]any{"business_type_name": "配额调整申请", "case_type": "0", "can_use_support_plan": false})
		wants(t, find(t, all, "business_type_id", "9b1a349c3a2849a391d58c10f9dc55a1"), map[string]any{"business_type_name": "续费咨询", "case_type": "0"})
		some := list(t, w.get(t, "config/problems?product_category_id="+ecs, "X-Language", en), name)
		wants(t, find(t, some, "business_type_id", remoteLogin), map[string]any{"business_type_name": "Remote login", "case_type": "5", "can_use_support_plan": true})
		if len(some) < 3 || len(some) >= len(all) {
			t.Errorf("%d of %d problem types are ECS's", len(some), len(all))
		}
		if none := list(t, w.get(t, "config/problems?product_category_id=nope"), name); len(none) != 0 {
			t.Errorf("unknown product: %v", none)
		}
	})
}

func TestListCaseTemplates(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		zh := list(t, w.get(t, "config/templates?business_type_id="+remoteLogin), "incident_template_list")
		wants(t, zh[0], map[string]any{"incident_template_name": "远程登录"})
		if text := zh[0]["incident_template_content"].(string); !strings.Contains(text, "报错信息原文") || strings.HasSuffix(text, "\n") {
			t.Errorf("%q", text)
		}
		english := list(t, w.get(t, "config/templates?business_type_id="+remoteLogin, "X-Language", en), "incident_template_list")
		wants(t, english[0], map[string]any{"incident_template_name": "Remote login", "incident_template_id": zh[0]["incident_template_id"]})
	})
}

func TestListExtendsParams(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		answer := w.get(t, "config/extends-map?business_type_id="+remoteLogin+"&incident_sub_type_id=0&product_category_id="+ecs)
		params := list(t, answer, "extends_params")
		wants(t, find(t, params, "param_key", "remote_port"), map[string]any{"param_type": 1.0, "param_name": "远程端口", "required": 0.0,
			"min_value": 1.0, "max_value": 65535.0, "default_value": "22", "is_show": 1.0, "is_sensitive": 0.0, "language": "zh-cn", "select_item": ""})
		wants(t, find(t, params, "param_key", "client_ip"), map[string]any{"param_type": 3.0, "is_sensitive": 1.0})
		wants(t, find(t, params, "param_key", "error_message"), map[string]any{"param_type": 8.0, "length": 2000.0})
		os := find(t, params, "param_key", "os_type")
		wants(t, os, map[string]any{"param_type": 4.0, "default_value": "linux",
			"select_item": `[{"value":"linux","label":"Linux"},{"value":"windows","label":"Windows"},{"value":"other","label":"其他"}]`})
		wants(t, find(t, list(t, answer, "common_params"), "param_key", "region_id"), map[string]any{"is_show": 1.0, "is_required": 1.0, "param_name": "区域"})

		answer = w.get(t, "config/extends-map?business_type_id=dns-record", "X-Language", en)
		wants(t, find(t, list(t, answer, "common_params"), "param_key", "region_id"), map[string]any{"is_required": 0.0, "param_name": "Region"})
		wants(t, find(t, list(t, answer, "extends_params"), "param_key", "domain_name"), map[string]any{"required": 1.0, "language": en, "param_name": "Domain name"})
		answer = w.get(t, "config/extends-map?business_type_id=vpc-security-group")
		if none := list(t, answer, "extends_params"); len(none) != 0 {
			t.Errorf("parameters where none are asked for: %v", none)
		}
	})
}

func TestListSeverities(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		path := "config/severities?product_category_id=" + ecs + "&business_type_id=" + remoteLogin
		answer := w.get(t, path)
		got := list(t, answer, "severity_list")
		if answer["show"] != true || len(got) != 4 {
			t.Fatalf("plan Business: %v", answer)
		}
		wants(t, got[0], map[string]any{"severity_id": "sev-2", "severity_name": "业务系统不可用", "language": "zh-cn"})
		wants(t, list(t, w.get(t, path, "X-Language", en), "severity_list")[3], map[string]any{"severity_id": "sev-5", "severity_name": "General guidance", "language": en})
		status, answer := w.call(t, w.free, http.MethodGet, path, "")
		if status != http.StatusOK || answer["show"] != false || len(list(t, answer, "severity_list")) != 0 {
			t.Errorf("no plan: %d %v", status, answer)
		}
		answer = w.get(t, "config/severities?product_category_id=billing&business_type_id=billing-bill")
		if answer["show"] != false {
			t.Errorf("where plans do not apply: %v", answer)
		}
	})
}

func TestListRegionsDimensionsLimits(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		all := list(t, w.get(t, "config/regions"), "data_center_list")
		wants(t, find(t, all, "region_id", "cn-north-1"), map[string]any{"region_name": "华北-北京一", "type": 0.0, "is_sensitive": 0.0})
		wants(t, find(t, all, "region_id", "cn-south-4"), map[string]any{"is_sensitive": 1.0})
		abroad := list(t, w.get(t, "config/regions", "X-Site", "1", "X-Language", en), "data_center_list")
		wants(t, find(t, abroad, "region_name", "CN-Hong Kong"), map[string]any{"type": 1.0})
		for _, r := range abroad {
			wants(t, r, map[string]any{"type": 1.0})
		}
		if len(abroad) >= len(all) {
			t.Errorf("%d of %d regions are international", len(abroad), len(all))
		}
		dims := list(t, w.get(t, "config/satisfaction-dimensions"), "satisfaction_dimension_list")
		wants(t, find(t, dims, "satisfaction_id", 1.0), map[string]any{"value": 5.0, "per_value": 1.0, "sat_category_id": "1", "satisfaction_name": "处理时效性满意度"})
		limits := w.get(t, "config/limits")["config"].(map[string]any)
		wants(t, limits, map[string]any{"create_case_ccemail_max_count": 10.0})
	})
}

// TestConfigRefusals: unknown ids, missing and overlong parameters, strangers;
// each refusal has its code and names the field in both languages.
func TestConfigRefusals(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		long := strings.Repeat("x", 65)
		tests := []struct {
			path   string
			status int
			code   string
			field  string
		}{
			{"config/templates?business_type_id=nope", 400, "OSM.01010001", "business_type_id"},
			{"config/templates", 400, "OSM.01010001", "business_type_id"},
			{"config/templates?business_type_id=" + long, 400, "OSM.01010001", "business_type_id"},
			{"config/extends-map?business_type_id=nope", 400, "OSM.01010001", "business_type_id"},
			{"config/extends-map?business_type_id=" + remoteLogin + "&incident_sub_type_id=7", 400, "OSM.01010030", "incident_sub_type_id"},
			{"config/extends-map?business_type_id=" + remoteLogin + "&product_category_id=nope", 400, "OSM.01010001", "product_category_id"},
			{"config/extends-map?business_type_id=" + remoteLogin + "&product_category_id=obs", 400, "OSM.01010001", "business_type_id"},
			{"config/severities?product_category_id=" + ecs + "&business_type_id=nope", 400, "OSM.01010001", "business_type_id"},
			{"config/severities?product_category_id=" + ecs + "&business_type_id=", 400, "OSM.01010001", "business_type_id"},
			{"config/severities?product_category_id=nope&business_type_id=" + remoteLogin, 400, "OSM.01010001", "product_category_id"},
			{"config/severities?business_type_id=" + remoteLogin, 400, "OSM.01010001", "product_category_id"},
			{"config/problems?product_category_id=" + long, 400, "OSM.01010001", "product_category_id"},
			{"config/product-categories?product_category_name=" + url.QueryEscape(strings.Repeat("云", 65)), 400, "OSM.01010001", "product_category_name"},
		}
		for _, tt := range tests {
			texts := map[string]bool{}
			for _, lang := range []string{"zh-cn", en} {
				status, answer := w.call(t, w.business, http.MethodGet, tt.path, "", "X-Language", lang)
				msg, _ := answer["error_msg"].(string)
				if status != tt.status || answer["error_code"] != tt.code || !strings.Contains(msg, tt.field) || len(answer) != 2 {
					t.Errorf("%s: %d %v", tt.path, status, answer)
				}
				texts[msg] = true
			}
			if len(texts) != 2 {
				t.Errorf("%s: the same text in both languages: %v", tt.path, texts)
			}
		}
		for _, at := range []string{"area-codes", "categories", "product-categories", "problems", "regions", "satisfaction-dimensions", "limits"} {
			if status, answer := w.call(t, principal.Principal{}, http.MethodGet, "config/"+at, ""); status != http.StatusUnauthorized || len(answer) != 2 {
				t.Errorf("%s without credentials: %d %v", at, status, answer)
			}
			engineer := principal.Principal{Kind: principal.Engineer, Domain: principal.House, Role: principal.RoleAdministrator}
			if status, answer := w.call(t, engineer, http.MethodGet, "config/"+at, ""); status != http.StatusForbidden || answer["error_code"] != "OSM.01010011" {
				t.Errorf("%s as engineer: %d %v", at, status, answer)
			}
		}
	})
}

// TestRetiredIsNotOffered: what an operator removed is gone from every query.
func TestRetiredIsNotOffered(t *testing.T) {
	eachCatalogWorld(t, func(t *testing.T, w *catalogWorld) {
		files := catalog.Default()
		text := string(files["regions.yaml"])
		line := "  - {id: ap-southeast-2, type: 1, name: {zh: 亚太-曼谷, en: AP-Bangkok}}\n"
		if !strings.Contains(text, line) {
			t.Fatal("the region is not where the test thinks")
		}
		files["regions.yaml"] = []byte(strings.Replace(text, line, "", 1))
		before := len(list(t, w.get(t, "config/regions"), "data_center_list"))
		if _, err := w.catalog.Apply(t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion); err != nil {
			t.Fatal(err)
		}
		after := list(t, w.get(t, "config/regions"), "data_center_list")
		for _, r := range after {
			if r["region_id"] == "ap-southeast-2" {
				t.Error("still offered")
			}
		}
		if len(after) != before-1 {
			t.Errorf("%s regions, want %d", strconv.Itoa(len(after)), before-1)
		}
	})
}
