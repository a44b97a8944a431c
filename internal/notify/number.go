package notify

import (
	"strconv"

	"github.com/nyaruka/phonenumbers"
)

// SplitNumber cuts a number in the form +8613800138000 into calling code and
// national number.
func SplitNumber(e164 string) (area, national string, ok bool) {
	if len(e164) < 4 || e164[0] != '+' {
		return "", "", false
	}
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return "", "", false
	}
	return strconv.Itoa(int(n.GetCountryCode())), phonenumbers.GetNationalSignificantNumber(n), true
}
