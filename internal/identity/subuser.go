package identity

import (
	"context"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// SubUser is a user of the caller's account as colleagues may know him: name
// and contacts are anonymised (semantics.md section 2).
type SubUser struct {
	ID, Domain         string
	Name, Mobile, Mail string // masked; "" where he has none
	AreaCode           string
}

// maxSubUsers bounds one answer, which has no pages.
const maxSubUsers = 1000

// SubUsers finds users of the caller's account, the main account aside: for the
// main account and where sub-users act on every ticket all of them, for a
// sub-user those of his groups and himself. name is a part of the log-in name
// whatever the case, id a user id; "" does not filter. At most 1,000.
func (s *Service) SubUsers(ctx context.Context, who principal.Principal, name, id string) ([]SubUser, error) {
	if who.Kind != principal.Customer {
		return nil, fault.NoPermission
	}
	var found []User
	cond, args := "", []any{who.Domain}
	if id != "" {
		cond, args = " AND id = ?", append(args, id)
	}
	if !who.Main && !who.AllTickets {
		cond += ` AND (id = ? OR id IN (SELECT user_id FROM group_members WHERE domain_id = ? AND group_id IN
			(SELECT group_id FROM group_members WHERE domain_id = ? AND user_id = ?)))`
		args = append(args, who.User, who.Domain, who.Domain, who.User)
	}
	limit := ""
	if name == "" { // names are sealed: whom they leave out shows when they are open
		limit = " LIMIT ?"
		args = append(args, maxSubUsers)
	}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		found = nil
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			found = append(found, u)
			return err
		}, "SELECT "+userColumns+" FROM users WHERE domain_id = ? AND main = 0"+cond+" ORDER BY id"+limit, args...)
	})
	if err != nil {
		return nil, err
	}
	out := []SubUser{}
	for _, u := range found {
		if len(out) == maxSubUsers {
			break
		}
		if err := s.open(ctx, &u); err != nil {
			return nil, err
		}
		if name == "" || strings.Contains(foldName(u.Name), foldName(name)) {
			su := SubUser{ID: u.ID, Domain: u.Domain, Name: maskName(u.Name), Mail: maskMail(u.Mail)}
			su.Mobile, su.AreaCode = maskMobile(u.Mobile)
			out = append(out, su)
		}
	}
	return out, nil
}

// maskName leaves the first character.
func maskName(name string) string {
	if r := []rune(name); len(r) > 0 {
		return string(r[0]) + "***"
	}
	return ""
}

// maskMobile leaves three digits in front and four behind of the number without
// its calling code, of short numbers only the last two; area is the calling code.
func maskMobile(e164 string) (masked, area string) {
	number, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return "", ""
	}
	n := phonenumbers.GetNationalSignificantNumber(number)
	area = strconv.Itoa(int(number.GetCountryCode()))
	if len(n) < 9 {
		return "****" + n[max(len(n)-2, 0):], area
	}
	return n[:3] + "****" + n[len(n)-4:], area
}

// maskMail leaves the first character and the host.
func maskMail(mail string) string {
	local, host, ok := strings.Cut(mail, "@")
	if !ok {
		return ""
	}
	return maskName(local) + "@" + host
}
