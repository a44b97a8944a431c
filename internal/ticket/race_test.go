//go:build race

package ticket_test

func init() { raced = true }
