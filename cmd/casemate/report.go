package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"casemate/internal/locale"
)

// reportCmd shows figures over many tickets.
type reportCmd struct {
	clientFlags
	jsonFlag
	Name     string `arg:"" optional:"" help:"Name of a report; without one they are listed."`
	From     string `help:"Where the time begins: a date or an instant; else 30 days before its end." placeholder:"DATE"`
	To       string `help:"Where it ends: a date, to its end, or an instant; else now." placeholder:"DATE"`
	Zone     string `help:"Zone of days, weeks, months and the times shown, for example GMT+8 or Europe/Berlin; else the installation's (report.zone, GMT+8 unless it was set)." placeholder:"ZONE"`
	Every    string `help:"Figures for each day, week or month." enum:",day,week,month" default:""`
	By       string `help:"Figures for each channel, domain, engineer, language, product, severity, team or provider." placeholder:"WHAT"`
	Domain   string `help:"Only of this customer (id)." placeholder:"ID"`
	Team     string `help:"Only of this team (id; none = without)." placeholder:"ID"`
	Engineer string `help:"Only of this engineer (user id; none = without)." placeholder:"ID"`
	Product  string `help:"Only of this product (id)." placeholder:"ID"`
	Severity string `help:"Only of this severity (id; none = without)." placeholder:"ID"`
	Language string `name:"ticket-language" help:"Only of tickets in this language, zh-cn or en-us." placeholder:"LANGUAGE"`
	Channel  string `help:"Only of tickets that came this way, api or mail." placeholder:"WAY"`
	Provider string `help:"Only sent by this provider." placeholder:"NAME"`
	CSV      bool   `name:"csv" help:"Write a table as CSV."`
	XLSX     bool   `name:"xlsx" help:"Write a table as a workbook."`
	Output   string `short:"o" help:"Where the table goes; else to standard output." type:"path" placeholder:"FILE"`
	Tickets  string `help:"List what a figure counts instead, for example finished or finished:3." placeholder:"FIGURE[:DETAIL]"`
}

func (c *reportCmd) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"from": c.From, "to": c.To, "zone": c.Zone, "every": c.Every, "by": c.By, "domain_id": c.Domain, "team_id": c.Team, "engineer_id": c.Engineer,
		"product_category_id": c.Product, "severity_id": c.Severity, "language": c.Language, "channel": c.Channel, "provider": c.Provider} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// reportView is a report's answer.
type reportView struct {
	Title   string     `json:"title"`
	Zone    string     `json:"zone"`
	From    *time.Time `json:"from"`
	To      *time.Time `json:"to"`
	Seq     int64      `json:"as_of_seq"`
	At      time.Time  `json:"as_of"`
	Figures []struct {
		Period  string `json:"period"`
		Group   string `json:"group_name"`
		Measure string `json:"measure_name"`
		Detail  string `json:"detail_name"`
		DetID   string `json:"detail"`
		Count   int64  `json:"count"`
		Unit    string `json:"unit"`
		Sum     int64  `json:"sum"`
		P50     *int64 `json:"p50"`
		P90     *int64 `json:"p90"`
		Met     *int64 `json:"met_per_mille"`
	} `json:"figures"`
}

