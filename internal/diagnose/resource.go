package diagnose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// Limits of resources; texts in characters (the contract's 64 where it has one).
const (
	maxResources = 500 // of one domain: the wire has no pages for them
	maxName      = 128
	maxShort     = 64
	maxMetadata  = 4096 // bytes of JSON
)

var (
	errResourceID  = fault.BadFormat.In("resource_id").With("form", forms[catalog.FormResource])
	errManyOf      = fault.New(fault.Conflict, fault.CodeNoPermission, "每个账号最多 {max} 个资源", "an account may have at most {max} resources")
	errMetadata    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为不超过 {max} 字节的 JSON 对象", "{field} must be a JSON object of at most {max} bytes").In("metadata").With("max", maxMetadata)
	errBlankName   = fault.Missing.In("name")
	errUnprintable = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 含有控制字符", "{field} holds control characters")
)

// Resource is something of a customer's that can be diagnosed, entered by an
// administrator. Being entered opens no way to it: the guard looks at its
// address like at any other.
type Resource struct {
	Domain, ID, Name, Project, Region, IPv4, IPv6, Status string
	Host, Owner                                           string // id of the physical host, user id
	Metadata                                              json.RawMessage
	Created, Changed                                      int64 // milliseconds UTC
}

const resourceColumns = "domain_id, id, name, project, region, ipv4, ipv6, status, host, owner, metadata, created_at, changed_at"

func scanResource(r db.Row) (x Resource, err error) {
	var metadata string
	err = r.Scan(&x.Domain, &x.ID, &x.Name, &x.Project, &x.Region, &x.IPv4, &x.IPv6, &x.Status, &x.Host, &x.Owner, &metadata, &x.Created, &x.Changed)
	if errors.Is(err, db.ErrNone) {
		err = errNoResource
	}
	x.Metadata = json.RawMessage(metadata)
	return x, err
}

func resourceIn(tx *db.Tx, domain, id string) (Resource, error) {
	return scanResource(tx.Get("SELECT "+resourceColumns+" FROM diagnosis_resources WHERE domain_id = ? AND id = ?", domain, id))
}

// Resources are those of the caller's domain, of a project and a region where
// these are given, by id.
func (s *Service) Resources(ctx context.Context, who principal.Principal, project, region string) (all []Resource, err error) {
	if who.Kind != principal.Customer {
		return nil, fault.NoPermission
	}
	for field, v := range map[string]string{"project_id": project, "region": region} {
		if utf8.RuneCountInString(v) > maxShort {
			return nil, fault.TooLong.In(field).With("max", maxShort)
		}
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { all, err = resourcesIn(tx, who.Domain, project, region); return err })
	return all, err
}

func resourcesIn(tx *db.Tx, domain, project, region string) (all []Resource, err error) {
	err = tx.List(func(r db.Row) error {
		x, err := scanResource(r)
		all = append(all, x)
		return err
	}, "SELECT "+resourceColumns+" FROM diagnosis_resources WHERE domain_id = ? AND (? = '' OR project = ?) AND (? = '' OR region = ?) ORDER BY id",
		domain, project, project, region, region)
	return all, err
}

// DeskResources are the resources of a domain, by id. For the house; it fails
// with identity.ErrNoDomain.
func (s *Service) DeskResources(ctx context.Context, who principal.Principal, domain string) (all []Resource, err error) {
	if err := maySee(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := customers(tx, domain); err != nil {
			return err
		}
		all, err = resourcesIn(tx, domain, "", "")
		return err
	})
	return all, err
}

// customers refuses a domain that is not there, and the house.
func customers(tx *db.Tx, domain string) error {
	if domain == principal.House {
		return identity.ErrNoDomain
	}
	_, err := identity.DomainIn(tx, domain)
	return err
}

