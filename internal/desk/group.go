package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

type groups struct{ identity *identity.Service }

func group(g identity.Group) oas.Group {
	return oas.Group{ID: g.ID, Name: g.Name, Roles: g.Roles, Members: g.Members}
}

// ListGroups lists the groups of a domain.
func (h groups) ListGroups(ctx context.Context, params oas.ListGroupsParams) (*oas.GroupList, error) {
	all, err := h.identity.Groups(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	list := &oas.GroupList{Items: []oas.Group{}}
	for _, g := range all {
		list.Items = append(list.Items, group(g))
	}
	return list, nil
}

// CreateGroup adds a group.
func (h groups) CreateGroup(ctx context.Context, req *oas.NewGroupReq, params oas.CreateGroupParams) (*oas.Group, error) {
	g, err := h.identity.CreateGroup(ctx, principal.From(ctx), identity.NewGroup{Domain: params.DomainID, Name: req.Name, Roles: req.Roles})
	if err != nil {
		return nil, err
	}
	out := group(g)
	return &out, nil
}

// AddGroupMember puts a user into a group.
func (h groups) AddGroupMember(ctx context.Context, params oas.AddGroupMemberParams) error {
	return h.identity.AddMember(ctx, principal.From(ctx), params.DomainID, params.GroupID, params.UserID)
}

// RemoveGroupMember takes a user out of a group.
func (h groups) RemoveGroupMember(ctx context.Context, params oas.RemoveGroupMemberParams) error {
	return h.identity.RemoveMember(ctx, principal.From(ctx), params.DomainID, params.GroupID, params.UserID)
}