// Run shows a report.
func (c *reportCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	path := "/desk/v1/reports"
	switch {
	case c.Name == "":
		return c.list(ctx, cl, o)
	case c.CSV || c.XLSX:
		return c.table(ctx, cl, o, path+"/"+url.PathEscape(c.Name)+"/file")
	case c.Tickets != "":
		return c.tickets(ctx, cl, o, path+"/"+url.PathEscape(c.Name)+"/tickets")
	}
	var raw json.RawMessage
	if err := cl.get(ctx, path+"/"+url.PathEscape(c.Name), c.query(), &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var v reportView
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	o.printf("%s\n", clean(v.Title))
	zone := o.zoneOr(v.Zone)
	if v.From != nil && v.To != nil {
		o.printf(o.say("%s – %s（时区 %s）\n", "%s – %s (zone %s)\n"), v.From.In(zone).Format("2006-01-02 15:04:05"), v.To.In(zone).Format("2006-01-02 15:04:05"), v.Zone)
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, o.say("周期\t分组\t指标\t明细\t数量\t平均\tP50\tP90\t按时 %", "period\tgroup\tfigure\tdetail\tcount\taverage\tp50\tp90\tmet %"))
	for _, f := range v.Figures {
		detail, mean, met := f.Detail, "", ""
		if detail == "" {
			detail = f.DetID
		}
		if f.Count > 0 && f.Unit != "" {
			mean = o.amount(float64(f.Sum)/float64(f.Count), f.Unit)
		}
		if f.Met != nil {
			met = strconv.FormatFloat(float64(*f.Met)/10, 'f', 1, 64)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", f.Period, clean(f.Group), clean(f.Measure), clean(detail), f.Count, mean, o.maybeAmount(f.P50), o.maybeAmount(f.P90), met)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	o.printf(o.say("截至事件 %d，%s\n", "as of event %d, %s\n"), v.Seq, v.At.In(zone).Format(time.RFC3339))
	return nil
}

// zoneOr is a zone by its name, or the shell's.
func (o *output) zoneOr(name string) *time.Location {
	if z, err := locale.ParseZone(name); err == nil {
		return z
	}
	return o.where()
}

func (o *output) maybeAmount(ms *int64) string {
	if ms == nil {
		return ""
	}
	return o.amount(float64(*ms), "milliseconds")
}

// amount is a mean or a share as people read it.
func (o *output) amount(n float64, unit string) string {
	switch unit {
	case "milliseconds":
		return o.span(time.Duration(n) * time.Millisecond)
	case "thousandths":
		return strconv.FormatFloat(n/1000, 'f', 3, 64)
	}
	return strconv.FormatFloat(n, 'f', 2, 64)
}

func (c *reportCmd) list(ctx context.Context, cl *client, o *output) error {
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/reports", nil, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var v struct {
		Items []struct {
			Name, Title string
			By          []string
		}
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', 0)
	for _, r := range v.Items {
		fmt.Fprintf(w, "%s\t%s\t--by %s\n", r.Name, r.Title, strings.Join(r.By, ", "))
	}
	return w.Flush()
}

func (c *reportCmd) tickets(ctx context.Context, cl *client, o *output, path string) error {
	q := c.query()
	q.Del("every")
	q.Del("by")
	measure, detail, _ := strings.Cut(c.Tickets, ":")
	q.Set("measure", measure)
	if detail != "" {
		q.Set("detail", detail)
	}
	q.Set("limit", "100")
	for {
		var raw json.RawMessage
		var v struct {
			Items []struct {
				Number, Verdict, Unit string
				Domain                string    `json:"domain_name"`
				At                    time.Time `json:"at"`
				Amount                int64
			}
			Next string `json:"next_cursor"`
		}
		err := cl.get(ctx, path, q, &raw)
		if err == nil {
			err = json.Unmarshal(raw, &v)
		}
		switch {
		case err != nil:
			return err
		case c.JSON:
			if err := o.json(raw); err != nil {
				return err
			}
		default:
			for _, t := range v.Items {
				took := ""
				if t.Unit != "" {
					took = o.amount(float64(t.Amount), t.Unit)
				}
				o.printf("%s\t%s\t%s\t%s\t%s\n", t.Number, clean(t.Domain), t.At.In(o.zoneOr(c.Zone)).Format(time.RFC3339), took, t.Verdict)
			}
		}
		if v.Next == "" {
			return nil
		}
		q.Set("cursor", v.Next)
	}
}

// table writes the report as a file.
func (c *reportCmd) table(ctx context.Context, cl *client, o *output, path string) (err error) {
	q := c.query()
	q.Set("format", "csv")
	if c.XLSX {
		q.Set("format", "xlsx")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, cl.base+path+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := cl.stream(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	if c.Output == "" {
		_, err = io.Copy(o.out, answer.Body)
		return err
	}
	f, err := os.OpenFile(c.Output, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	_, err = io.Copy(f, answer.Body)
	return err
}

// stream sends a prepared request and leaves the answer's body to be read.
func (c *client) stream(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Language", string(c.lang))
	if c.token != "" {
		r.Header.Set("X-Auth-Token", c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(r.Context(), err)
	}
	if answer.StatusCode >= 300 {
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
		if err != nil {
			return nil, err
		}
		return nil, refused(answer, text)
	}
	return answer, nil
}
