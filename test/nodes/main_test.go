// Package nodes runs several nodes of the shipped binary on one PostgreSQL,
// behind a balancer, and takes nodes and the database away under load
// (threats.md E7, E10).
package nodes

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const sourceAPI = "83aeb0f2834c4df49826c781d32a963e"

// balancer hands requests to the nodes that say they are ready, in turn; it
// asks them every 100 ms and repeats nothing.
type balancer struct {
	*httptest.Server
	nodes []*behind
	next  atomic.Int64
	ended chan struct{}
}

type behind struct {
	url   *url.URL
	proxy *httputil.ReverseProxy
	up    atomic.Bool
	took  atomic.Int64 // requests
}

func newBalancer(t *testing.T, nodes ...*world.World) *balancer {
	b := &balancer{ended: make(chan struct{})}
	for _, n := range nodes {
		u, err := url.Parse(n.URL)
		if err != nil {
			t.Fatal(err)
		}
		p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // what the client signed
		}}
		p.Transport = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
		p.ErrorHandler = func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, "balancer: "+err.Error(), http.StatusBadGateway)
		}
		b.nodes = append(b.nodes, &behind{url: u, proxy: p})
	}
	look := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	check := func() {
		for _, n := range b.nodes {
			res, err := look.Get(n.url.String() + "/readyz")
			n.up.Store(err == nil && res.StatusCode == http.StatusOK)
			if err == nil {
				res.Body.Close()
			}
		}
	}
	check()
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-b.ended:
				return
			case <-tick.C:
				check()
			}
		}
	}()
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range b.nodes {
			if n := b.nodes[b.next.Add(1)%int64(len(b.nodes))]; n.up.Load() {
				n.took.Add(1)
				n.proxy.ServeHTTP(w, r)
				return
			}
		}
		http.Error(w, "balancer: no node is ready", http.StatusBadGateway)
	}))
	t.Cleanup(func() { close(b.ended); b.Server.Close() })
	return b
}

// sdk is a client of the official SDK with connections of its own, which
// repeats nothing.
func sdk(t *testing.T, endpoint string, u world.User) *osm.OsmClient {
	t.Helper()
	credentials, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(endpoint).WithCredential(credentials).
		WithHttpConfig(config.DefaultHttpConfig().WithTimeout(60 * time.Second).WithRetries(0)).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

// consultation finds a problem type that needs neither a region nor a plan.
func consultation(t *testing.T, c *osm.OsmClient) string {
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
		return "", errors.New("no ticket number in the answer")
	}
	return *answer.IncidentId, nil
}

// described reads a ticket's description.
func described(c *osm.OsmClient, number string) (string, error) {
	d, err := c.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: number})
	if err != nil {
		return "", err
	}
	if d.IncidentDetailInfo == nil {
		return "", errors.New("no ticket in the answer")
	}
	return d.IncidentDetailInfo.SimpleDescription, nil
}

// writers are SDK clients that create tickets, and read each back, until stop
// is closed. again tells whether an error may be met; such a writer goes on.
type writers struct {
	mu    sync.Mutex
	acked map[string]string // number -> description
	tried int
	bad   []error // errors that may not be
	met   int     // errors that may

	group sync.WaitGroup
	stop  chan struct{}
}

func startWriters(t *testing.T, n int, endpoint string, u world.User, problem string, again func(error) bool) *writers {
	w := &writers{acked: map[string]string{}, stop: make(chan struct{})}
	for i := range n {
		c := sdk(t, endpoint, u)
		w.group.Go(func() {
			for j := 0; ; j++ {
				select {
				case <-w.stop:
					return
				default:
				}
				text := fmt.Sprintf("writer %d ticket %d", i, j)
				number, err := create(c, problem, text)
				if err == nil {
					w.mu.Lock()
					w.acked[number] = text
					w.mu.Unlock()
					var got string
					if got, err = described(c, number); err == nil && got != text {
						err = fmt.Errorf("%s reads %q, written %q", number, got, text)
					}
				}
				w.mu.Lock()
				w.tried++
				switch {
				case err == nil:
				case again != nil && again(err):
					w.met++
				default:
					w.bad = append(w.bad, err)
				}
				w.mu.Unlock()
				if err != nil {
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(50 * time.Millisecond) // people; else this measures reading it all again
			}
		})
	}
	return w
}

func (w *writers) end() { close(w.stop); w.group.Wait() }

// lost reads every acknowledged ticket again and counts those that are not
// there as they were written.
func (w *writers) lost(t *testing.T, endpoint string, u world.User) (n int) {
	t.Helper()
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		jobs  = make(chan [2]string)
	)
	for range 8 {
		c := sdk(t, endpoint, u)
		group.Go(func() {
			for j := range jobs {
				if got, err := described(c, j[0]); err != nil || got != j[1] {
					mu.Lock()
					n++
					mu.Unlock()
					t.Errorf("ticket %s: %q, %v", j[0], got, err)
				}
			}
		})
	}
	for number, text := range w.acked {
		jobs <- [2]string{number, text}
	}
	close(jobs)
	group.Wait()
	return n
}

// status is the HTTP status of an SDK error, 0 = none came.
func status(err error) int {
	var s *sdkerr.ServiceResponseError
	if errors.As(err, &s) {
		return s.StatusCode
	}
	return 0
}