func (s *Service) checkResource(r *Resource) error {
	if !catalog.ResourceID(r.ID) {
		return errResourceID
	}
	if strings.TrimSpace(r.Name) == "" {
		return errBlankName
	}
	if r.Status == "" {
		r.Status = "ACTIVE"
	}
	for _, t := range []struct {
		field, text string
		max         int
	}{{"name", r.Name, maxName}, {"project_id", r.Project, maxShort}, {"region", r.Region, maxShort}, {"status", r.Status, maxShort}, {"host_id", r.Host, maxShort}, {"owner_id", r.Owner, maxShort}} {
		if utf8.RuneCountInString(t.text) > t.max {
			return fault.TooLong.In(t.field).With("max", t.max)
		}
		if strings.ContainsFunc(t.text, unicode.IsControl) {
			return errUnprintable.In(t.field)
		}
	}
	if _, known := s.catalog.Now().Region(r.Region); r.Region != "" && !known {
		return fault.Unknown.In("region")
	}
	for _, a := range []struct {
		field, form string
		text        *string
		fits        func(netip.Addr) bool
	}{{"ipv4", "192.0.2.1", &r.IPv4, netip.Addr.Is4}, {"ipv6", "2001:db8::1", &r.IPv6, netip.Addr.Is6}} {
		if *a.text == "" {
			continue
		}
		addr, err := netip.ParseAddr(*a.text)
		if err != nil || !a.fits(addr) || addr.Zone() != "" {
			return fault.BadFormat.In(a.field).With("form", a.form)
		}
		*a.text = addr.String()
	}
	if len(r.Metadata) == 0 {
		r.Metadata = json.RawMessage("{}")
	}
	var compact bytes.Buffer
	var object map[string]json.RawMessage
	if len(r.Metadata) > maxMetadata || json.Unmarshal(r.Metadata, &object) != nil || object == nil || json.Compact(&compact, r.Metadata) != nil {
		return errMetadata
	}
	r.Metadata = compact.Bytes()
	return nil
}

// PutResource enters a resource of a domain, or changes the one with its id, and
// answers it as stored. Administrators only. It fails with identity.ErrNoDomain,
// OSM.01010001 naming the field, and OSM.01010002 at 500 resources.
func (s *Service) PutResource(ctx context.Context, who principal.Principal, r Resource) (Resource, error) {
	if !who.Admin() {
		return r, fault.NoPermission
	}
	if err := s.checkResource(&r); err != nil {
		return r, err
	}
	if r.Owner != "" {
		if _, err := s.ident.User(ctx, principal.AsSystem(principal.House), r.Domain, r.Owner); err != nil {
			return r, fault.Unknown.In("owner_id").Because(err)
		}
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Resource, error) {
		if err := customers(tx, r.Domain); err != nil {
			return r, err
		}
		tx.Lock(r.Domain, "diagnosis resources")
		out, kind := r, "resource.change"
		old, err := resourceIn(tx, r.Domain, r.ID)
		switch {
		case errors.Is(err, errNoResource):
			var n int
			if err := tx.Get("SELECT count(*) FROM diagnosis_resources WHERE domain_id = ?", r.Domain).Scan(&n); err != nil {
				return r, err
			}
			if n >= maxResources {
				return r, errManyOf.With("max", maxResources)
			}
			out.Created, kind = tx.Now, "resource.create"
		case err != nil:
			return r, err
		default:
			out.Created = old.Created
		}
		out.Changed = tx.Now
		tx.Write(1, `INSERT INTO diagnosis_resources (domain_id, id, name, project, region, ipv4, ipv6, status, host, owner, metadata, created_at, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain_id, id) DO UPDATE SET name = excluded.name, project = excluded.project,
			region = excluded.region, ipv4 = excluded.ipv4, ipv6 = excluded.ipv6, status = excluded.status, host = excluded.host, owner = excluded.owner,
			metadata = excluded.metadata, changed_at = excluded.changed_at`,
			out.Domain, out.ID, out.Name, out.Project, out.Region, out.IPv4, out.IPv6, out.Status, out.Host, out.Owner, string(out.Metadata), out.Created, out.Changed)
		event.Record(tx, who, event.Event{Domain: out.Domain, Kind: kind, Subject: "resource", SubjectID: out.ID, LogCode: event.NoLog,
			Data: map[string]any{"region": out.Region, "status": out.Status}})
		return out, nil
	})
}

// DeleteResource removes a resource; past diagnoses stay. Administrators only.
// It fails with OSM.01010001 for one that is not there.
func (s *Service) DeleteResource(ctx context.Context, who principal.Principal, domain, id string) error {
	if !who.Admin() {
		return fault.NoPermission
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		r, err := resourceIn(tx, domain, id)
		if err != nil {
			if errors.Is(err, errNoResource) {
				return errNoResource.In("resource_id")
			}
			return err
		}
		tx.Write(1, "DELETE FROM diagnosis_resources WHERE domain_id = ? AND id = ?", domain, id)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "resource.delete", Subject: "resource", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"name": r.Name}})
		return nil
	})
}
