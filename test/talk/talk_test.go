// Package talk drives labels, relations and instant messages of the shipped
// binary with the vendor's unmodified Go SDK.
package talk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

const source = "83aeb0f2834c4df49826c781d32a963e"

func client(t *testing.T, w *world.World, domain, user int) *osm.OsmClient {
	t.Helper()
	u := w.Domains[domain].Users[user]
	c, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(c).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

func code(err error) string {
	var e *sdkerr.ServiceResponseError
	errors.As(err, &e)
	if e == nil {
		return ""
	}
	return strings.TrimPrefix(e.ErrorCode, "OSM.0101")
}

// must takes the answer of a call that has to succeed.
func must[T any](t *testing.T) func(res T, err error) T {
	return func(res T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
}

// TestSDK lives a conversation with the SDK as customers use it.
func TestSDK(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			tell(t, world.Start(t, o))
		})
	}
}

func tell(t *testing.T, w *world.World) {
	boss, foreign := client(t, w, 0, 0), client(t, w, 1, 0)
	problems := *must[*model.ListProblemTypesResponse](t)(boss.ListProblemTypes(&model.ListProblemTypesRequest{})).IncidentBusinessTypeList
	i := slices.IndexFunc(problems, func(p model.SimpleIncidentBusinessTypeV2) bool { return p.CaseType != nil && *p.CaseType == "0" })
	create := func(c *osm.OsmClient, text string) string {
		t.Helper()
		return *must[*model.CreateCasesResponse](t)(c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{
			BusinessTypeId: *problems[i].BusinessTypeId, SimpleDescription: text, SourceId: source}})).IncidentId
	}
	var n []string
	for j := range 12 {
		n = append(n, create(boss, fmt.Sprint("a talk about disks ", j)))
	}
	abroad := create(foreign, "abroad")

	// Labels: made, put on in the query of a POST, filtered by, taken off by a DELETE.
	made := []string{"紧急", "100%", "later"}
	for _, name := range made {
		must[*model.CreateLabelsResponse](t)(boss.CreateLabels(&model.CreateLabelsRequest{Body: &model.CreateLabelsReq{Name: name, Color: "#1f6feb"}}))
	}
	percent := "%"
	found := must[*model.ListLabelsResponse](t)(boss.ListLabels(&model.ListLabelsRequest{Name: &percent}))
	if *found.TotalCount != 1 || *(*found.LabelList)[0].Name != "100%" {
		t.Errorf("%v", found)
	}
	all := must[*model.ListLabelsResponse](t)(boss.ListLabels(&model.ListLabelsRequest{}))
	var ids []int32
	for _, l := range *all.LabelList {
		if slices.Contains(made, *l.Name) { // the demo's people have labels of their own
			ids = append(ids, *l.LabelId)
		}
	}
	if len(ids) != len(made) {
		t.Fatalf("of %d labels: %v", len(made), all)
	}
	must[*model.CreateCaseLabelsResponse](t)(boss.CreateCaseLabels(&model.CreateCaseLabelsRequest{CaseId: n[0], LabelIds: ids}))
	must[*model.CreateCaseLabelsResponse](t)(boss.CreateCaseLabels(&model.CreateCaseLabelsRequest{CaseId: n[1], LabelIds: ids[:1]}))
	must[*model.DeleteCaseLabelsResponse](t)(boss.DeleteCaseLabels(&model.DeleteCaseLabelsRequest{CaseId: n[0], LabelIds: ids[:2]}))
	on := must[*model.ListCaseLabelsResponse](t)(boss.ListCaseLabels(&model.ListCaseLabelsRequest{CaseId: n[0]}))
	if len(*on.CaseLabelList) != 1 || *(*on.CaseLabelList)[0].LabelId != ids[2] {
		t.Errorf("%v", on)
	}
	for _, list := range [][]string{{fmt.Sprint(ids[0]), fmt.Sprint(ids[2])}, {fmt.Sprint(ids[0], ",", ids[2])}} { // repeated keys, and joined by a comma
		got := must[*model.ListCasesResponse](t)(boss.ListCases(&model.ListCasesRequest{LabelIdList: &list}))
		if *got.TotalCount != 2 || (*got.IncidentInfoList)[0].IncidentId != n[1] || len(*(*got.IncidentInfoList)[1].LabelList) != 1 {
			t.Errorf("%q: %v", list, got)
		}
	}
	if _, err := foreign.DeleteLabels(&model.DeleteLabelsRequest{LabelId: ids[0]}); code(err) != "0001" {
		t.Errorf("another domain's label: %v", err)
	}
	if _, err := foreign.CreateCaseLabels(&model.CreateCaseLabelsRequest{CaseId: n[0], LabelIds: ids[:1]}); code(err) != "0015" {
		t.Errorf("another domain's ticket: %v", err)
	}

	// Relations, taken away by a DELETE with a body.
	must[*model.CreateRelationsResponse](t)(boss.CreateRelations(&model.CreateRelationsRequest{CaseId: n[0], Body: &model.CreateRelationsReq{RelatedIdList: []string{n[1], n[2], n[3]}}}))
	if _, err := boss.CreateRelations(&model.CreateRelationsRequest{CaseId: n[4], Body: &model.CreateRelationsReq{RelatedIdList: []string{n[0]}}}); code(err) != "0001" {
		t.Errorf("a fourth: %v", err)
	}
	if _, err := boss.CreateRelations(&model.CreateRelationsRequest{CaseId: n[4], Body: &model.CreateRelationsReq{RelatedIdList: []string{abroad}}}); code(err) != "0015" {
		t.Errorf("another domain's: %v", err)
	}
	must[*model.DeleteRelationResponse](t)(boss.DeleteRelation(&model.DeleteRelationRequest{CaseId: n[1], Body: &model.DeleteRelationsReq{RelatedId: n[0]}}))
	related := must[*model.ListRelationResponse](t)(boss.ListRelation(&model.ListRelationRequest{CaseId: n[0]}))
	if len(*related.CaseRelationList) != 2 || *(*related.CaseRelationList)[0].SimpleDescription != "a talk about disks 2" {
		t.Errorf("%v", related)
	}

	// A talk: the poller goes from cursor to cursor over more tickets than fit into one.
	cursor, shown := "", []string{}
	poll := func(numbers []string) int {
		t.Helper()
		before := len(shown)
		got := must[*model.ListNewInstantMessagesResponse](t)(boss.ListNewInstantMessages(&model.ListNewInstantMessagesRequest{CaseIds: numbers, LastMessageTimeId: &cursor}))
		cursor = *got.LastMessageTimeId
		for _, on := range *got.Immsg {
			for _, m := range *on.MessageList {
				shown = append(shown, *m.Content)
			}
		}
		if len(*got.Imstatus) != 12 {
			t.Errorf("%d states", len(*got.Imstatus))
		}
		return len(shown) - before
	}
	if first := poll(n); first != 12 {
		t.Errorf("%d openings", first)
	}
	for j := range 3 {
		must[*model.CreateMessagesResponse](t)(boss.CreateMessages(&model.CreateMessagesRequest{CaseId: n[0], Body: &model.CreateMessageV2Req{Message: &model.CreateMessageDoV2{Content: fmt.Sprint("from the customer ", j)}}}))
		if out, err := w.Local("desk", "reply", n[0], fmt.Sprint("from the engineer ", j)); err != nil {
			t.Fatal(err, out)
		}
		if got := poll([]string{strings.Join(n, ",")}); got != 2 { // joined by commas
			t.Errorf("turn %d: %d messages", j, got)
		}
	}
	if got := poll(n); got != 0 || len(shown) != 18 {
		t.Errorf("%d more, %q", got, shown)
	}
	unread := func(want int32) {
		t.Helper()
		got := must[*model.ListUnreadNewInstantMessagesResponse](t)(boss.ListUnreadNewInstantMessages(&model.ListUnreadNewInstantMessagesRequest{CaseIds: n[:1]}))
		if u := (*got.Imunread)[0]; *u.UnreadNum != want || *u.Status != 1 {
			t.Errorf("%v, want %d", got, want)
		}
	}
	unread(3)
	must[*model.UpdateNewInstantMessagesReadResponse](t)(boss.UpdateNewInstantMessagesRead(&model.UpdateNewInstantMessagesReadRequest{CaseId: n[0], Body: &model.UpdateUnreadNewInstantMsgV2Req{}}))
	unread(0)

	// Paging back by the SDK's own spelling of times, which has whole seconds.
	back, at, kind := map[string]bool{}, time.Now().Add(time.Minute).UTC().Format("2006-01-02T15:04:05Z"), int32(0)
	for turns := 0; turns < 20; turns++ {
		page := *must[*model.ListMoreInstantMessagesResponse](t)(boss.ListMoreInstantMessages(&model.ListMoreInstantMessagesRequest{CaseId: n[0], CreateTime: at, Type: kind, Limit: 2})).MessageList
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			back[*m.Content] = true
		}
		last := page[len(page)-1]
		at, kind = last.CreateTime.String(), *last.Type
	}
	if len(back) != 7 {
		t.Errorf("paged back: %v", back)
	}

	// Withdrawing what was just said.
	detail := must[*model.ShowCaseDetailResponse](t)(boss.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: n[0]})).IncidentDetailInfo
	for _, m := range detail.MessageList {
		if *m.Content == "from the customer 2" {
			must[*model.RevokeMessageResponse](t)(boss.RevokeMessage(&model.RevokeMessageRequest{CaseId: n[0], MessageId: *m.MessageId}))
		}
		if *m.Content == "from the engineer 2" {
			if _, err := boss.RevokeMessage(&model.RevokeMessageRequest{CaseId: n[0], MessageId: *m.MessageId}); code(err) != "0002" {
				t.Errorf("an engineer's message: %v", err)
			}
		}
	}
	said := must[*model.ListMessagesResponse](t)(boss.ListMessages(&model.ListMessagesRequest{CaseId: n[0]}))
	if *said.Count != 7 || *(*said.MessageList)[5].Content != "" {
		t.Errorf("%v", said)
	}

	// The older list.
	size, no := int32(5), int32(2)
	word := []string{"talk disks"}
	old := must[*model.ListOrderIncidentResponse](t)(boss.ListOrderIncident(&model.ListOrderIncidentRequest{SearchKey: &word, PageSize: &size, PageNo: &no}))
	if *old.TotalCount != 12 || len(*old.IncidentInfoList) != 5 || *(*old.IncidentInfoList)[0].IncidentId != n[6] {
		t.Errorf("%v", old)
	}
	onTheDesk(t, w, n)
	if text := w.LogText(); strings.Contains(text, "level=ERROR") {
		t.Errorf("errors in the log:\n%s", text)
	}
}

