package objects

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"casemate/test/world"
)

// A product of the default catalogue and a fault of it.
const (
	ECS         = "69af625c1be54800b58ac4bae4870c90"
	RemoteLogin = "5efc9f47ace944bfafd054161409f15b"
	userCentre  = "b5f0be5c9639466184abf80e01f9fa1d"
)

// Good are values by field name with which an operation called by a user has a
// chance to succeed; kinds of objects that made has not stand with an id that
// never existed. File is what stands for an uploaded file.
func Good(w *world.World, domain, user int, made map[Kind]string, problem, file string) map[string]any {
	u := w.Domains[domain].Users[user]
	now := time.Now().UnixMilli()
	v := map[string]any{
		"X-Site": 0, "X-Language": "en-us", "X-Time-Zone": "GMT+8", "language": "en-us", "timezone": "Europe/London",
		"business_type_id": problem, "businessTypeId": problem, "product_category_id": userCentre, "productCategoryId": userCentre,
		"source_id": Source, "region_id": "cn-north-1", "incident_sub_type_id": "0", "severity_id": "",
		"remind_mail": u.Email, "remind_mobile": u.Mobile, "area_code": "86", "remind_time": "09:00-18:00", "verify_code": "000000", "contact_value": u.Email, "contact_way": 1,
		"extends_map": map[string]any{}, "extension_map": map[string]any{},
		"query_start_time": "2026-01-01 00:00:00", "query_end_time": "2036-01-01 00:00:00", "queryStartTime": "2026-01-01 00:00:00", "queryEndTime": "2036-01-01 00:00:00",
		"expired_time": "2026-01-01 00:00:00", "incident_status": "0,1", "incidentStatus": "0,1", "status": 0, "limit": 10, "offset": 0, "search_key": []any{"a"},
		"x_customer_name": u.Name, "xCustomerName": u.Name, "sub_customer_name": u.Name, "action_id": "press", "color": "#1f6feb", "operation": "create", "privilege": "export",
		"accessory_name": "note.txt", "accessory_data": base64.StdEncoding.EncodeToString([]byte("a note")), "upload_type": 0, "create_time": fmt.Sprint(now),
		"form_data": `{"fileName":"note.txt","accessoryFrom":"incident","uploadType":0}`, "file": file, "last_message_time_id": made[Cursor],
		"satisfaction_id": 1, "satisfaction_value": 1, "auth_effective_time": now, "auth_expire_time": now + 3600_000, "relation_type": "DEFAULT",
		"config_key": "supported_languages", "type": 1, "params": map[string]any{"eip": "127.0.0.1"}, "item_ids": "login-port", "id": 1,
		"type" + text: "spam", "mobile": u.Mobile, "mail": u.Email, "id_type": 20, "ip_type": "copyright", "id_files": []any{"file"}, "pageNo": 1, "pageSize": 10, "page_no": 1, "page_size": 10, "reject_reason": "no",
	}
	for name, kind := range Fields {
		id := made[kind]
		if id == "" {
			id = Never[kind]
		}
		switch name {
		case "case_ids", "related_id_list", "label_id_list", "files":
			v[name] = []any{id}
		case "label_ids", "labelIdList":
			v[name] = []any{json.Number(id)} // numbers in the SDK, strings of digits on the wire
		case "accessory_ids":
			if v[name] = []any{}; made[kind] != "" {
				v[name] = []any{id}
			}
		case "label_id", "authorization_detail_id", "auth_detail_id", "session_id":
			v[name] = json.Number(id)
		default:
			v[name] = id
		}
	}
	return v
}

// text behind a name in Good marks the value of a string where other operations
// have a number of that name.
const text = " as text"

// Pick gives the values to the schemas they fit.
func Pick(good map[string]any) func(string, *openapi3.Schema) (any, bool) {
	return func(name string, s *openapi3.Schema) (any, bool) {
		v, ok := good[name+text]
		if !ok || !s.Type.Is("string") {
			v, ok = good[name]
		}
		if !ok || s.Type.Is("array") != (reflect.TypeOf(v).Kind() == reflect.Slice) {
			return nil, false
		}
		if _, is := v.(string); is && !s.Type.Is("string") {
			return nil, false
		}
		if _, is := v.(string); !is && s.Type.Is("string") && !s.Type.Is("object") {
			return fmt.Sprint(v), true
		}
		return v, true
	}
}
