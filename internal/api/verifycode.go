package api

import (
	"context"
	"time"

	"casemate/internal/api/oas"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/verify"
)

// verifyCodes is the group Verification Code Management.
type verifyCodes struct{ verify *verify.Service }

// CheckNeedVerify tells whether a contact has to be proved before a ticket may
// use it.
func (h verifyCodes) CheckNeedVerify(ctx context.Context, p oas.CheckNeedVerifyParams) (*oas.CheckNeedVerifyResponse, error) {
	need, err := h.verify.Needed(ctx, principal.From(ctx), verify.Contact{Way: identity.Way(p.ContactWay), Area: p.AreaCode.Or(""), Value: p.ContactValue})
	if err != nil {
		return nil, err
	}
	res := &oas.CheckNeedVerifyResponse{NeedVerifyCode: oas.NewOptInt32(0)}
	if need.Needed {
		res.NeedVerifyCode.SetTo(1)
	}
	if need.Until > 0 {
		res.ExpireTime.SetTo(oas.Time(locale.Wire(need.Until).Format(time.RFC3339)))
	}
	return res, nil
}

// SendVerifyCodes sends a code, in the caller's language.
func (h verifyCodes) SendVerifyCodes(ctx context.Context, req *oas.SendVerifyCodeReq, _ oas.SendVerifyCodesParams) (*oas.Ack, error) {
	c := verify.Contact{Way: identity.Way(req.ContactWay), Area: req.AreaCode, Value: req.ContactValue}
	if err := h.verify.Send(ctx, principal.From(ctx), c, locale.From(ctx).Language); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// CheckVerifyCodes holds a code against the one that was sent and records the
// contact as proved.
func (h verifyCodes) CheckVerifyCodes(ctx context.Context, req *oas.VerifyVerifyCodeV2Req, _ oas.CheckVerifyCodesParams) (*oas.Ack, error) {
	err := h.verify.Check(ctx, principal.From(ctx), verify.Try{
		Contact:  verify.Contact{Way: identity.Way(req.ContactWay), Area: req.AreaCode.Or(""), Value: req.ContactValue},
		Code:     req.VerifyCode,
		Customer: req.CustomerID.Or(""),
		User:     req.XCustomerID.Or(""),
	})
	if err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ListHasVerifiedContacts lists proved contacts, newest first.
func (h verifyCodes) ListHasVerifiedContacts(ctx context.Context, p oas.ListHasVerifiedContactsParams) (*oas.ListHasVerifiedContactsResponse, error) {
	f := verify.ProofFilter{Customer: p.CustomerID.Or(""), User: p.SubCustomerID.Or(""), ID: p.VerifiedID.Or(""), Area: p.AreaCode.Or(""), Value: p.ContactValue.Or(""),
		Offset: int(p.Offset.Or(0)), Limit: int(p.Limit.Or(0))}
	if w, ok := p.ContactWay.Get(); ok {
		way := identity.Way(w)
		f.Way = &way
	}
	if text := p.ExpiredTime.Or(""); text != "" {
		var err error
		if f.ExpiresFrom, err = locale.From(ctx).ParseStamp("expired_time", text); err != nil {
			return nil, err
		}
	}
	proofs, total, err := h.verify.Proofs(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	res := &oas.ListHasVerifiedContactsResponse{Count: int32(total), ContactList: make([]oas.ContactV2, 0, len(proofs))}
	for _, v := range proofs {
		c := oas.ContactV2{ContactWay: oas.NewOptInt32(int32(v.Way)), ContactValue: oas.NewOptString(v.Value), VerifiedID: oas.NewOptString(v.ID)}
		if v.Area != "" {
			c.AreaCode.SetTo(v.Area)
		}
		res.ContactList = append(res.ContactList, c)
	}
	return res, nil
}
