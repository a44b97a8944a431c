package config

import (
	"errors"
	"net/mail"
	"time"
)

// Ticket holds the times of a ticket's life (semantics.md D2, D4).
type Ticket struct {
	UrgeAfter    time.Duration `yaml:"urge_after"`    // a new ticket cannot be urged for so long; 0 = 30m, negative = at once
	UrgeEvery    time.Duration `yaml:"urge_every"`    // least time between two urges; 0 = 30m
	ConfirmDays  int           `yaml:"confirm_days"`  // a solution nobody answers is taken as confirmed; 0 = 3, -1 = never
	Acknowledge  bool          `yaml:"acknowledge"`   // a new ticket is confirmed to its contacts
	FeedbackDays int           `yaml:"feedback_days"` // a question nobody answers counts as solved; 0 = 7, -1 = never
	AbuseMail    string        `yaml:"abuse_mail"`    // address of the house that is told of abuse reports; "" = nobody

	SurveyAfter time.Duration `yaml:"survey_after"` // the submitter of a completed ticket is asked to rate it so long after, by mail, with a link (notify.url); 0 = never, at most 30 days

	WithdrawWithin time.Duration `yaml:"withdraw_within"` // a customer may take a message back for so long (semantics.md D6); 0 = 2m, negative = never
}

// Check refuses values that mean nothing.
func (t Ticket) Check() error {
	switch {
	case t.UrgeEvery < 0:
		return errors.New("ticket.urge_every cannot be negative")
	case t.ConfirmDays < -1 || t.ConfirmDays > 365:
		return errors.New("ticket.confirm_days is -1 to 365")
	case t.FeedbackDays < -1 || t.FeedbackDays > 365:
		return errors.New("ticket.feedback_days is -1 to 365")
	case t.SurveyAfter < 0 || t.SurveyAfter > 30*24*time.Hour:
		return errors.New("ticket.survey_after is 0s to 720h")
	case t.AbuseMail != "" && !plainAddress(t.AbuseMail):
		return errors.New("ticket.abuse_mail is one plain address, name@example.com")
	}
	return nil
}

func plainAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// WithDefaults fills in what is not set.
func (t Ticket) WithDefaults() Ticket {
	if t.UrgeAfter == 0 {
		t.UrgeAfter = 30 * time.Minute
	}
	if t.UrgeEvery == 0 {
		t.UrgeEvery = 30 * time.Minute
	}
	if t.ConfirmDays == 0 {
		t.ConfirmDays = 3
	}
	if t.FeedbackDays == 0 {
		t.FeedbackDays = 7
	}
	if t.WithdrawWithin == 0 {
		t.WithdrawWithin = 2 * time.Minute
	}
	return t
}

// Demo lets a ticket be urged as soon as it exists (design: the demo world); a
// second urge at once is still refused.
func (t Ticket) Demo() Ticket {
	t.UrgeAfter = -time.Second
	return t
}
