package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
)

const sourceAPI = "83aeb0f2834c4df49826c781d32a963e"

// figure is one measurement.
type figure struct {
	perSecond     float64
	p50, p99, max time.Duration
}

func (f figure) String() string {
	return fmt.Sprintf("%8.0f/s   p50 %6.2f ms   p99 %6.2f ms   max %6.1f ms", f.perSecond, ms(f.p50), ms(f.p99), ms(f.max))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// signedCreates makes the raw bytes of n different CreateCases requests,
// signed by the vendor's signer, so that signing costs the measurement nothing.
func signedCreates(base, ak, sk, problem, mark string, n int) ([][]byte, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	date := time.Now().UTC().Format("20060102T150405Z")
	out := make([][]byte, n)
	for i := range n {
		body, err := json.Marshal(map[string]string{"business_type_id": problem, "source_id": sourceAPI,
			"simple_description": fmt.Sprintf("云服务器无法登录 cannot log in to the server, %s number %d", mark, i)})
		if err != nil {
			return nil, err
		}
		r := request.NewHttpRequestBuilder().WithEndpoint(base).WithPath("/v2/servicerequest/cases").WithMethod("POST").
			AddHeaderParam("Content-Type", "application/json").AddHeaderParam("X-Sdk-Date", date).
			WithBody("", json.RawMessage(body)).Build()
		headers, err := signer.Sign(r, ak, sk)
		if err != nil {
			return nil, err
		}
		sent, err := r.ConvertRequest()
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(sent.Body)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "POST /v2/servicerequest/cases HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", u.Host, len(raw))
		for k, v := range headers {
			sent.Header.Set(k, v)
		}
		for k, vs := range sent.Header {
			for _, v := range vs {
				fmt.Fprintf(&b, "%s: %s\r\n", k, v)
			}
		}
		b.WriteString("\r\n")
		b.Write(raw)
		out[i] = b.Bytes()
	}
	return out, nil
}

// load sends requests over keep-alive connections, each waiting for its answer
// before the next, until the time is over.
func load(base string, connections int, length time.Duration, requests [][]byte) (figure, error) {
	host := strings.TrimPrefix(base, "http://")
	var (
		mu    sync.Mutex
		took  []time.Duration
		bad   int
		first error
		next  int
		wg    sync.WaitGroup
	)
	take := func() []byte {
		mu.Lock()
		defer mu.Unlock()
		if next == len(requests) {
			return nil
		}
		next++
		return requests[next-1]
	}
	start := time.Now()
	for range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mine, err := sendUntil(host, start.Add(length), take)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			if err != nil {
				bad++
				first = err
			}
		}()
	}
	wg.Wait()
	elapsed := time.Since(start)
	if bad > 0 {
		return figure{}, fmt.Errorf("%d of %d connections failed: %w", bad, connections, first)
	}
	if len(took) == 0 {
		return figure{}, errors.New("no request was answered")
	}
	if next == len(requests) {
		return figure{}, errors.New("the prepared requests ran out: the figure would be too low")
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(int(float64(len(took))*q), len(took)-1)] }
	return figure{perSecond: float64(len(took)) / elapsed.Seconds(), p50: at(.5), p99: at(.99), max: took[len(took)-1]}, nil
}

func sendUntil(host string, end time.Time, take func() []byte) ([]time.Duration, error) {
	c, err := net.Dial("tcp", host)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	in := bufio.NewReader(c)
	var took []time.Duration
	for time.Now().Before(end) {
		raw := take()
		if raw == nil {
			break
		}
		t := time.Now()
		if _, err := c.Write(raw); err != nil {
			return took, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return took, err
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return took, err
		}
		if res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("incident_id")) {
			return took, fmt.Errorf("%s: %s", res.Status, body)
		}
		took = append(took, time.Since(t))
	}
	return took, nil
}

func median(f []figure) figure {
	slices.SortFunc(f, func(a, b figure) int { return int(a.perSecond - b.perSecond) })
	return f[len(f)/2]
}
