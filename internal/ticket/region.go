package ticket

import (
	"strings"

	"casemate/internal/seal"
)

// sealedRegion marks a region that is kept sealed: one the catalogue calls
// sensitive (semantics.md section 9). No region's id can begin so.
const sealedRegion = "~"

func regionPlace(ticket string) seal.Place {
	return seal.Place{Table: "tickets", Column: "region", Row: ticket}
}

func (s *Service) sealRegion(ticket, region string) (string, error) {
	sealed, err := s.keys.Seal(regionPlace(ticket), []byte(region))
	return sealedRegion + sealed, err
}

// openRegions replaces sealed regions by their ids. Tickets that leave the
// package go through here; inside it a sensitive region stays sealed.
func (s *Service) openRegions(all ...*Ticket) error {
	for _, t := range all {
		sealed, ok := strings.CutPrefix(t.Region, sealedRegion)
		if !ok {
			continue
		}
		plain, err := s.keys.Open(regionPlace(t.ID), sealed)
		if err != nil {
			return err
		}
		t.Region = string(plain)
	}
	return nil
}

func (s *Service) openPage(page []Ticket) error {
	for i := range page {
		if err := s.openRegions(&page[i]); err != nil {
			return err
		}
	}
	return nil
}
