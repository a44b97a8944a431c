package selftest

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

func firstWord(list string) string {
	first, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(first)
}

// probe is a kind of diagnosis that tries a port: its type, the parameters to
// fill in, the check that tells.
type probe struct {
	kind                        int
	resource, host, port, check string
}

var placeholder = regexp.MustCompile(`^\{(\w+)\}$`)

// portProbe finds such a kind in the catalogue in force.
func (r *run) portProbe() (probe, error) {
	files, err := r.exportedFiles()
	if err != nil {
		return probe{}, err
	}
	for _, text := range files {
		var file struct {
			Diagnoses []struct {
				Type   int `yaml:"type"`
				Params []struct {
					Key  string `yaml:"key"`
					Form string `yaml:"form"`
				} `yaml:"params"`
				Checks []struct {
					ID  string `yaml:"id"`
					TCP struct {
						Host string `yaml:"host"`
						Port string `yaml:"port"`
					} `yaml:"tcp"`
				} `yaml:"checks"`
			} `yaml:"diagnoses"`
		}
		if !strings.Contains(text, "diagnoses:") || yaml.Unmarshal([]byte(text), &file) != nil {
			continue // another kind of file
		}
		for _, d := range file.Diagnoses {
			p := probe{kind: d.Type}
			for _, in := range d.Params {
				if in.Form == "resource" {
					p.resource = in.Key
				}
			}
			for _, c := range d.Checks {
				host, port := placeholder.FindStringSubmatch(c.TCP.Host), placeholder.FindStringSubmatch(c.TCP.Port)
				if p.resource != "" && host != nil && port != nil {
					p.check, p.host, p.port = c.ID, host[1], port[1]
					return p, nil
				}
			}
		}
	}
	return probe{}, errors.New("the catalogue has no diagnosis that tries a port of a resource")
}

// Levels of a check on the wire.
const (
	levelNormal   = "3"
	levelAbnormal = "4"
)

