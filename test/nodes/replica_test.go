package nodes

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestReplica: a node that reads its lists from a hot standby shows at once what
// another node acknowledged, and goes on when the standby is away.
func TestReplica(t *testing.T) {
	t.Parallel()
	primary, err := dbtest.LaunchPostgres(filepath.Join(t.TempDir(), "primary"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer primary.Stop()
	database, err := primary.CreateDatabase("casemate")
	if err != nil {
		t.Fatal(err)
	}
	standby, err := dbtest.LaunchStandby(primary, filepath.Join(t.TempDir(), "standby"))
	if err != nil {
		t.Fatal(err)
	}
	defer standby.Stop()
	metrics, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	one := world.Start(t, world.Options{Database: database})
	two := world.Start(t, world.Options{Database: database + "?replica=" + url.QueryEscape(standby.URL("casemate")), NoDemo: true, Config: "metrics: " + metrics + "\n",
		Args: []string{"--demo", "--credentials", one.CredentialsFile(), "--keys", one.Dir + ".keys"}})
	user := one.Domains[0].Users[0]
	writer, reader := sdk(t, one.URL, user), sdk(t, two.URL, user)
	problem := consultation(t, writer)
	surveys := func(by string) int {
		res, err := http.Get("http://" + metrics + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`casemate_surveys_total\{by="` + by + `"\} (\d+)`).FindSubmatch(text)
		if m == nil {
			t.Fatalf("no count of surveys by %s", by)
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	round := func(i int) {
		t.Helper()
		made, err := writer.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: problem, SimpleDescription: fmt.Sprint("replica ", i), SourceId: sourceAPI}})
		if err != nil {
			t.Fatal(err)
		}
		list, err := reader.ListCases(&model.ListCasesRequest{Limit: new(int32(5))})
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range *list.IncidentInfoList {
			if found.IncidentId == *made.IncidentId {
				return
			}
		}
		t.Errorf("round %d: %s is acknowledged and not in the other node's list", i, *made.IncidentId)
	}
	for i := range 60 {
		round(i)
	}
	onReplica := surveys("replica")
	if onReplica < 30 {
		t.Errorf("the replica answered %d lists of 60, the primary %d", onReplica, surveys("primary"))
	}
	standby.Stop()
	for i := range 5 {
		round(60 + i)
	}
	if surveys("primary") < 5 {
		t.Errorf("without the replica the primary answered %d lists", surveys("primary"))
	}
	t.Logf("REPORT replica: %d of 60 lists answered by it, each with the ticket another node had just acknowledged", onReplica)
}
