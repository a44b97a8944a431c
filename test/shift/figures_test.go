package shift

import (
	"errors"
	"fmt"
	"time"

	"casemate/test/figures"
)

// checkFigures holds every figure of every report, and the tickets behind them,
// against a recomputation from the events. What still goes out to people of the
// house is waited for.
func (s *shift) checkFigures(database string) {
	s.t.Helper()
	get := func(path string) ([]byte, error) {
		status, text, err := s.Operator("GET", path, nil)
		if err == nil && status >= 300 {
			err = errors.New(text)
		}
		return []byte(text), err
	}
	e := s.engineers[0]
	asEngineer := func(path string) ([]byte, error) {
		status, text := e.call("GET", path[len("/desk/v1/"):], nil)
		if status >= 300 {
			return nil, fmt.Errorf("%s: %d %s", path, status, text)
		}
		return text, nil
	}
	for try := 1; ; try++ {
		w, err := figures.Read(get)
		if err != nil {
			s.t.Fatal(err)
		}
		compared, listed, wrong := w.Compare()
		own, more := w.CompareAs(asEngineer, e.id)
		if wrong = append(wrong, more...); len(wrong) > 0 && try < 3 {
			time.Sleep(2 * time.Second) // mails to the house were still under way
			continue
		}
		for i, one := range wrong {
			if i < 20 {
				s.t.Error(one)
			}
		}
		if compared < 500 || listed < 500 || own == 0 {
			s.t.Errorf("only %d figures, %d of an engineer's, %d tickets behind them were compared", compared, own, listed)
		}
		s.t.Logf("REPORT shift figures (%s): %d figures of reports and %d as an engineer sees them recomputed from the events, %d tickets behind them, %d differences (try %d)\n", database, compared, own, listed, len(wrong), try)
		return
	}
}
