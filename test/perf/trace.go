package main

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"casemate/internal/db/dbtest"
)

// tracer tells where PostgreSQL spends a measurement: what its sessions wait
// for, which statements take its time, and what becomes of the tables.
type tracer struct {
	pool       *pgxpool.Pool
	statements map[string][2]float64 // calls and milliseconds so far
	tables     map[string][]float64
}

// newTracer restarts the server with its collector of statements.
func newTracer(server *dbtest.Postgres, database string) (*tracer, error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	for _, q := range []string{"ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'", "ALTER SYSTEM SET track_io_timing = on", "CREATE EXTENSION pg_stat_statements"} {
		if _, err := c.Exec(ctx, q); err != nil {
			return nil, err
		}
	}
	_ = c.Close(ctx)
	server.Stop()
	if err := server.Start(); err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(ctx, database)
	return &tracer{pool: pool}, err
}

// start samples until the function it returns is called, which prints.
func (t *tracer) start(what string) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	waits := map[string]int{}
	samples := 0
	ended := make(chan struct{})
	if err := t.look(false); err != nil {
		fmt.Println("trace:", err)
	}
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			rows, err := t.pool.Query(ctx, `SELECT state || ' ' || COALESCE(wait_event_type || ':' || wait_event, 'running') ||
				CASE WHEN wait_event_type = 'Lock' THEN ' ' || left(regexp_replace(query, '\s+', ' ', 'g'), 90) ELSE '' END
				FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'`)
			if err != nil {
				return
			}
			all, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return
			}
			samples++
			for _, s := range all {
				waits[s]++
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return func() error {
		cancel()
		<-ended
		fmt.Printf("--- %s: sessions at a time, by what they do (%d samples)\n", what, samples)
		var names []string
		for k := range waits {
			names = append(names, k)
		}
		slices.SortFunc(names, func(a, b string) int { return waits[b] - waits[a] })
		for _, k := range names[:min(len(names), 14)] {
			fmt.Printf("  %6.2f %s\n", float64(waits[k])/float64(samples), k)
		}
		return t.look(true)
	}
}

func (t *tracer) look(print bool) error {
	ctx := context.Background()
	rows, err := t.pool.Query(ctx, "SELECT regexp_replace(query, '\\s+', ' ', 'g'), sum(calls)::float8, sum(total_exec_time)::float8 FROM pg_stat_statements GROUP BY 1")
	if err != nil {
		return err
	}
	statements := map[string][2]float64{}
	for rows.Next() {
		var q string
		var calls, took float64
		if err := rows.Scan(&q, &calls, &took); err != nil {
			return err
		}
		statements[q] = [2]float64{calls, took}
	}
	type line struct {
		q           string
		calls, took float64
	}
	var lines []line
	for q, s := range statements {
		lines = append(lines, line{q, s[0] - t.statements[q][0], s[1] - t.statements[q][1]})
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i].took > lines[j].took })
	rows, err = t.pool.Query(ctx, `SELECT relname, seq_scan::float8, seq_tup_read::float8, idx_tup_fetch::float8, n_tup_ins::float8, n_tup_upd::float8, n_tup_hot_upd::float8, n_tup_del::float8,
		n_dead_tup::float8, autovacuum_count::float8, pg_table_size(relid)::float8, pg_indexes_size(relid)::float8 FROM pg_stat_user_tables`)
	if err != nil {
		return err
	}
	tables := map[string][]float64{}
	for rows.Next() {
		var name string
		v := make([]float64, 11)
		to := []any{&name}
		for i := range v {
			to = append(to, &v[i])
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		tables[name] = v
	}
	if print {
		fmt.Println("  statements: calls, ms in all, ms each")
		for _, l := range lines[:min(len(lines), 22)] {
			fmt.Printf("  %7.0f %8.0f %8.3f  %.150s\n", l.calls, l.took, l.took/max(l.calls, 1), l.q)
		}
		var names []string
		for n, v := range tables {
			if old := t.tables[n]; old == nil || v[3]+v[4]+v[6] > old[3]+old[4]+old[6]+50 {
				names = append(names, n)
			}
		}
		slices.Sort(names)
		fmt.Println("  tables: seq scans, rows seq, rows by index, ins, upd, hot, del; dead now, autovacuums; table MB, index MB")
		for _, n := range names {
			v, old := tables[n], t.tables[n]
			if old == nil {
				old = make([]float64, 11)
			}
			var b strings.Builder
			for i := range 7 {
				fmt.Fprintf(&b, " %9.0f", v[i]-old[i])
			}
			fmt.Printf("  %-22s%s; %7.0f %3.0f; %6.1f %6.1f\n", n, b.String(), v[7], v[8], v[9]/1e6, v[10]/1e6)
		}
	}
	t.statements, t.tables = statements, tables
	return nil
}
