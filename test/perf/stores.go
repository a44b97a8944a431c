package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite"

	"casemate/internal/db/dbtest"
)

// process is a running casemate with what the load needs to know of it.
type process struct {
	url, ak, sk, problem string
	pid                  int
	stop                 func()
}

func start(binary, dir, database string, more ...string) (*process, error) {
	addr, err := dbtest.Free()
	if err != nil {
		return nil, err
	}
	credentials := filepath.Join(dir, "credentials.json")
	args := []string{"serve", "--demo", "--data", filepath.Join(dir, "data"), "--listen", addr, "--credentials", credentials, "--log-level", "warn"}
	if database != "" {
		args = append(args, "--database", database)
	}
	cmd := exec.Command(binary, append(args, more...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{url: "http://" + addr, pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}}
	if err := p.wait(credentials); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *process) wait(credentials string) error {
	var w struct {
		Domains []struct {
			Users []struct{ AK, SK string }
		}
	}
	for range 600 {
		time.Sleep(100 * time.Millisecond)
		text, err := os.ReadFile(credentials)
		if err != nil || json.Unmarshal(text, &w) != nil {
			continue
		}
		p.ak, p.sk = w.Domains[0].Users[0].AK, w.Domains[0].Users[0].SK
		c, err := global.NewCredentialsBuilder().WithAk(p.ak).WithSk(p.sk).SafeBuild()
		if err != nil {
			return err
		}
		hc, err := osm.OsmClientBuilder().WithEndpoint(p.url).WithCredential(c).SafeBuild()
		if err != nil {
			return err
		}
		list, err := osm.NewOsmClient(hc).ListProblemTypes(&model.ListProblemTypesRequest{})
		if err != nil {
			continue // not serving yet
		}
		for _, t := range *list.IncidentBusinessTypeList {
			if *t.CaseType == "0" {
				p.problem = *t.BusinessTypeId
				return nil
			}
		}
		return fmt.Errorf("no problem type to use")
	}
	return fmt.Errorf("the server is not ready after 60 s")
}

func (p *process) measure(connections int, length time.Duration, mark string) (figure, error) {
	n := int(length.Seconds() * 6000)
	requests, err := signedCreates(p.url, p.ak, p.sk, p.problem, mark, n)
	if err != nil {
		return figure{}, err
	}
	return load(p.url, connections, length, requests)
}

// sqliteFigures compares 32 connections with one, beside the bare engine: one
// row a transaction, and the disk's own sync.
func sqliteFigures(binary string, length time.Duration, rounds int) error {
	dir, err := os.MkdirTemp("", "casemate-perf")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := start(binary, dir, "")
	if err != nil {
		return err
	}
	defer p.stop()
	if _, err := p.measure(8, time.Second, "warm-up"); err != nil {
		return err
	}
	by := map[int][]figure{}
	var ratios []float64
	for round := range rounds {
		for _, connections := range []int{1, 8, 32} {
			f, err := p.measure(connections, length, fmt.Sprintf("round %d with %d", round, connections))
			if err != nil {
				return err
			}
			by[connections] = append(by[connections], f)
		}
		ratios = append(ratios, by[32][round].perSecond/by[1][round].perSecond)
	}
	syncs, err := probeSync(dir)
	if err != nil {
		return err
	}
	rows, err := probeSQLite(dir)
	if err != nil {
		return err
	}
	fmt.Println("SQLite, CreateCases over signed HTTP (client on the same cores)")
	for _, connections := range []int{1, 8, 32} {
		fmt.Printf("  %2d connections   %s\n", connections, median(by[connections]))
	}
	fmt.Printf("  32 over 1 connection, pair by pair: %s\n", list(ratios))
	fmt.Printf("  probe: one-row transactions, one writer     %8.0f/s\n", rows)
	fmt.Printf("  probe: 4 KiB appends with a sync each       %8.0f/s\n\n", syncs)
	return nil
}

// postgresFigures compares 8 connections with the bare transaction: the same
// number of rows, written by eight clients in one batch each.
func postgresFigures(binary string, length time.Duration, rounds int) error {
	dir, err := os.MkdirTemp("", "casemate-perf")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := dbtest.LaunchPostgres(filepath.Join(dir, "pg"), true)
	if err != nil {
		return err
	}
	defer server.Stop()
	database, err := server.CreateDatabase("casemate")
	if err != nil {
		return err
	}
	p, err := start(binary, dir, database)
	if err != nil {
		return err
	}
	defer p.stop()
	if _, err := p.measure(8, time.Second, "warm-up"); err != nil {
		return err
	}
	var (
		ours   []figure
		bare   []float64
		ratios []float64
	)
	for round := range rounds {
		b, err := probePostgres(database, length)
		if err != nil {
			return err
		}
		f, err := p.measure(8, length, fmt.Sprintf("round %d", round))
		if err != nil {
			return err
		}
		ours, bare, ratios = append(ours, f), append(bare, b), append(ratios, f.perSecond/b)
	}
	fmt.Println("PostgreSQL, CreateCases over signed HTTP (client and PostgreSQL on the same cores)")
	fmt.Printf("   8 connections   %s\n", median(ours))
	fmt.Printf("  probe: the bare transaction, 8 clients: %s per second\n", list(bare))
	fmt.Printf("  ours over bare, pair by pair: %s\n\n", list(ratios))
	return nil
}

func list(v []float64) string {
	var parts []string
	for _, x := range v {
		if x >= 100 {
			parts = append(parts, fmt.Sprintf("%.0f", x))
		} else {
			parts = append(parts, fmt.Sprintf("%.2f", x))
		}
	}
	return strings.Join(parts, "  ")
}

func probeSync(dir string) (float64, error) {
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	const n = 500
	t := time.Now()
	for range n {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return n / time.Since(t).Seconds(), nil
}

func probeSQLite(dir string) (float64, error) {
	d, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "probe.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return 0, err
	}
	defer d.Close()
	d.SetMaxOpenConns(1)
	if _, err := d.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)"); err != nil {
		return 0, err
	}
	t := time.Now()
	n := 0
	for time.Since(t) < 2*time.Second {
		if _, err := d.Exec("INSERT INTO t (text) VALUES (?)", "云服务器无法登录 cannot log in"); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(t).Seconds(), nil
}

// rowsPerCreate is how many rows CreateCases writes (ticket, desk row, message,
// event, three counter deltas, search row, stored result).
const rowsPerCreate = 9

func probePostgres(url string, length time.Duration) (float64, error) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS perf_probe (domain_id TEXT, id TEXT, text TEXT, n BIGINT, PRIMARY KEY (domain_id, id))"); err != nil {
		return 0, err
	}
	var (
		mu    sync.Mutex
		total int
		first error
		wg    sync.WaitGroup
	)
	t := time.Now()
	for client := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n := 0
			var err error
			for err == nil && time.Since(t) < length {
				var b pgx.Batch
				b.Queue("BEGIN")
				for row := range rowsPerCreate {
					b.Queue("INSERT INTO perf_probe (domain_id, id, text, n) VALUES ($1, $2, $3, $4)",
						"domain", fmt.Sprintf("%d-%d-%d-%d", t.UnixNano(), n, client, row), "云服务器无法登录 cannot log in to the server", int64(n))
				}
				b.Queue("COMMIT")
				if err = pool.SendBatch(ctx, &b).Close(); err == nil {
					n++
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
			if err != nil {
				first = err
			}
		}()
	}
	wg.Wait()
	return float64(total) / time.Since(t).Seconds(), first
}
