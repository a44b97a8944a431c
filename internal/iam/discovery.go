package iam

import (
	"context"

	"casemate/internal/iam/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

type discovery struct{}

// version is the level of Keystone's API that is served here in part.
func version(ctx context.Context) oas.Version {
	return oas.Version{ID: "v3.14", Status: "stable", Updated: "2020-04-07T00:00:00Z",
		Links:           []oas.Link{{Rel: "self", Href: wire.Base(ctx) + "/v3/"}},
		MediaMinusTypes: []oas.MediaType{{Base: "application/json", Type: "application/vnd.openstack.identity-v3+json"}}}
}

// ListVersions is the discovery document at the root.
func (discovery) ListVersions(ctx context.Context) (*oas.Versions, error) {
	return &oas.Versions{Versions: oas.VersionList{Values: []oas.Version{version(ctx)}}}, nil
}

// ShowVersion is the discovery document of the version.
func (discovery) ShowVersion(ctx context.Context) (*oas.VersionAnswer, error) {
	return &oas.VersionAnswer{Version: version(ctx)}, nil
}

// region is the one region an installation has.
const region = "casemate"

// services are the catalogue of every token.
func services(ctx context.Context) []oas.Service {
	base := wire.Base(ctx)
	service := func(name, kind, url string) oas.Service {
		return oas.Service{ID: name, Name: name, Type: kind, Endpoints: []oas.Endpoint{{ID: name, Interface: "public", Region: region, RegionID: region, URL: url}}}
	}
	return []oas.Service{service("iam", "identity", base+"/v3"), service("osm", "osm", base+"/v2")}
}

type scopes struct{ identity *identity.Service }

func links(ctx context.Context, path string) oas.Links {
	l := oas.Links{Self: wire.Base(ctx) + path}
	l.Next.SetToNull()
	l.Previous.SetToNull()
	return l
}

// domain is the caller's own.
func (h scopes) domain(ctx context.Context) (identity.Domain, error) {
	who := principal.From(ctx)
	if who.Domain == principal.House {
		return identity.Domain{ID: principal.House, Name: principal.House}, nil
	}
	return h.identity.Domain(ctx, who, who.Domain)
}

// ListAuthDomains is the caller's domain; the SDKs look up its id here.
func (h scopes) ListAuthDomains(ctx context.Context) (*oas.Domains, error) {
	d, err := h.domain(ctx)
	if err != nil {
		return nil, err
	}
	return &oas.Domains{Links: links(ctx, "/v3/auth/domains"), Domains: []oas.Domain{
		{ID: d.ID, Name: d.Name, Enabled: true, Links: oas.SelfLink{Self: wire.Base(ctx) + "/v3/domains/" + d.ID}}}}, nil
}

func (h scopes) projects(ctx context.Context, path string, keep func(identity.Domain) bool) (*oas.Projects, error) {
	d, err := h.domain(ctx)
	if err != nil {
		return nil, err
	}
	out := &oas.Projects{Projects: []oas.Project{}, Links: links(ctx, path)}
	if d.Project != "" && keep(d) {
		out.Projects = append(out.Projects, oas.Project{ID: d.Project, Name: projectName(d), DomainID: d.ID, ParentID: d.ID, Enabled: true,
			Links: oas.SelfLink{Self: wire.Base(ctx) + "/v3/projects/" + d.Project}})
	}
	return out, nil
}

// ListAuthProjects is the one project of the caller's domain.
func (h scopes) ListAuthProjects(ctx context.Context) (*oas.Projects, error) {
	return h.projects(ctx, "/v3/auth/projects", func(identity.Domain) bool { return true })
}

// ListProjects is the same, filtered.
func (h scopes) ListProjects(ctx context.Context, p oas.ListProjectsParams) (*oas.Projects, error) {
	return h.projects(ctx, "/v3/projects", func(d identity.Domain) bool {
		return (!p.Name.Set || p.Name.Value == projectName(d)) && (!p.DomainID.Set || p.DomainID.Value == d.ID)
	})
}

// ShowAuthCatalog is where the services are.
func (scopes) ShowAuthCatalog(ctx context.Context) (*oas.CatalogAnswer, error) {
	return &oas.CatalogAnswer{Catalog: services(ctx), Links: links(ctx, "/v3/auth/catalog")}, nil
}
