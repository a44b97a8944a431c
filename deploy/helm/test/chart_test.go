// Package test holds the chart against Helm's own library. It is a module of
// its own, so that the product does not depend on Helm and Kubernetes.
package test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const path = "../casemate"

type values = map[string]any

// render is what `helm template` does, the schema of the values included.
func render(t *testing.T, v values) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return renderChart(c, v)
}

func renderChart(c *chart.Chart, v values) (map[string]string, error) {
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "desk", Namespace: "support", Revision: 1, IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	e := engine.Engine{Strict: true} // a value that is not there is an error
	return e.Render(c, all)
}

// objects are the rendered documents by kind, each read strictly as what it says
// it is: a misspelt field is an error.
func objects(t *testing.T, v values) map[string]any {
	t.Helper()
	files, err := render(t, v)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, doc := range strings.Split(text, "\n---\n") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			var head struct {
				Kind, APIVersion string
				Metadata         struct{ Name string }
			}
			if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			into, ok := map[string]any{
				"apps/v1 Deployment": &appsv1.Deployment{}, "apps/v1 StatefulSet": &appsv1.StatefulSet{}, "v1 Service": &corev1.Service{},
				"v1 ServiceAccount": &corev1.ServiceAccount{}, "v1 ConfigMap": &corev1.ConfigMap{},
				"policy/v1 PodDisruptionBudget": &policyv1.PodDisruptionBudget{}, "networking.k8s.io/v1 Ingress": &networkingv1.Ingress{},
			}[head.APIVersion+" "+head.Kind]
			if !ok {
				t.Fatalf("%s: %s %s", name, head.APIVersion, head.Kind)
			}
			if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			if head.Metadata.Name != "desk-casemate" {
				t.Errorf("%s is called %s", head.Kind, head.Metadata.Name)
			}
			if _, twice := out[head.Kind]; twice {
				t.Errorf("two of %s", head.Kind)
			}
			out[head.Kind] = into
		}
	}
	return out
}

// checkPod holds what every variant has.
func checkPod(t *testing.T, p corev1.PodTemplateSpec) corev1.Container {
	t.Helper()
	s := p.Spec
	if len(s.Containers) != 1 || len(s.InitContainers) != 0 {
		t.Fatalf("containers %v", s.Containers)
	}
	c := s.Containers[0]
	for name, probe := range map[string]*corev1.Probe{"/readyz": c.ReadinessProbe, "/healthz": c.LivenessProbe, "/healthz startup": c.StartupProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != strings.TrimSuffix(name, " startup") || probe.HTTPGet.Port.StrVal != "http" {
			t.Errorf("probe %s: %+v", name, probe)
		}
	}
	if x := s.SecurityContext; x == nil || !*x.RunAsNonRoot || *x.RunAsUser != 65532 || *x.FSGroup != 65532 || x.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security of the pod %+v", s.SecurityContext)
	}
	if x := c.SecurityContext; x == nil || *x.AllowPrivilegeEscalation || !*x.ReadOnlyRootFilesystem || len(x.Capabilities.Drop) != 1 || x.Capabilities.Drop[0] != "ALL" || len(x.Capabilities.Add) != 0 {
		t.Errorf("security of the container %+v", c.SecurityContext)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Errorf("resources %+v", c.Resources)
	}
	if *s.AutomountServiceAccountToken || *s.EnableServiceLinks {
		t.Error("the pod gets what it does not need")
	}
	mounted := map[string]bool{}
	for _, v := range s.Volumes {
		mounted[v.Name] = false
	}
	for _, m := range c.VolumeMounts {
		if _, ok := mounted[m.Name]; !ok && m.Name != "data" {
			t.Errorf("no volume %s", m.Name)
		}
		mounted[m.Name] = true
	}
	for name, used := range mounted {
		if !used {
			t.Errorf("volume %s is not mounted", name)
		}
	}
	for k, v := range map[string]string{"CASEMATE_DATA": "/var/lib/casemate/data", "CASEMATE_KEYS": "/var/lib/casemate/keys", "CASEMATE_CONFIG": "/etc/casemate/casemate.yaml"} {
		if got := env(c, k); got == nil || got.Value != v {
			t.Errorf("%s is %v", k, got)
		}
	}
	return c
}

