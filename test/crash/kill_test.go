// Package crash kills the shipped binary from outside while it works and
// counts what is left (threats.md E1).
package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

const sourceAPI = "83aeb0f2834c4df49826c781d32a963e"

func ptr[T any](v T) *T { return &v }

// client is one SDK client with a connection of its own.
func client(t *testing.T, w *world.World) *osm.OsmClient {
	u := w.Domains[0].Users[0]
	credentials, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(credentials).
		WithHttpConfig(config.DefaultHttpConfig().WithTimeout(20 * time.Second).WithRetries(0)).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

// problemType finds a problem type that needs neither a region nor a plan.
func problemType(t *testing.T, c *osm.OsmClient) string {
	t.Helper()
	list, err := c.ListProblemTypes(&model.ListProblemTypesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range *list.IncidentBusinessTypeList {
		if *p.CaseType == "0" {
			return *p.BusinessTypeId
		}
	}
	t.Fatal("no problem type of the kind consultation")
	return ""
}

func create(c *osm.OsmClient, problem, text string) (string, error) {
	answer, err := c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{
		BusinessTypeId: problem, SimpleDescription: text, SourceId: sourceAPI}})
	if err != nil {
		return "", err
	}
	if answer.IncidentId == nil {
		return "", fmt.Errorf("no ticket number in the answer")
	}
	return *answer.IncidentId, nil
}

// TestKill9 kills the process again and again under 16 writers. After each
// restart every acknowledged ticket is there, whole, and the counts equal the
// list.
func TestKill9(t *testing.T) {
	kills := 20
	if os.Getenv("CASEMATE_LONG") != "" {
		kills = 100
	}
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o, window := world.Options{}, 100*time.Millisecond
			if database == "postgres" {
				// New connections first load their catalogues and prepare statements.
				o.Database, window = dbtest.DurableDatabase(t), 500*time.Millisecond
			}
			w := world.Start(t, o)
			problem := problemType(t, client(t, w))
			var (
				mu    sync.Mutex
				acked = map[string]string{} // number -> description
				tried int
			)
			for kill := range kills {
				stop := make(chan struct{})
				var writers sync.WaitGroup
				for writer := range 16 {
					writers.Add(1)
					go func() {
						defer writers.Done()
						c := client(t, w)
						for i := 0; ; i++ {
							select {
							case <-stop:
								return
							default:
							}
							text := fmt.Sprintf("kill %d writer %d ticket %d", kill, writer, i)
							number, err := create(c, problem, text)
							mu.Lock()
							tried++
							if err == nil {
								acked[number] = text
							}
							mu.Unlock()
							if err != nil {
								return // the process is gone
							}
						}
					}()
				}
				time.Sleep(window + time.Duration(rand.IntN(300))*time.Millisecond)
				w.Kill()
				close(stop)
				writers.Wait()
				w.Run()
			}
			found := allTickets(t, client(t, w))
			lost := 0
			for number, text := range acked {
				if found[number] != text {
					lost++
					t.Errorf("ticket %s is lost or changed: %q, acknowledged was %q", number, found[number], text)
				}
			}
			half := checkWhole(t, w, acked)
			t.Logf("REPORT %s: %d kills, %d creates tried, %d acknowledged, %d lost, %d half-written\n", database, kills, tried, len(acked), lost, half)
			if len(acked) < kills*16 {
				t.Errorf("only %d tickets were acknowledged: this is no load", len(acked))
			}
		})
	}
}

// allTickets pages through the whole list: number -> description.
func allTickets(t *testing.T, c *osm.OsmClient) map[string]string {
	t.Helper()
	found := map[string]string{}
	total := int32(1)
	for offset := int32(0); offset < total; offset += 100 {
		list, err := c.ListCases(&model.ListCasesRequest{Offset: &offset, Limit: ptr(int32(100))})
		if err != nil {
			t.Fatal(err)
		}
		total = *list.TotalCount
		for _, i := range *list.IncidentInfoList {
			found[i.IncidentId] = i.SimpleDescription
		}
	}
	if len(found) != int(total) {
		t.Errorf("the list shows %d tickets and counts %d", len(found), total)
	}
	counts, err := c.ListCaseCounts(&model.ListCaseCountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, n := range *counts.IncidentStatusCounts {
		sum += int(*n.Count)
	}
	if sum != len(found) {
		t.Errorf("the counts by status add up to %d, the list has %d", sum, len(found))
	}
	return found
}

// checkWhole reads a sample of the acknowledged tickets: each has its first
// message and the line of its creation in the log.
func checkWhole(t *testing.T, w *world.World, acked map[string]string) (half int) {
	t.Helper()
	c := client(t, w)
	n := 0
	for number, text := range acked {
		if n++; n > 200 {
			break
		}
		messages, err := c.ListMessages(&model.ListMessagesRequest{CaseId: number})
		if err != nil {
			t.Fatal(err)
		}
		logs, err := c.ListCaseOperateLogs(&model.ListCaseOperateLogsRequest{CaseId: number})
		if err != nil {
			t.Fatal(err)
		}
		if *messages.Count != 1 || *(*messages.MessageList)[0].Content != text || *logs.TotalCount != 1 {
			half++
			t.Errorf("ticket %s is half-written: %d messages, %d log lines", number, *messages.Count, *logs.TotalCount)
		}
	}
	return half
}