// onTheDesk: engineers see labels and relations of the ticket, a withdrawn
// message as withdrawn, and have marks of their own.
func onTheDesk(t *testing.T, w *world.World, n []string) {
	tokens := make([]string, 2)
	for i := range tokens {
		var session struct{ Token string }
		desk(t, w, "", "POST", "sessions", map[string]string{"name": w.Engineers[i].Name, "password": w.Engineers[i].Password}, &session)
		tokens[i] = session.Token
	}
	var ticket struct {
		Labels []struct {
			Name      string
			OwnerName string `json:"owner_name"`
		}
		Related []struct{ Number, Description string }
		Unread  *int
	}
	show := func(i, unread int) {
		t.Helper()
		desk(t, w, tokens[i], "GET", "tickets/"+n[0], nil, &ticket)
		if len(ticket.Labels) != 1 || ticket.Labels[0].OwnerName != w.Domains[0].Users[0].Name || len(ticket.Related) != 2 || ticket.Related[0].Number != n[2] || ticket.Unread == nil || *ticket.Unread != unread {
			t.Errorf("engineer %d: %+v, want %d unread", i, ticket, unread)
		}
	}
	show(0, 3) // the opening and two; the third was withdrawn
	desk(t, w, tokens[0], "POST", "tickets/"+n[0]+"/read", nil, nil)
	show(0, 0)
	show(1, 3)
	var list struct {
		Items []struct {
			Text      string
			Withdrawn bool
		}
	}
	desk(t, w, tokens[0], "GET", "tickets/"+n[0]+"/messages", nil, &list)
	if m := list.Items[5]; !m.Withdrawn || m.Text != "" || list.Items[4].Withdrawn {
		t.Errorf("%+v", list.Items)
	}
	if out, err := w.Local("desk", "show", n[0]); err != nil || !strings.Contains(out, "(withdrawn)") || strings.Contains(out, "from the customer 2") {
		t.Errorf("desk show: %v %s", err, out)
	}
}