func env(c corev1.Container, name string) *corev1.EnvVar {
	i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Env[i]
}

// TestOneNode: as it comes, the chart is one node on SQLite with a volume.
func TestOneNode(t *testing.T) {
	all := objects(t, nil)
	if kinds := slices.Sorted(maps.Keys(all)); !slices.Equal(kinds, []string{"ConfigMap", "Service", "ServiceAccount", "StatefulSet"}) {
		t.Fatalf("kinds %v", kinds)
	}
	s := all["StatefulSet"].(*appsv1.StatefulSet)
	c := checkPod(t, s.Spec.Template)
	if *s.Spec.Replicas != 1 || len(s.Spec.VolumeClaimTemplates) != 1 || s.Spec.VolumeClaimTemplates[0].Name != "data" || env(c, "CASEMATE_DATABASE") != nil {
		t.Errorf("%+v", s.Spec)
	}
	selected(t, all["Service"].(*corev1.Service).Spec.Selector, s.Spec.Template.Labels)
	selected(t, s.Spec.Selector.MatchLabels, s.Spec.Template.Labels)
}

func selected(t *testing.T, selector, labels map[string]string) {
	t.Helper()
	for k, v := range selector {
		if labels[k] != v {
			t.Errorf("%s=%s selects no pod of %v", k, v, labels)
		}
	}
}

func many() values {
	return values{"replicas": 3, "database": values{"secret": "casemate-db"}, "blobs": "s3://casemate?endpoint=http://s3:9000", "keys": values{"secret": "casemate-keys"},
		"ingress": values{"enabled": true, "host": "desk.example.org", "tlsSecret": "tls", "className": "nginx"}}
}

// TestNodes: three nodes on PostgreSQL and an object store.
func TestNodes(t *testing.T) {
	all := objects(t, many())
	if kinds := slices.Sorted(maps.Keys(all)); !slices.Equal(kinds, []string{"ConfigMap", "Deployment", "Ingress", "PodDisruptionBudget", "Service", "ServiceAccount"}) {
		t.Fatalf("kinds %v", kinds)
	}
	d := all["Deployment"].(*appsv1.Deployment)
	c := checkPod(t, d.Spec.Template)
	if *d.Spec.Replicas != 3 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("%+v", d.Spec.Strategy)
	}
	for name, key := range map[string]string{"CASEMATE_DATABASE": "DATABASE", "AWS_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY"} {
		e := env(c, name)
		if e == nil || e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil || e.ValueFrom.SecretKeyRef.Name != "casemate-db" || e.ValueFrom.SecretKeyRef.Key != key {
			t.Errorf("%s comes from %+v", name, e)
		}
	}
	if e := env(c, "CASEMATE_BLOBS"); e == nil || e.Value != "s3://casemate?endpoint=http://s3:9000" {
		t.Errorf("blobs %+v", e)
	}
	i := slices.IndexFunc(d.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "casemate-keys" })
	if i < 0 || *d.Spec.Template.Spec.Volumes[i].Secret.DefaultMode != 0o440 {
		t.Errorf("the master key is not handed in, or loosely: %+v", d.Spec.Template.Spec.Volumes)
	}
	b := all["PodDisruptionBudget"].(*policyv1.PodDisruptionBudget)
	if b.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("budget %+v", b.Spec)
	}
	selected(t, b.Spec.Selector.MatchLabels, d.Spec.Template.Labels)
	selected(t, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels)
	in := all["Ingress"].(*networkingv1.Ingress)
	if in.Spec.Rules[0].Host != "desk.example.org" || in.Spec.TLS[0].SecretName != "tls" || in.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name != "desk-casemate" {
		t.Errorf("ingress %+v", in.Spec)
	}

	// A pod is given more time than it drains.
	var conf struct{ Drain string }
	if err := yaml.Unmarshal([]byte(all["ConfigMap"].(*corev1.ConfigMap).Data["casemate.yaml"]), &conf); err != nil {
		t.Fatal(err)
	}
	drain, err := time.ParseDuration(conf.Drain)
	probe := c.ReadinessProbe
	sees := time.Duration(probe.PeriodSeconds*probe.FailureThreshold) * time.Second
	if grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second; err != nil || drain < 2*sees || grace < 2*drain {
		t.Errorf("drains for %v, seen after %v, killed after %v: %v", drain, sees, grace, err)
	}
	files, err := render(t, many())
	if err != nil || !strings.Contains(files["casemate/templates/NOTES.txt"], "kubectl -n support logs") {
		t.Errorf("notes %q %v", files["casemate/templates/NOTES.txt"], err)
	}
}