// diagnosis checks a resource twice, at a port that is open and at one that is
// not, and tells what was found.
func (r *run) diagnosis() {
	s := r.story
	resource, name := "selftest-"+random(8), "Selftest host"
	made := r.deskResource(resource, name)
	r.prove("ListDiagnoseResources", "desk PutResource: name, address and project; not for another project", func() error {
		list := func(project string) (answer, bool, error) {
			a, err := r.call("ListDiagnoseResources", r.main, request{body: map[string]any{"project_id": project, "region": s.region}})
			got, ok := a.at("result").find("id", resource)
			return got, ok, err
		}
		got, ok, err := list("selftest")
		if err != nil || made != nil {
			return firstOf(err, made)
		}
		if err := must(ok, "the resource is not listed"); err != nil {
			return err
		}
		if err := want("resource", got.at("name").text()+" "+got.at("accessIPv4").text()+" "+got.at("tenantId").text(), name+" "+r.host.address+" selftest"); err != nil {
			return err
		}
		_, ok, err = list("another")
		return firstOf(err, must(!ok, "it is listed for another project"))
	})
	p, noProbe := r.portProbe()
	start := func(port int) (job string, err error) {
		if noProbe != nil {
			return "", noProbe
		}
		a, err := r.call("CreateDiagnoseJob", r.main, request{body: map[string]any{"type": p.kind, "params": map[string]any{p.resource: resource, p.port: fmt.Sprint(port)}, "region_id": s.region}})
		if err != nil {
			return "", err
		}
		return a.at("job_id").text(), r.ended(a.at("job_id").text())
	}
	good, bad := "1", "2"
	r.prove("CreateDiagnoseJob", "ListDiagnoseJob: an open port is found normal, a closed one abnormal", func() (err error) {
		job, err := start(r.host.port)
		if err != nil {
			return err
		}
		good = job
		if job, err = start(r.host.closed); err != nil {
			return err
		}
		bad = job
		open, err := r.level(good, p.check)
		if err != nil {
			return err
		}
		closed, err := r.level(bad, p.check)
		if err != nil {
			return err
		}
		if open == levelAbnormal && closed == levelAbnormal {
			if said, err := r.said(good, p.check); err != nil || strings.Contains(said, "may not be reached") {
				return firstOf(err, offHere{r.say("诊断已执行，但不允许访问本机；可在 diagnose.allow 中列出 ", "the diagnosis ran, but may not reach this machine: set diagnose.allow to ") + r.host.address})
			}
		}
		return want("levels", open+" and "+closed, levelNormal+" and "+levelAbnormal)
	})
	r.prove("ListDiagnoseJob", "CreateDiagnoseJob: the job, finished, as the desk sees it", func() error {
		a, err := r.call("ListDiagnoseJob", r.main, request{query: url.Values{"job_id": {bad}}})
		if err != nil {
			return err
		}
		if err := want("job, state and domain", a.at("job_id").text()+" "+a.at("status").text()+" "+a.at("domain_id").text(), bad+" 3 "+r.box.ID); err != nil {
			return err
		}
		state, abnormal, _, err := r.deskDiagnosis(bad)
		return firstOf(err, want("state and findings on the desk", fmt.Sprint(state, abnormal), fmt.Sprint("finished", []string{p.check})))
	})
	r.prove("ListDiagnoseItems", "CreateDiagnoseJob: what was found at the check asked for, and only that, with what to do", func() error {
		a, err := r.call("ListDiagnoseItems", r.main, request{body: map[string]any{"job_id": bad, "item_ids": p.check}})
		if err != nil {
			return err
		}
		i, ok := a.at("item_results").find("check_id", p.check)
		return must(ok && len(a.at("item_results").list()) == 1 && i.at("response").text() != "" && i.at("suggestion").text() != "", "the check is not shown, or nothing is said of it")
	})
	r.prove("ListDiagnoseRecords", "CreateDiagnoseJob: both jobs, with what they found", func() error {
		a, err := r.call("ListDiagnoseRecords", r.main, request{query: url.Values{"page_no": {"1"}, "page_size": {"10"}}})
		if err != nil {
			return err
		}
		if _, ok := a.at("records").find("job_id", good); !ok {
			return fmt.Errorf("the first job is not listed")
		}
		j, _ := a.at("records").find("job_id", bad)
		return want("number and findings of the second job", j.at("red_count").text()+" "+j.at("abnormal_items").first().text(), "1 "+p.check)
	})
	words := "Selftest " + random(8)
	r.prove("CreateDiagnoseFeedback", "desk ShowDiagnosis: the words, at the newest job", func() error {
		if _, err := r.call("CreateDiagnoseFeedback", r.main, request{body: map[string]any{"type": p.kind, "content": words, "is_helpful": true}}); err != nil {
			return err
		}
		_, _, ratings, err := r.deskDiagnosis(bad)
		return firstOf(err, want("ratings", ratings, []rating{{r.main.ID, true, words}}))
	})
}

// ended waits for the end of a diagnosis.
func (r *run) ended(job string) error {
	for began := time.Now(); ; {
		a, err := r.call("ListDiagnoseJob", r.main, request{query: url.Values{"job_id": {job}}})
		if err != nil {
			return err
		}
		if a.at("status").number() >= 3 {
			return want("state of job "+job, a.at("status").text(), "3")
		}
		if time.Since(began) > 20*time.Second {
			return fmt.Errorf("job %s does not end", job)
		}
		select {
		case <-r.Done():
			return r.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// level is what was found at a check.
func (r *run) level(job, check string) (string, error) {
	a, err := r.call("ListDiagnoseJob", r.main, request{query: url.Values{"job_id": {job}}})
	i, _ := a.at("items_result").find("check_id", check)
	return i.at("problem_level").text(), err
}

// said is what is said of a check.
func (r *run) said(job, check string) (string, error) {
	a, err := r.call("ListDiagnoseItems", r.main, request{body: map[string]any{"job_id": job, "item_ids": check}})
	i, _ := a.at("item_results").find("check_id", check)
	return i.at("response").text(), err
}
