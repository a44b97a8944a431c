package webapi

import (
	"context"
	"maps"
	"slices"

	"casemate/internal/catalog"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/ticket"
	"casemate/internal/verify"
	"casemate/internal/webapi/oas"
)

// accounts are the caller's own password, keys, groups, preferences and
// signatures.
type accounts struct {
	identity   *identity.Service
	privileges *privilege.Service
	catalog    *catalog.Service
	verify     *verify.Service
}

// ShowOwnPassword tells how it stands.
func (h accounts) ShowOwnPassword(ctx context.Context) (*oas.OwnPassword, error) {
	p, err := h.identity.OwnPassword(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.OwnPassword{Changeable: p.Changeable, CodeNeeded: p.Code, ChangedAt: maybeAt(p.Changed)}
	if p.Provider != "" {
		out.Provider = oas.NewOptString(p.Provider)
	}
	return out, nil
}

// ChangeOwnPassword changes it.
func (h accounts) ChangeOwnPassword(ctx context.Context, req *oas.OwnPasswordReq) error {
	return h.identity.ChangePassword(ctx, principal.From(ctx), req.OldPassword, req.NewPassword, req.Code.Or(""))
}

func ownKey(k identity.AccessKey) oas.OwnKey {
	return oas.OwnKey{AccessKey: k.ID, Description: k.Description, Active: !k.Disabled, CreatedAt: at(k.Created), LastUsedAt: maybeAt(k.LastUsed)}
}

// ListOwnKeys lists the caller's keys.
func (h accounts) ListOwnKeys(ctx context.Context) (*oas.OwnKeyList, error) {
	who := principal.From(ctx)
	all, err := h.identity.AccessKeys(ctx, who, who.Domain, who.User)
	if err != nil {
		return nil, err
	}
	out := &oas.OwnKeyList{Items: []oas.OwnKey{}, Most: identity.MaxKeys}
	for _, k := range all {
		out.Items = append(out.Items, ownKey(k))
	}
	return out, nil
}

// CreateOwnKey makes a pair.
func (h accounts) CreateOwnKey(ctx context.Context, req *oas.OwnKeyReq) (*oas.NewOwnKey, error) {
	k, err := h.identity.CreateOwnKey(ctx, principal.From(ctx), req.Description.Or(""), identity.Proof{Password: req.Password.Or(""), Code: req.Code.Or("")})
	if err != nil {
		return nil, err
	}
	return &oas.NewOwnKey{AccessKey: k.ID, SecretKey: k.Secret}, nil
}

// ChangeOwnKey switches or describes a key.
func (h accounts) ChangeOwnKey(ctx context.Context, req *oas.OwnKeyChange, p oas.ChangeOwnKeyParams) (*oas.OwnKey, error) {
	var c identity.KeyChange
	if v, ok := req.Active.Get(); ok {
		off := !v
		c.Disabled = &off
	}
	if v, ok := req.Description.Get(); ok {
		c.Description = &v
	}
	k, err := h.identity.ChangeOwnKey(ctx, principal.From(ctx), p.AccessKey, c)
	if err != nil {
		return nil, err
	}
	out := ownKey(k)
	return &out, nil
}

// DeleteOwnKey removes a key.
func (h accounts) DeleteOwnKey(ctx context.Context, p oas.DeleteOwnKeyParams) error {
	return h.identity.DeleteOwnKey(ctx, principal.From(ctx), p.AccessKey)
}

// ListOwnGroups lists the groups whose tickets the caller sees.
func (h accounts) ListOwnGroups(ctx context.Context) (*oas.OwnGroupList, error) {
	all, err := h.privileges.OwnGroups(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.OwnGroupList{Items: []oas.OwnGroup{}}
	for _, g := range all {
		out.Items = append(out.Items, oas.OwnGroup{ID: g.ID, Name: g.Name, Members: int32(g.Members)})
	}
	return out, nil
}

// ListOwnUsers tells who may submit.
func (h accounts) ListOwnUsers(ctx context.Context) (*oas.OwnUserList, error) {
	all, by, err := h.privileges.OwnUsers(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.OwnUserList{Items: []oas.OwnUser{}, ByPermission: by}
	for _, u := range all {
		out.Items = append(out.Items, oas.OwnUser{ID: u.ID, Name: u.Name, Main: u.Main, Disabled: u.Disabled, Groups: u.Groups, MaySubmit: u.MaySubmit, Permitted: u.Permitted})
	}
	return out, nil
}

// ShowOwnPreferences shows what the caller chose.
func (h accounts) ShowOwnPreferences(ctx context.Context) (*oas.OwnPreferences, error) {
	return preferences(h.identity.Preferences(ctx, principal.From(ctx)))
}

// PutOwnPreferences sets what is given.
func (h accounts) PutOwnPreferences(ctx context.Context, req *oas.OwnPreferences) (*oas.OwnPreferences, error) {
	var c identity.Preferences
	if v, ok := req.Language.Get(); ok {
		l := locale.Language(v)
		c.Language = &l
	}
	if v, ok := req.TimeZone.Get(); ok {
		c.Zone = &v
	}
	if v, ok := req.Theme.Get(); ok {
		theme := string(v)
		c.Theme = &theme
	}
	if v, ok := req.SingleKeys.Get(); ok {
		c.Single = &v
	}
	if v, ok := req.Keys.Get(); ok {
		c.Keys = map[string]string(v)
	}
	if v, ok := req.Notices.Get(); ok {
		c.Notices = map[string]bool{}
		for kind, on := range noticesOf(&v) {
			if on.Set {
				c.Notices[kind] = on.Value
			}
		}
	}
	if req.Views != nil {
		c.Views = []identity.View{}
		for _, v := range req.Views {
			c.Views = append(c.Views, identity.View{Name: v.Name, Query: v.Query})
		}
	}
	if req.Searches != nil {
		c.Searches = []identity.View{}
		for _, v := range req.Searches {
			c.Searches = append(c.Searches, identity.View{Name: v.Name, Query: v.Query})
		}
	}
	c.Columns = req.Columns
	return preferences(h.identity.ChangePreferences(ctx, principal.From(ctx), c))
}

// noticesOf are the fields of the wire by their kinds.
func noticesOf(n *oas.OwnNotices) map[string]*oas.OptBool {
	return map[string]*oas.OptBool{identity.NoticeCreated: &n.Created, identity.NoticeReplied: &n.Replied, identity.NoticeAsked: &n.Asked, identity.NoticeResolved: &n.Resolved,
		identity.NoticeClosing: &n.Closing, identity.NoticeAuthorized: &n.Authorized, identity.NoticeSurveyed: &n.Surveyed}
}

func preferences(p identity.Preferences, err error) (*oas.OwnPreferences, error) {
	if err != nil {
		return nil, err
	}
	out := &oas.OwnPreferences{Columns: p.Columns}
	if p.Language != nil {
		out.Language = oas.NewOptOwnPreferencesLanguage(oas.OwnPreferencesLanguage(*p.Language))
	}
	if p.Zone != nil {
		out.TimeZone = oas.NewOptString(*p.Zone)
	}
	if p.Theme != nil {
		out.Theme = oas.NewOptOwnPreferencesTheme(oas.OwnPreferencesTheme(*p.Theme))
	}
	if p.Single != nil {
		out.SingleKeys = oas.NewOptBool(*p.Single)
	}
	if p.Keys != nil {
		out.Keys = oas.NewOptOwnPreferencesKeys(p.Keys)
	}
	if p.Notices != nil {
		var n oas.OwnNotices
		for kind, on := range noticesOf(&n) {
			if v, chosen := p.Notices[kind]; chosen {
				*on = oas.NewOptBool(v)
			}
		}
		out.Notices = oas.NewOptOwnNotices(n)
	}
	for _, v := range p.Views {
		out.Views = append(out.Views, oas.OwnView{Name: v.Name, Query: v.Query})
	}
	for _, v := range p.Searches {
		out.Searches = append(out.Searches, oas.OwnSearch{Name: v.Name, Query: v.Query})
	}
	return out, nil
}

// ListOwnAgreements lists what the caller signed, and what is to be signed.
func (h accounts) ListOwnAgreements(ctx context.Context) (*oas.OwnAgreementList, error) {
	all, err := h.catalog.OwnAgreements(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	lang := locale.From(ctx).Language
	out := &oas.OwnAgreementList{Items: []oas.OwnAgreement{}}
	for _, a := range all {
		o := oas.OwnAgreement{ID: a.ID, Type: a.Type, Version: a.Version, Name: a.Name.In(lang), Content: a.Content.In(lang), Latest: a.Latest, Signatures: []oas.OwnSignature{}}
		for _, g := range a.Signatures {
			one := oas.OwnSignature{Record: g.Record, SignedAt: at(g.Signed)}
			if g.Relation != "" {
				one.RelationID = oas.NewOptString(g.Relation)
			}
			o.Signatures = append(o.Signatures, one)
		}
		out.Items = append(out.Items, o)
	}
	return out, nil
}

// lists are what lists of tickets show beside the customer API.
type lists struct {
	tickets *ticket.Service
	catalog *catalog.Service
}

// ListLastMessages tells who wrote last.
func (h lists) ListLastMessages(ctx context.Context, p oas.ListLastMessagesParams) (*oas.LastMessageList, error) {
	all, err := h.tickets.LastWords(ctx, principal.From(ctx), p.Numbers, p.GroupID.Or(""))
	if err != nil {
		return nil, err
	}
	out := &oas.LastMessageList{Items: []oas.LastMessage{}}
	for _, w := range all {
		side := oas.LastMessageSideEngineer
		if w.Side == ticket.CustomerSide {
			side = oas.LastMessageSideCustomer
		}
		out.Items = append(out.Items, oas.LastMessage{Number: w.Number, Side: side, Name: w.Name, Own: w.Own, At: at(w.At), Unread: int32(w.Unread)})
	}
	return out, nil
}

// CountTickets tells how many tickets that fit are in each state.
func (h lists) CountTickets(ctx context.Context, p oas.CountTicketsParams) (_ *oas.TicketCountList, err error) {
	loc := locale.From(ctx)
	f := ticket.Filter{Text: p.AppKey.Or(""), Creator: p.XCustomerID.Or(""), Group: p.GroupID.Or(""), Labels: p.LabelIDList}
	if f.From, f.To, err = loc.ParseSpan(p.QueryStartTime.Or(""), p.QueryEndTime.Or("")); err != nil {
		return nil, err
	}
	counts, err := h.tickets.CountsOf(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	out := &oas.TicketCountList{Items: []oas.TicketCount{}}
	for _, s := range ticket.Statuses {
		out.Items = append(out.Items, oas.TicketCount{Status: int32(s), Count: int32(counts[s])})
	}
	return out, nil
}

// ListLabelUse counts the tickets of each of the caller's labels.
func (h lists) ListLabelUse(ctx context.Context) (*oas.LabelUseList, error) {
	use, err := h.tickets.LabelUse(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.LabelUseList{Items: []oas.LabelUse{}}
	for _, id := range slices.Sorted(maps.Keys(use)) {
		out.Items = append(out.Items, oas.LabelUse{LabelID: id, Tickets: int32(use[id])})
	}
	return out, nil
}

// ShowUrge tells when a ticket may be urged.
func (h lists) ShowUrge(ctx context.Context, p oas.ShowUrgeParams) (*oas.Urge, error) {
	u, err := h.tickets.UrgeStateOf(ctx, principal.From(ctx), p.Number, p.GroupID.Or(""))
	if err != nil {
		return nil, err
	}
	return &oas.Urge{Possible: u.Possible, From: maybeAt(u.From), Urges: int32(u.Urges)}, nil
}

// ListSimilarTickets finds tickets like a text.
func (h lists) ListSimilarTickets(ctx context.Context, req *oas.SimilarTicketsReq) (*oas.SimilarTicketList, error) {
	all, err := h.tickets.Similar(ctx, principal.From(ctx), req.Text, req.ProblemTypeID.Or(""))
	if err != nil {
		return nil, err
	}
	out := &oas.SimilarTicketList{Items: []oas.SimilarTicket{}}
	for _, o := range all {
		text := []rune(o.Description)
		out.Items = append(out.Items, oas.SimilarTicket{Number: o.Number, Description: string(text[:min(len(text), 120)]), Status: int32(o.Status), CreatedAt: at(o.Created)})
	}
	return out, nil
}

// ListOfferedProblems lists what tickets can be about.
func (h lists) ListOfferedProblems(ctx context.Context) (*oas.OfferedProblemList, error) {
	lang := locale.From(ctx).Language
	out := &oas.OfferedProblemList{Items: []oas.OfferedProblem{}}
	for _, p := range h.catalog.Now().ProblemTypes() {
		out.Items = append(out.Items, oas.OfferedProblem{ID: p.ID, Name: p.Name.In(lang), ProductID: p.Product})
	}
	return out, nil
}

// maxOwnContacts is how many proved contacts are listed.
const maxOwnContacts = 50

// ListOwnContacts lists what the caller proved and what still counts.
func (h accounts) ListOwnContacts(ctx context.Context) (*oas.OwnContactList, error) {
	who := principal.From(ctx)
	all, _, err := h.verify.Proofs(ctx, who, verify.ProofFilter{User: who.User, Limit: maxOwnContacts})
	if err != nil {
		return nil, err
	}
	out := &oas.OwnContactList{Items: []oas.OwnContact{}}
	for _, p := range all {
		o := oas.OwnContact{ID: p.ID, Way: int32(p.Way), Value: p.Value, ProvedAt: at(p.Proved), ExpiresAt: at(p.Expires)}
		if p.Area != "" {
			o.AreaCode = oas.NewOptString(p.Area)
		}
		out.Items = append(out.Items, o)
	}
	return out, nil
}
