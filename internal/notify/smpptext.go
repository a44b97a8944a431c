package notify

import (
	"encoding/binary"
	"unicode/utf16"

	"github.com/linxGnu/gosmpp/data"
)

// The most that one text message holds, and one part of several behind the six
// octets that join them (3GPP TS 23.040 section 9.2.3.24.1).
const (
	gsmAlone, gsmJoined = 160, 153 // septets
	ucsAlone, ucsJoined = 70, 67   // units of UTF-16
)

// maxParts is the most that the joining header can number.
const maxParts = 255

// segments cuts a text into what the parts of a text message hold: GSM 03.38
// with one septet in each octet when it can express the text, else UCS-2, high
// octet first. No character is cut in two.
func segments(text string) (coding data.Encoding, parts [][]byte) {
	if len(data.ValidateGSM7String(text)) == 0 {
		if all, err := data.GSM7BIT.Encode(text); err == nil {
			return data.GSM7BIT, cutParts(all, gsmAlone, gsmJoined, func(at int) bool { return at > 0 && all[at-1] == 0x1b })
		}
	}
	units := utf16.Encode([]rune(text))
	all := make([]byte, 0, 2*len(units))
	for _, u := range units {
		all = binary.BigEndian.AppendUint16(all, u)
	}
	return data.UCS2, cutParts(all, 2*ucsAlone, 2*ucsJoined, func(at int) bool {
		return at%2 == 1 || units[at/2] >= 0xdc00 && units[at/2] <= 0xdfff
	})
}

// cutParts cuts where no character is split; a text that fits alone is not cut.
// splits tells whether a cut before the octet would split one; a character is
// never longer than four octets.
func cutParts(all []byte, alone, joined int, splits func(at int) bool) (parts [][]byte) {
	if len(all) <= alone {
		return [][]byte{all}
	}
	for at := 0; at < len(all); {
		end := min(at+joined, len(all))
		for end < len(all) && splits(end) {
			end--
		}
		parts = append(parts, all[at:end])
		at = end
	}
	return parts
}

// Parts is how many parts a text message is sent, and charged, as.
func Parts(text string) int {
	_, parts := segments(text)
	return len(parts)
}
