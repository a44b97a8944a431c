//go:build long

package diagnose

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

// TestKilled: the server dies while a check hangs; after the restart the
// diagnosis is taken over and ends. It waits for the dead process's lease.
func TestKilled(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		l, err := net.Listen("tcp", "127.0.0.1:0") // connects, and never speaks
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		id := start(t, sdk(t, w), 3, map[string]string{"domain": "127.0.0.1", "port": port})
		for n := 0; n < 3; n++ { // the connection, then certificate and page, which hang
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		w.Kill()
		w.Run()
		j := wait(t, sdk(t, w), id, 90*time.Second)
		if j.Status.Value() != 3 {
			t.Errorf("%s", j)
		}
		items, err := sdk(t, w).ListDiagnoseItems(&model.ListDiagnoseItemsRequest{Body: &model.QueryDiagnoseItemsReq{JobId: &id}})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range *items.ItemResults {
			if *i.CheckId == "site-certificate" && !strings.Contains(*i.Response, "5 秒内没有应答") {
				t.Errorf("%s", i)
			}
		}
	})
}
