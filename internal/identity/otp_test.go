package identity

import "testing"

// TestOTP: the codes are those of RFC 6238, appendix B (SHA-1; the last six of
// its eight digits), and each step's is taken once, one step early or late.
func TestOTP(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for seconds, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		got, err := otpCode(secret, seconds/30)
		if err != nil || got != want {
			t.Errorf("at %d: %s %v, want %s", seconds, got, err, want)
		}
		for off, ok := range map[int64]bool{-60: false, -30: true, 0: true, 30: true, 60: false} {
			if seconds+off < 0 {
				continue // before 1970
			}
			step, err := otpMatch(secret, want, (seconds+off)*1000, 0)
			if err != nil || (step == seconds/30) != ok {
				t.Errorf("the code of %d, %d s off: step %d %v", seconds, off, step, err)
			}
		}
		if step, err := otpMatch(secret, want, seconds*1000, seconds/30); step != 0 || err != nil {
			t.Errorf("the code of %d is taken again: %d %v", seconds, step, err)
		}
	}
	if step, err := otpMatch(secret, "000000", 59000, 0); step != 0 || err != nil {
		t.Errorf("a wrong code: %d %v", step, err)
	}
}
