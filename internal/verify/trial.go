package verify

import (
	"errors"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// Limits of test messages through a provider (our own choice: whoever sets a
// provider up tries it often within an hour, nobody all day long).
const (
	testsUserHour, testsUserDay       = 20, 60
	testsContactHour, testsContactDay = 10, 20
	testsDay                          = 200 // of the whole installation
)

// Faults of test messages.
var (
	// ErrTestTooOften: too many were sent lately, by the caller, to the contact or at
	// all, or text messages to this country are at their limit.
	ErrTestTooOften = fault.New(fault.TooMany, "OSM.01010024", "测试发送过于频繁，请稍后再试", "too many test messages were sent: please try again later")
	// ErrTestCeiling: the day's number or money of text messages is used up.
	ErrTestCeiling = fault.New(fault.TooMany, "OSM.01010024", "今日短信数量或金额已达上限（verify.pumping），测试短信也计入", "the day's number or money of text messages is used up (verify.pumping); test messages count, too")
	// ErrTestNumber: text messages may not go there.
	ErrTestNumber = fault.New(fault.Invalid, fault.CodeInvalid, "不允许向该号码发送短信：国家或地区不在 verify.sms_countries 中，或不是手机号码", "text messages may not go to this number: its country is not among verify.sms_countries, or it is no mobile number").In("to")
)

// AdmitTest counts a test message of an administrator to a normalised contact and
// refuses it when the caller, the contact or the installation has had as many as it
// may. A text message costs money whatever it says: it goes only where codes may go
// (threats.md A10) and counts against the limits of prefix and country and the day's
// ceiling (A9), exact on any number of nodes. A refused one counts nowhere. Failures:
// ErrTestTooOften, ErrTestCeiling (both say when), ErrTestNumber.
func (s *Service) AdmitTest(tx *db.Tx, who principal.Principal, way notify.Way, to string) error {
	contact := Contact{Way: identity.Mail, Value: to}
	if way == notify.SMS {
		contact = Contact{Way: identity.SMS, Value: to}
	}
	r, err := s.resolve(contact)
	if err != nil {
		return fault.Unknown.In("to").Because(err)
	}
	if way == notify.SMS {
		if s.maySMS(r) != nil {
			return ErrTestNumber
		}
		tx.Lock("", "verify breaker "+subjectAll) // the ceiling's
	}
	tx.Lock("", "verify tests")
	limits := []limit{
		{"test.user:" + who.Domain + "/" + who.User, testsUserHour, testsUserDay},
		{"test.contact:" + r.hash, testsContactHour, testsContactDay},
		{"test.all", -1, testsDay},
	}
	price := s.o.Config.Pumping.Price(r.area)
	if way == notify.SMS {
		limits = append(limits, s.byNumber(tx, r)...)
		reason, wait, err := s.ceiling(tx, price)
		if err != nil {
			return err
		}
		if reason != "" {
			return ErrTestCeiling.After(max(wait, time.Second))
		}
	}
	if err := s.within(tx, limits); err != nil {
		if f, ok := fault.As(err); ok && errors.Is(err, ErrTooOften) {
			return ErrTestTooOften.After(f.RetryAfter)
		}
		return err
	}
	if way == notify.SMS { // of the whole only: nobody enters a test, and a breaker would take it for an attack
		tally(tx, []string{subjectAll}, tx.Now, amounts{sent: 1, cost: price})
	}
	return nil
}
