package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/impl"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// awkward holds what encoders get wrong: CJK, blanks, the separators of
// queries, paths, headers and lists, quotes, markup, a combining accent, an
// emoji outside the basic plane.
const awkward = "云 +&=/%~*,;?#:@!$'\"\\<b>|{}[]^`é 😀%2F%00"

// spy keeps the raw body of the last answer, for the comparison with what the
// SDK made of it.
type spy struct {
	http.RoundTripper
	body []byte
}

func (s *spy) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	s.body, err = io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(s.body))
	return res, err
}

// tokenCredentials send a token instead of a signature, through the SDK's own
// extension point.
type tokenCredentials struct{ token string }

func (c tokenCredentials) ProcessAuthParams(*impl.DefaultHttpClient, string) (auth.ICredential, error) {
	return c, nil
}

func (c tokenCredentials) ProcessAuthRequest(_ *impl.DefaultHttpClient, r *request.DefaultHttpRequest) (*request.DefaultHttpRequest, error) {
	return r.Builder().AddHeaderParam("X-Auth-Token", c.token).Build(), nil
}

func client(t *testing.T, w *world.World, how string, user int) (*osm.OsmClient, *spy) {
	t.Helper()
	s := &spy{RoundTripper: &http.Transport{}}
	b := osm.OsmClientBuilder().WithEndpoint(w.URL).WithHttpConfig(config.DefaultHttpConfig().WithHttpRoundTripper(s).WithTimeout(30 * time.Second))
	u := w.Domains[0].Users[user]
	if how == "aksk" {
		c, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
		if err != nil {
			t.Fatal(err)
		}
		b = b.WithCredential(c)
	} else {
		b = b.WithCredentialsType("sdk.tokenCredentials").WithCredential(tokenCredentials{w.Token(t, 0, user)})
	}
	hc, err := b.SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc), s
}

// variant is one way to fill requests.
type variant struct {
	name   string
	values func(good map[string]any) contract.Values
}

// texts are the fields people write into.
var texts = []string{"simple_description", "content", "judgement", "operate_desc", "name", "reject_reason", "title", "app_key", "appKey", "search_key", "account", "password", "product_category_name", "sub_customer_name", "x_customer_name"}

func fit(s string, least, most int) string {
	r := []rune(s)
	for len(r) < least {
		r = append(r, '1')
	}
	if most > 0 && len(r) > most {
		r = r[:most]
	}
	return string(r)
}

var variants = []variant{
	{"all", func(good map[string]any) contract.Values {
		return contract.Values{Full: true, Pick: objects.Pick(good)}
	}},
	{"required", func(good map[string]any) contract.Values { return contract.Values{Pick: objects.Pick(good)} }},
	{"awkward texts", func(good map[string]any) contract.Values {
		return contract.Values{Full: true, Pick: func(name string, s *openapi3.Schema) (any, bool) {
			if slices.Contains(texts, name) && s.Type.Is("string") {
				most := 0
				if s.MaxLength != nil {
					most = int(*s.MaxLength)
				}
				return fit(awkward, int(s.MinLength), most), true
			}
			return objects.Pick(good)(name, s)
		}}
	}},
	{"awkward everywhere", func(good map[string]any) contract.Values {
		return contract.Values{Full: true, Text: func(name string, least, most int) string {
			switch name {
			case "X-Language", "X-Time-Zone", "x-phone-verifiedid", "x-email-verifiedid":
				return fit("+&=%~*,;'\"x", least, most) // headers are ASCII
			case "case_id", "accessory_id", "authorization_id", "message_id", "config_key":
				return fit(strings.ReplaceAll(awkward, "/", ""), least, most) // the Go SDK does not escape / in paths (contract: oddity 16)
			}
			return fit(awkward, least, most)
		}, Pick: func(name string, s *openapi3.Schema) (any, bool) {
			switch {
			case name == "file" || name == "label_ids" || name == "labelIdList":
				return good[name], true
			case s.Type.Is("object") && len(s.Properties) == 0:
				return map[string]any{awkward: awkward}, true
			}
			return nil, false
		}}
	}},
}

// needsMore are operations that need fields which the contract calls optional:
// a request of the required ones only is refused for what it lacks.
var needsMore = strings.Fields(`ConfirmAuthorizations CreateCaseExtendsParam CreateDiagnoseJob CreatePrivileges ListDiagnoseItems ListDiagnoseJob UpdateAuthorizations`)

// TestRoundTrip: the official SDK, unmodified, calls each operation of its
// client with all fields set, with the required ones only, and with awkward
// characters in every text and in every field; signed and with a token; on both
// databases. Every request is decoded, every signature accepted, every answer
// decodes, and what the SDK decoded is all that was sent.
func TestRoundTrip(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Strict: true, Config: objects.Scenes}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			for i, how := range []string{"aksk", "token"} {
				t.Run(how, func(t *testing.T) { roundTrip(t, w, how, 1+i) })
			}
		})
	}
}

