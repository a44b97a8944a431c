package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"casemate/internal/db"
)

// drain is on from the moment the server is asked to stop: not ready, and every
// answer closes its connection, so that clients go elsewhere before the
// listener does (threats.md E7).
type drain struct{ flag atomic.Bool }

func (d *drain) on() bool { return d.flag.Load() }
func (d *drain) start()   { d.flag.Store(true) }

// metrics are shown on a listener of their own, never on the public one.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "casemate_requests_total", Help: "Requests answered, by surface and status."}, []string{"surface", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "casemate_request_seconds", Help: "Time to the end of the answer, by surface.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}}, []string{"surface"}),
	}
	m.registry.MustRegister(m.requests, m.took, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// surveys shows who answers lists, searches and reports, where there is a replica.
func (m *metrics) surveys(d *db.DB) {
	if _, _, ok := d.Surveys(); !ok {
		return
	}
	for by, n := range map[string]func() float64{
		"replica": func() float64 { n, _, _ := d.Surveys(); return float64(n) },
		"primary": func() float64 { _, n, _ := d.Surveys(); return float64(n) },
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "casemate_surveys_total",
			Help: "Lists, searches and reports by the database that answered them.", ConstLabels: prometheus.Labels{"by": by}}, n))
	}
}

func (m *metrics) request(surface string, status int, took time.Duration) {
	m.requests.WithLabelValues(surface, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(surface).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// alive answers /healthz: the process runs and serves.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
}

// ready answers /readyz: 200 when this node should get requests, else 503 with
// the reasons.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	var why []string
	if s.drain.on() {
		why = append(why, "draining")
	}
	if err := s.db.Ping(ctx); err != nil {
		why = append(why, "database not reachable")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if len(why) > 0 {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ready": len(why) == 0, "why": why})
}
