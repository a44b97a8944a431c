package desk

import (
	"context"
	"encoding/json"

	"github.com/go-faster/jx"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/diagnose"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

type diagnoses struct {
	diagnose *diagnose.Service
	identity *identity.Service
	catalog  *catalog.Service
}

var diagnosisStates = map[diagnose.State]oas.DiagnosisState{diagnose.Preparing: oas.DiagnosisStatePreparing, diagnose.Running: oas.DiagnosisStateRunning,
	diagnose.Finished: oas.DiagnosisStateFinished, diagnose.Failed: oas.DiagnosisStateFailed, diagnose.NotRun: oas.DiagnosisStateNotRun}

var checkStates = map[diagnose.Outcome]oas.CheckState{diagnose.Waiting: oas.CheckStateWaiting, diagnose.Checking: oas.CheckStateRunning,
	diagnose.Passed: oas.CheckStatePassed, diagnose.Warning: oas.CheckStateWarning, diagnose.Bad: oas.CheckStateFailed, diagnose.Skipped: oas.CheckStateSkipped}

func (h diagnoses) diagnosis(ctx context.Context, j diagnose.Job, names map[string]string) oas.Diagnosis {
	return oas.Diagnosis{ID: j.ID, JobID: j.Number, DomainID: j.Domain, CreatorID: j.Creator, CreatorName: text(names[j.Creator]), Type: j.Type,
		Kind: j.Kind, KindName: text(h.catalog.Now().Name(catalog.KindDiagnosis, j.Kind, locale.From(ctx).Language)), Region: text(j.Region),
		Params: j.Params, State: diagnosisStates[j.State], Abnormal: j.Abnormal,
		CreatedAt: at(j.Created), StartedAt: maybeAt(j.Started), EndedAt: maybeAt(j.Ended)}
}

// ListDiagnoses lists a customer's diagnoses, newest first.
func (h diagnoses) ListDiagnoses(ctx context.Context, params oas.ListDiagnosesParams) (*oas.DiagnosisPage, error) {
	all, more, err := h.diagnose.Desk(ctx, principal.From(ctx), diagnose.DeskFilter{Domain: params.Domain, Before: params.Cursor.Or(""), Limit: int(params.Limit.Or(0))})
	if err != nil {
		return nil, err
	}
	var users []string
	for _, j := range all {
		users = append(users, j.Creator)
	}
	names, err := h.identity.Names(ctx, params.Domain, users)
	if err != nil {
		return nil, err
	}
	page := &oas.DiagnosisPage{Items: []oas.Diagnosis{}}
	for _, j := range all {
		page.Items = append(page.Items, h.diagnosis(ctx, j, names))
	}
	if more {
		page.NextCursor = text(all[len(all)-1].ID)
	}
	return page, nil
}

// ShowDiagnosis shows one with its checks.
func (h diagnoses) ShowDiagnosis(ctx context.Context, params oas.ShowDiagnosisParams) (*oas.Diagnosis, error) {
	j, ratings, err := h.diagnose.DeskShow(ctx, principal.From(ctx), params.DomainID, params.JobID)
	if err != nil {
		return nil, err
	}
	users := []string{j.Creator}
	for _, g := range ratings {
		users = append(users, g.User)
	}
	names, err := h.identity.Names(ctx, j.Domain, users)
	if err != nil {
		return nil, err
	}
	out, lang := h.diagnosis(ctx, j, names), locale.From(ctx).Language
	done := int32(0)
	for _, c := range j.Checks {
		check := oas.DiagnosisCheck{ID: c.ID, Name: c.Name.In(lang), Group: c.Group.Name.In(lang), State: checkStates[c.Outcome], Message: c.Message.In(lang),
			StartedAt: maybeAt(c.Started), EndedAt: maybeAt(c.Ended)}
		if c.Outcome.Abnormal() {
			check.Suggestion, check.Help = text(c.Suggestion.In(lang)), text(c.Help)
		}
		if c.Ended != 0 {
			done++
		}
		out.Checks = append(out.Checks, check)
	}
	out.ChecksDone = oas.NewOptInt32(done)
	for _, g := range ratings {
		out.Ratings = append(out.Ratings, oas.DiagnosisRating{UserID: g.User, UserName: text(names[g.User]), Helpful: g.Helpful, Content: text(g.Comment), CreatedAt: at(g.Created)})
	}
	return &out, nil
}

func resource(r diagnose.Resource) (*oas.Resource, error) {
	metadata := oas.ResourceMetadata{}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(r.Metadata, &object); err != nil {
		return nil, err
	}
	for k, v := range object {
		metadata[k] = jx.Raw(v)
	}
	return &oas.Resource{ID: r.ID, DomainID: r.Domain, Name: r.Name, ProjectID: text(r.Project), Region: text(r.Region), Ipv4: text(r.IPv4), Ipv6: text(r.IPv6),
		Status: r.Status, HostID: text(r.Host), OwnerID: text(r.Owner), Metadata: metadata, CreatedAt: at(r.Created), ChangedAt: at(r.Changed)}, nil
}

// ListResources lists what a customer can have diagnosed.
func (h diagnoses) ListResources(ctx context.Context, params oas.ListResourcesParams) (*oas.ResourceList, error) {
	all, err := h.diagnose.DeskResources(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	list := &oas.ResourceList{Items: []oas.Resource{}}
	for _, r := range all {
		out, err := resource(r)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, *out)
	}
	return list, nil
}

// PutResource enters or changes a resource.
func (h diagnoses) PutResource(ctx context.Context, req *oas.ResourceReq, params oas.PutResourceParams) (*oas.Resource, error) {
	r := diagnose.Resource{Domain: params.DomainID, ID: params.ResourceID, Name: req.Name, Project: req.ProjectID.Or(""), Region: req.Region.Or(""),
		IPv4: req.Ipv4.Or(""), IPv6: req.Ipv6.Or(""), Status: req.Status.Or(""), Host: req.HostID.Or(""), Owner: req.OwnerID.Or("")}
	if m, ok := req.Metadata.Get(); ok {
		var e jx.Encoder
		m.Encode(&e)
		r.Metadata = e.Bytes()
	}
	stored, err := h.diagnose.PutResource(ctx, principal.From(ctx), r)
	if err != nil {
		return nil, err
	}
	return resource(stored)
}

// DeleteResource removes a resource.
func (h diagnoses) DeleteResource(ctx context.Context, params oas.DeleteResourceParams) error {
	return h.diagnose.DeleteResource(ctx, principal.From(ctx), params.DomainID, params.ResourceID)
}
