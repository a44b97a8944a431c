package server

import (
	"encoding/json"
	"strconv"

	"casemate/internal/catalog"
)

// demoWords are what demo customers enter into additional parameters of texts.
var demoWords = map[string]string{
	"ecs_id": "i-7f3a", "eip": "203.0.113.10", "client_ip": "198.51.100.7", "occurred_at": "2026-01-15 10:00 GMT+8", "instance_id": "i-7f3a",
	"cluster_id": "c-2b91", "node_name": "node-3", "workload_name": "default/web", "bucket_name": "media-archive", "domain_name": "www.example.com",
	"request_id": "0000018F-3C1A", "device_model": "AR651", "iam_user": "ops", "login_name": "yunfan-ops", "certificate_tail": "0042",
	"activity_name": "Spring", "order_no": "CS2601150042", "billing_month": "2026-01", "filing_no": "ICP-0042", "filing_phone": "010-55550100",
	"error_message": "ERROR 504: upstream timed out", "pod_log": "Back-off restarting failed container", "slow_sql": "SELECT * FROM orders ORDER BY created_at",
}

// form fills in the additional parameters of the problem type as a customer would.
func (c demoChoices) form(choice catalog.Choice) map[string]json.RawMessage {
	p, ok := c.catalog.ProblemType(choice.ProblemType)
	if !ok {
		return nil
	}
	all := map[string]json.RawMessage{}
	for _, param := range c.catalog.Params(p) {
		value := demoWords[param.Key]
		switch param.Kind {
		case catalog.ParamInteger:
			if value = "1"; param.Min != nil {
				value = strconv.FormatInt(*param.Min, 10)
			}
		case catalog.ParamChoice, catalog.ParamChoices:
			value = param.Items[0].Value
		case catalog.ParamAgreement:
			value = "1"
		default:
			if value == "" && param.Required { // a catalogue of the operator's own
				value = "0"
			}
		}
		if value != "" {
			all[param.Key] = json.RawMessage(strconv.Quote(value))
		}
	}
	return all
}
