package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"casemate/internal/locale"
)

// printed is what print writes in a language, with times in UTC: TestZone has
// the other zones.
func printed(lang locale.Language, print func(*output)) string {
	var b strings.Builder
	print(&output{out: &b, err: io.Discard, lang: lang, zone: time.UTC})
	return b.String()
}

// TestTicketPrinted: everything the desk API tells of a ticket is shown, in both
// languages; nothing that steers the terminal is.
func TestTicketPrinted(t *testing.T) {
	var v ticketView
	var d detailsView
	err := errors.Join(json.Unmarshal([]byte(`{"number":"TS1","status":1,"status_name":"s","domain_name":"Harbour","creator_name":"alice","assignee_name":"chen","owner":"partner",
		"product_category_name":"Storage","business_type_name":"Slow","severity_name":"General","region_name":"Beijing","urges":2,
		"labels":[{"name":"red"},{"name":"blue"}],"related":[{"number":"TS2","status_name":"Done","description":"\u001b[2Jold"}]}`), &v),
		json.Unmarshal([]byte(`{"mobile":"138****","mail":"a***@x","copy_addresses":["c***@x"],"params":[{"key":"k","name":"Bucket","shown":"media"}]}`), &d))
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[locale.Language][]string{
		locale.EN: {"Submitter\talice", "Assignee\tchen", "Ownership\tpartner", "Product\tStorage", "Problem type\tSlow", "Severity\tGeneral", "Region\tBeijing",
			"Labels\tred, blue", "Related ticket\tTS2 Done", "Parameter\tBucket: media", "Mail\ta***@x", "Urged\t2"},
		locale.ZH: {"提交人\talice", "处理人\tchen", "归属\t伙伴", "产品\tStorage", "问题类型\tSlow", "严重程度\tGeneral", "区域\tBeijing", "标签\tred, blue",
			"关联工单\tTS2 Done", "附加参数\tBucket: media"},
	} {
		got := printed(lang, func(o *output) { v.print(o, d) })
		for _, line := range want {
			if !strings.Contains(got, line) {
				t.Errorf("%s: no %q in\n%s", lang, line, got)
			}
		}
		if strings.Contains(got, "\x1b") {
			t.Errorf("a control character is printed: %q", got)
		}
	}
	m := messageView{Kind: "message", Side: "customer", Author: "alice", Gone: true, Created: time.Unix(0, 0).UTC(), Files: []fileView{{"f1", "a\x1b.log", 2048}}}
	for lang, want := range map[locale.Language]string{
		locale.EN: "\n1970-01-01T00:00:00Z  message  customer alice\n(withdrawn)\nattachment\tf1\ta.log\t2.0 KB\n",
		locale.ZH: "\n1970-01-01T00:00:00Z  消息  客户 alice\n（已撤回）\n附件\tf1\ta.log\t2.0 KB\n",
	} {
		if got := printed(lang, m.print); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestOwnName: a customer's file name leads out of no folder and hides nothing.
func TestOwnName(t *testing.T) {
	for in, want := range map[string]string{
		`attachment; filename="a.log"`: "a.log", `attachment; filename="../../etc/passwd"`: "passwd", `attachment; filename=".bashrc"`: "bashrc",
		`attachment; filename="..\\..\\x.exe"`: "x.exe", `attachment; filename*=UTF-8''%E7%AD%94%E5%A4%8D.txt`: "答复.txt",
		`attachment; filename="-rf"`: "rf", `attachment; filename="a/"`: "a",
		`attachment`: "attachment-id", "": "attachment-id", `attachment; filename=".."`: "attachment-id", `attachment; filename="/"`: "attachment-id",
	} {
		if got := ownName(in, "id"); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

// TestNoticeKinds: an unknown kind is refused and the known ones are named.
func TestNoticeKinds(t *testing.T) {
	for kind, how := range map[string]string{"foo": "mail", "assigned": "sms", "quiet_hours": "off"} {
		err := (&preferencesCmd{Notice: map[string]string{kind: how}}).check()
		if err == nil {
			t.Fatalf("%s=%s was taken", kind, how)
		}
		for _, lang := range []locale.Language{locale.ZH, locale.EN} {
			if text := describe(err, lang); !strings.Contains(text, kind) || kind != "assigned" && !strings.Contains(text, "assigned, replied, urged, created, authorized") {
				t.Errorf("%s=%s: %s", kind, how, text)
			}
		}
	}
	for _, kind := range noticeKinds {
		if err := (&preferencesCmd{Notice: map[string]string{kind: "off"}}).check(); err != nil {
			t.Error(err)
		}
	}
}