func roundTrip(t *testing.T, w *world.World, how string, user int) {
	c, seen := client(t, w, how, user)
	calls := contract.Calls(t)
	file := filepath.Join(t.TempDir(), "note.txt")
	if err := os.WriteFile(file, []byte("a note\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := w.Domains[0]
	m := objects.Maker{World: w, Send: w.SendAs(w.Token(t, 0, user)), Domain: d.ID, User: d.Users[user].ID, Mail: "roundtrip-" + how + "@example.com", Problem: w.Consultation(t), Text: "round trip " + how}
	made, err := m.MakeAll()
	if err != nil {
		t.Fatal(err)
	}
	// The main account lets its users export, and calls what is for it only.
	boss, bossSeen := client(t, w, how, 0)
	if _, err := boss.CreatePrivileges(&model.CreatePrivilegesRequest{Body: &model.CreateAndDeletePrivilegeReq{Operation: "create", Privilege: ptr(model.GetCreateAndDeletePrivilegeReqPrivilegeEnum().EXPORT)}}); err != nil {
		t.Fatal(err)
	}
	succeeded := map[string]bool{}
	tried, done := 0, 0
	refusals, beyond := map[string]int{}, map[string]bool{}
	for _, call := range calls {
		method, seen := reflect.ValueOf(c).MethodByName(call.ID), seen
		if call.ID == "CreatePrivileges" {
			method, seen = reflect.ValueOf(boss).MethodByName(call.ID), bossSeen
		}
		if !method.IsValid() {
			t.Errorf("the SDK has no %s", call.ID)
			continue
		}
		for _, v := range variants {
			values := objects.Good(w, 0, user, made, m.Problem, file)
			if call.ID == "UpdateAuthorizations" {
				values["action_id"] = "reject"
			}
			if err := m.Prepare(t, call.ID, made, values); err != nil {
				t.Errorf("%s, %s: the scene: %v", call.ID, v.name, err)
				continue
			}
			if call.ID == "CreateCases" && v.name == "required" { // a fault wants more
				values["business_type_id"] = m.Problem
			}
			in := v.values(values).Wire(call)
			text, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			req := reflect.New(method.Type().In(0).Elem())
			if err := json.Unmarshal(text, req.Interface()); err != nil {
				t.Errorf("%s, %s: the SDK's request does not take %s: %v", call.ID, v.name, text, err)
				continue
			}
			if v.name != "required" {
				if unset := unset(req.Elem(), call.ID); unset != "" {
					t.Errorf("%s, %s: %s of the SDK's request is not set", call.ID, v.name, unset)
				}
			}
			tried++
			seen.body = nil
			out := method.Call([]reflect.Value{req})
			if failure, _ := out[1].Interface().(error); failure != nil {
				var e *sdkerr.ServiceResponseError
				if !errors.As(failure, &e) || e.ErrorCode == "" || e.ErrorMessage == "" || e.RequestId == "" {
					t.Errorf("%s, %s: %v\nanswer %.300s", call.ID, v.name, failure, seen.body)
					continue
				}
				switch {
				case e.StatusCode >= 500 || strings.HasPrefix(e.ErrorCode, "APIGW.") || strings.HasPrefix(e.ErrorCode, "OSM.000"):
					t.Errorf("%s, %s: %d %s %s\nrequest %.600s", call.ID, v.name, e.StatusCode, e.ErrorCode, e.ErrorMessage, text)
				default:
					refusals[fmt.Sprintf("%s/%s %s", call.ID, v.name, e.ErrorCode)]++
					if v.name == "all" || v.name == "required" && !slices.Contains(needsMore, call.ID) {
						t.Errorf("%s, %s is refused: %s %s\nrequest %.600s", call.ID, v.name, e.ErrorCode, e.ErrorMessage, text)
					}
				}
				continue
			}
			done++
			succeeded[call.ID] = true
			if call.File {
				download(t, call.ID+", "+v.name, seen.body, out[0].Interface())
				continue
			}
			same(t, call.ID+", "+v.name, seen.body, out[0].Interface(), beyond)
		}
	}
	if len(calls) != 82 {
		t.Errorf("%d operations, want 82", len(calls))
	}
	if len(succeeded) != 82 {
		t.Errorf("%d operations have succeeded, want 82", len(succeeded))
	}
	readBack(t, c, m.Problem)
	t.Logf("refusals: %v", slices.Sorted(maps.Keys(refusals)))
	t.Logf("fields the SDK does not know: %v", slices.Sorted(maps.Keys(beyond)))
	t.Logf("REPORT SDK round trip (%s): %d of 82 operations succeed; %d calls, %d succeeded, %d refused for what they are about\n",
		t.Name(), len(succeeded), tried, done, len(refusals))
}

// unset names a field of a request that has no value.
func unset(v reflect.Value, name string) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map:
		if v.IsNil() {
			return name
		}
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
			return unset(v.Elem(), name)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Type == reflect.TypeFor[textproto.MIMEHeader]() { // of the file's part
				continue
			}
			if found := unset(v.Field(i), name+"."+f.Name); found != "" {
				return found
			}
		}
	}
	return ""
}

