package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/go-faster/jx"

	"casemate/internal/api/oas"
	"casemate/internal/diagnose"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// diagnoses are the self-service diagnoses. A job's id is a decimal number: a
// string in some answers, an integer in another (contract/README.md, oddity 9).
type diagnoses struct{ diagnose *diagnose.Service }

// States of a check on the wire. The contract does not tell them; they follow
// those of jobs: 0 waiting, 2 running, 3 done whatever it found, 7 skipped.
var checkStatus = map[diagnose.Outcome]int32{diagnose.Waiting: 0, diagnose.Checking: 2, diagnose.Passed: 3, diagnose.Warning: 3, diagnose.Bad: 3, diagnose.Skipped: 7}

// riskLevel of a check (ours): 0 none, 1 a warning, 2 a failure.
var riskLevel = map[diagnose.Outcome]int32{diagnose.Warning: 1, diagnose.Bad: 2}

// problemLevel of a check: 0 not run, 3 normal, 4 abnormal (contract).
var problemLevel = map[diagnose.Outcome]int32{diagnose.Passed: 3, diagnose.Warning: 4, diagnose.Bad: 4}

func (h diagnoses) CreateDiagnoseJob(ctx context.Context, req *oas.SubmitDiagnoseJobReq, _ oas.CreateDiagnoseJobParams) (*oas.CreateDiagnoseJobResponse, error) {
	n, err := h.diagnose.Start(ctx, principal.From(ctx), diagnose.NewJob{Type: req.Type, Params: req.Params.Value, Region: req.RegionID.Or("")})
	if err != nil {
		return nil, err
	}
	return &oas.CreateDiagnoseJobResponse{JobID: oas.NewOptString(strconv.Itoa(int(n)))}, nil
}

func (h diagnoses) ListDiagnoseJob(ctx context.Context, p oas.ListDiagnoseJobParams) (*oas.ListDiagnoseJobResponse, error) {
	j, err := h.diagnose.Show(ctx, principal.From(ctx), p.JobID.Or(""))
	if err != nil {
		return nil, err
	}
	lang := locale.From(ctx).Language
	return &oas.ListDiagnoseJobResponse{Status: oas.NewOptInt32(int32(j.State)), JobID: oas.NewOptInt32(j.Number), DomainID: oas.NewOptString(j.Domain),
		CreateTime: oas.NewOptInt64(j.Created),
		ItemsResult: each(j.Checks, func(c diagnose.Check) oas.ItemResultVo {
			return oas.ItemResultVo{Status: oas.NewOptInt32(checkStatus[c.Outcome]), Visible: oas.NewOptInt32(1),
				ResourceID: oas.NewOptString(c.Group.ID), ResourceName: oas.NewOptString(c.Group.Name.In(lang)),
				CheckID: oas.NewOptString(c.ID), CheckName: oas.NewOptString(c.Name.In(lang)), ProblemLevel: oas.NewOptInt32(problemLevel[c.Outcome])}
		})}, nil
}

// ListDiagnoseItems answers the checks named, joined by commas; all without
// names. Unknown names are not there.
func (h diagnoses) ListDiagnoseItems(ctx context.Context, req oas.OptQueryDiagnoseItemsReq, _ oas.ListDiagnoseItemsParams) (*oas.ListDiagnoseItemsResponse, error) {
	j, err := h.diagnose.Show(ctx, principal.From(ctx), req.Value.JobID.Or(""))
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, id := range strings.Split(req.Value.ItemIds.Or(""), ",") {
		if id = strings.TrimSpace(id); id != "" {
			wanted[id] = true
		}
	}
	lang := locale.From(ctx).Language
	out := &oas.ListDiagnoseItemsResponse{ItemResults: []oas.ItemResultDetailVo{}}
	for _, c := range j.Checks {
		if len(wanted) > 0 && !wanted[c.ID] {
			continue
		}
		item := oas.ItemResultDetailVo{Status: oas.NewOptInt32(checkStatus[c.Outcome]), Level: oas.NewOptInt32(riskLevel[c.Outcome]),
			CheckID: oas.NewOptString(c.ID), CheckName: oas.NewOptString(c.Name.In(lang)), CheckNameEn: oas.NewOptString(c.Name.EN),
			Response: oas.NewOptString(c.Message.In(lang))}
		if c.Outcome.Abnormal() {
			item.Suggestion = oas.NewOptString(c.Suggestion.In(lang))
			if c.Help != "" {
				item.SuggestionURL = oas.NewOptString(c.Help)
			}
		}
		out.ItemResults = append(out.ItemResults, item)
	}
	return out, nil
}

func (h diagnoses) ListDiagnoseRecords(ctx context.Context, p oas.ListDiagnoseRecordsParams) (*oas.ListDiagnoseRecordsResponse, error) {
	page, total, err := h.diagnose.List(ctx, principal.From(ctx), diagnose.Filter{Type: p.Type.Or(0), Page: int(p.PageNo.Or(0)), Size: int(p.PageSize.Or(0))})
	if err != nil {
		return nil, err
	}
	return &oas.ListDiagnoseRecordsResponse{TotalCount: int32(total), Records: each(page, func(j diagnose.Job) oas.DiagnoseRecordVo {
		r := oas.DiagnoseRecordVo{ID: oas.NewOptString(j.ID), Status: oas.NewOptString(strconv.Itoa(int(j.State))), DomainID: oas.NewOptString(j.Domain),
			CreateTime: oas.NewOptInt64(j.Created), JobID: oas.NewOptString(strconv.Itoa(int(j.Number))), AbnormalItems: j.Abnormal,
			RedCount: oas.NewOptInt32(int32(len(j.Abnormal))), Params: oas.NewOptDiagnoseRecordVoParams(j.Params)}
		if j.Region != "" {
			r.Region = oas.NewOptString(j.Region)
		}
		return r
	})}, nil
}

// ListDiagnoseResources lists what was entered for the customer on the desk.
func (h diagnoses) ListDiagnoseResources(ctx context.Context, req oas.OptQueryTscDiagnoseResourcesReq, _ oas.ListDiagnoseResourcesParams) (*oas.ListDiagnoseResourcesResponse, error) {
	all, err := h.diagnose.Resources(ctx, principal.From(ctx), req.Value.ProjectID.Or(""), req.Value.Region.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.ListDiagnoseResourcesResponse{TotalCount: int32(len(all)), Result: each(all, func(r diagnose.Resource) oas.DiagnoseResourceVo {
		return oas.DiagnoseResourceVo{ID: oas.NewOptString(r.ID), Name: oas.NewOptString(r.Name), AccessIPv4: oas.NewOptString(r.IPv4), AccessIPv6: oas.NewOptString(r.IPv6),
			Status: oas.NewOptString(r.Status), TenantId: oas.NewOptString(r.Project), UserId: oas.NewOptString(r.Owner), HostId: oas.NewOptString(r.Host), Metadata: jx.Raw(r.Metadata)}
	})}, nil
}

func (h diagnoses) CreateDiagnoseFeedback(ctx context.Context, req *oas.CreateFeedbackReq, _ oas.CreateDiagnoseFeedbackParams) (*oas.Ack, error) {
	err := h.diagnose.Rate(ctx, principal.From(ctx), diagnose.Rating{Type: req.Type, Helpful: req.IsHelpful, Comment: req.Content.Or("")})
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}