// TestDatabaseAndVolume: PostgreSQL with attachments as files is one node with a
// volume.
func TestDatabaseAndVolume(t *testing.T) {
	all := objects(t, values{"database": values{"secret": "db"}, "keys": values{"secret": "k"}, "persistence": values{"storageClass": "fast", "size": "20Gi"}})
	s := all["StatefulSet"].(*appsv1.StatefulSet)
	checkPod(t, s.Spec.Template)
	if v := s.Spec.VolumeClaimTemplates[0].Spec; *v.StorageClassName != "fast" || v.Resources.Requests.Storage().String() != "20Gi" {
		t.Errorf("volume %+v", v)
	}
}

// TestConfigRestarts: a changed configuration makes new pods.
func TestConfigRestarts(t *testing.T) {
	sum := func(v values) string {
		return objects(t, v)["StatefulSet"].(*appsv1.StatefulSet).Spec.Template.Annotations["checksum/config"]
	}
	if a, b := sum(nil), sum(values{"config": values{"drain": "20s"}}); a == b || a == "" {
		t.Errorf("%s and %s", a, b)
	}
}

// TestRefused: what cannot work is not rendered, and the reason is told.
func TestRefused(t *testing.T) {
	without := func(key string) values { v := many(); delete(v, key); return v }
	for _, tt := range []struct {
		values values
		why    string
	}{
		{values{"replicas": 2}, "need database.secret"},
		{without("blobs"), "need blobs"},
		{without("keys"), "needs keys.secret"},
		{values{"blobs": "s3://b"}, "blobs needs database.secret"},
		{values{"replicas": 0}, "replicas"},
		{values{"replica": 2}, "replica"},
		{values{"blobs": "/var/blobs"}, "blobs"},
		{values{"image": values{"pullPolicy": "Sometimes"}}, "pullPolicy"},
		{values{"persistence": values{"size": "lots"}}, "size"},
		{values{"logLevel": "loud"}, "logLevel"},
	} {
		if _, err := render(t, tt.values); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%v: %v, want %q", tt.values, err, tt.why)
		}
	}
}

// TestLint: what `helm lint` looks at in a chart: its metadata, that every value
// of values.yaml is in the schema and used, and that texts are clean.
func TestLint(t *testing.T) {
	if ok, err := chartutil.IsChartDir(path); !ok || err != nil {
		t.Fatal(err)
	}
	c, err := loader.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if c.Metadata.APIVersion != chart.APIVersionV2 || c.Metadata.Description == "" || c.Name() != filepath.Base(path) || c.Schema == nil {
		t.Errorf("metadata %+v", c.Metadata)
	}
	var templates bytes.Buffer
	for _, f := range c.Templates {
		templates.Write(f.Data)
		if bytes.Contains(f.Data, []byte("\t")) {
			t.Errorf("%s has tabs", f.Name)
		}
	}
	for name := range c.Values {
		if !strings.Contains(templates.String(), ".Values."+name) {
			t.Errorf("value %s is not used", name)
		}
		if !bytes.Contains(c.Schema, fmt.Appendf(nil, "%q:", name)) {
			t.Errorf("value %s is not in the schema", name)
		}
	}
}