// same holds what the SDK decoded against the JSON that came: no value is lost
// or another one. Fields the SDK does not know are noted: it ignores them.
func same(t *testing.T, what string, raw []byte, decoded any, beyond map[string]bool) {
	t.Helper()
	var sent any
	if json.Unmarshal(raw, &sent) != nil || len(raw) == 0 {
		return // a stream, handed through unread
	}
	text, err := json.Marshal(decoded)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	call, _, _ := strings.Cut(what, ",")
	if lost := lost(call, sent, got, beyond); lost != "" {
		t.Errorf("%s: the SDK loses %s: %.300s", what, lost, raw)
	}
}

func lost(at string, sent, got any, beyond map[string]bool) string {
	switch s := sent.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at
		}
		for k, v := range s {
			known, ok := g[k]
			if !ok {
				beyond[at+"."+k] = true
				continue
			}
			if found := lost(at+"."+k, v, known, beyond); found != "" {
				return found
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(s) {
			return at
		}
		for i := range s {
			if found := lost(at+"[]", s[i], g[i], beyond); found != "" {
				return found
			}
		}
	default:
		if !reflect.DeepEqual(sent, got) {
			return fmt.Sprintf("%s (%v became %v)", at, sent, got)
		}
	}
	return ""
}

// begins is what the files begin with that the operations send.
var begins = map[string]string{"DownloadAccessories": "round trip ", "DownloadCases": "PK\x03\x04", "DownloadImages": "\x89PNG"}

// download holds the file that the SDK hands over against the bytes that came.
func download(t *testing.T, what string, raw []byte, answer any) {
	t.Helper()
	var file bytes.Buffer
	stream, ok := answer.(interface {
		Consume(io.Writer) (int64, error)
	})
	if !ok {
		t.Errorf("%s: %T is no stream", what, answer)
		return
	}
	call, _, _ := strings.Cut(what, ",")
	if _, err := stream.Consume(&file); err != nil || !bytes.Equal(file.Bytes(), raw) || begins[call] == "" || !strings.HasPrefix(file.String(), begins[call]) {
		t.Errorf("%s: %d bytes of %d: %v: %.100q", what, file.Len(), len(raw), err, file.Bytes())
	}
}

func ptr[T any](v T) *T { return &v }

// readBack: awkward texts come back as they were sent.
func readBack(t *testing.T, c *osm.OsmClient, problem string) {
	t.Helper()
	made, err := c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: problem, SourceId: objects.Source, SimpleDescription: awkward}})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.IncidentId
	if _, err := c.CreateMessages(&model.CreateMessagesRequest{CaseId: id, Body: &model.CreateMessageV2Req{Message: &model.CreateMessageDoV2{Content: awkward}}}); err != nil {
		t.Fatal(err)
	}
	// The SDK has no trim_osm_rich_text_label, and texts come without markup by
	// default: a plain text with < > and & must come back whole, and a <b> that
	// nothing ends is no markup.
	want := awkward
	detail, err := c.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: id})
	if err != nil {
		t.Fatal(err)
	}
	if got := detail.IncidentDetailInfo.SimpleDescription; got != want {
		t.Errorf("description %q came back as %q", awkward, got)
	}
	messages, err := c.ListMessages(&model.ListMessagesRequest{CaseId: id, Limit: ptr(int32(100))})
	if err != nil {
		t.Fatal(err)
	}
	list := *messages.MessageList
	if got := *list[len(list)-1].Content; got != want {
		t.Errorf("message %q came back as %q", awkward, got)
	}
	name := fit("back "+awkward, 1, 64)
	if _, err := c.CreateLabels(&model.CreateLabelsRequest{Body: &model.CreateLabelsReq{Name: name, Color: "#0a0b0c"}}); err != nil {
		t.Fatal(err)
	}
	labels, err := c.ListLabels(&model.ListLabelsRequest{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(labels); !strings.Contains(string(text), "#0a0b0c") {
		t.Errorf("label %q is not found by its name: %s", name, text)
	}
}