func desk(t *testing.T, w *world.World, token, method, path string, body, into any) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+"/desk/v1/"+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, text, err)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// TestPollOverHTTP: customers and engineers write through the shipped binary
// while SDK clients go from cursor to cursor: nothing lost, nothing repeated.
func TestPollOverHTTP(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			storm(t, world.Start(t, o))
		})
	}
}

func storm(t *testing.T, w *world.World) {
	const writers, each = 8, 12
	boss := client(t, w, 0, 0)
	page := must[*model.ListCasesResponse](t)(boss.ListCases(&model.ListCasesRequest{IncidentStatus: new("0,1")}))
	var n []string
	for _, i := range *page.IncidentInfoList {
		n = append(n, i.IncidentId)
	}
	if len(n) < 3 {
		t.Fatalf("the demo world has %d open tickets", len(n))
	}
	n = n[:3]
	var session struct{ Token string }
	desk(t, w, "", "POST", "sessions", map[string]string{"name": w.Engineers[0].Name, "password": w.Engineers[0].Password}, &session)
	var writing, polling sync.WaitGroup
	var done atomic.Bool
	for i := range writers {
		writing.Go(func() {
			for j := range each {
				text, number := fmt.Sprintf("storm %d/%d", i, j), n[(i+j)%len(n)]
				if i%2 == 0 {
					_, err := boss.CreateMessages(&model.CreateMessagesRequest{CaseId: number, Body: &model.CreateMessageV2Req{Message: &model.CreateMessageDoV2{Content: text}}})
					if err != nil {
						t.Error(err)
					}
					continue
				}
				desk(t, w, session.Token, "POST", "tickets/"+number+"/steps", map[string]string{"action": "reply", "text": text}, nil)
			}
		})
	}
	polls := make([]map[string]int, 3)
	for p := range polls {
		polls[p] = map[string]int{}
		polling.Go(func() {
			cursor := ""
			for last := false; ; last = done.Load() {
				got, err := client(t, w, 0, 0).ListNewInstantMessages(&model.ListNewInstantMessagesRequest{CaseIds: n, LastMessageTimeId: &cursor})
				if err != nil {
					t.Error(err)
					return
				}
				cursor = *got.LastMessageTimeId
				for _, on := range *got.Immsg {
					for _, m := range *on.MessageList {
						polls[p][*m.Content]++
					}
				}
				if last && len(*got.Immsg) == 0 {
					return
				}
			}
		})
	}
	writing.Wait()
	done.Store(true)
	polling.Wait()
	lost, repeated := 0, 0
	for _, got := range polls {
		for i := range writers {
			for j := range each {
				switch k := got[fmt.Sprintf("storm %d/%d", i, j)]; {
				case k == 0:
					lost++
				case k > 1:
					repeated += k - 1
				}
			}
		}
	}
	if lost+repeated > 0 {
		t.Errorf("lost %d, repeated %d", lost, repeated)
	}
	t.Logf("REPORT polls over HTTP (%s): %d writers wrote %d messages, %d pollers: lost %d, repeated %d\n", t.Name(), writers, writers*each, len(polls), lost, repeated)
}
