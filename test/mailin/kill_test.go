package mailin

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"casemate/internal/mailin/mailtest"
)

func kills(short, long int) int {
	if os.Getenv("CASEMATE_LONG") != "" {
		return long
	}
	return short
}

// TestKillWhilePolling kills the process again and again while it fetches; at
// the end every mail that lay in the mailbox is one ticket, and is marked.
func TestKillWhilePolling(t *testing.T) {
	for _, after := range []string{"seen", "delete"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, database string) {
				if os.Getenv("CASEMATE_LONG") == "" && (after == "seen") != (database == "sqlite") {
					t.Skip("the long tests run every pair")
				}
				m := mailtest.Start(t, mailtest.Implicit, nil)
				times := kills(3, 25)
				f := open(t, database, account(t, m, ", after: "+after), 1+times*12/perCustomer)
				n := 0
				for range times {
					for range 12 {
						m.Put("INBOX", question(n))
						n++
					}
					time.Sleep(rand.N(400 * time.Millisecond))
					f.Kill()
					f.Run()
				}
				f.until("all is marked", func() bool {
					left, unseen := m.Count("INBOX")
					return after == "seen" && left == n && unseen == 0 || after == "delete" && left == 0
				})
				f.exactlyOnce(n)
				fmt.Printf("REPORT mail in (%s, %s): %d mails fetched under %d kills -9\n", after, database, n, times)
			})
		})
	}
}

// TestKillWhileReceiving kills the process under four mail servers, which bring
// a mail until it is answered with 250; at the end every mail is one ticket.
func TestKillWhileReceiving(t *testing.T) {
	for _, protocol := range []string{"lmtp", "smtp"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, database string) {
				if os.Getenv("CASEMATE_LONG") == "" && (protocol == "lmtp") != (database == "sqlite") {
					t.Skip("the long tests run every pair")
				}
				times := kills(3, 25)
				n, senders := 12*times, 4
				f := open(t, database, "mail_in:\n  receiver: {listen: RECEIVE, protocol: "+protocol+"}\n  mailboxes:\n    - {name: support, address: support@example.com}\n", 1+n/perCustomer)
				stop := make(chan struct{})
				var work sync.WaitGroup
				repeats := make([]int, senders)
				for s := range senders {
					work.Go(func() {
						for i := s; i < n; i += senders {
							mail := question(i)
							for mailtest.BringOnce(f.receive, protocol == "lmtp", sender(i), "support@example.com", mail) != 250 {
								repeats[s]++
								select {
								case <-stop:
									return
								case <-time.After(20 * time.Millisecond):
								}
							}
						}
					})
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					work.Wait()
				}()
				for range times {
					time.Sleep(50*time.Millisecond + rand.N(300*time.Millisecond))
					f.Kill()
					f.Run()
				}
				select {
				case <-done:
				case <-time.After(2 * time.Minute):
					close(stop)
					t.Fatal("the mail servers do not get rid of their mails")
				}
				f.exactlyOnce(n)
				again := 0
				for _, r := range repeats {
					again += r
				}
				fmt.Printf("REPORT mail in (%s, %s): %d mails received under %d kills -9, brought again %d times\n", protocol, database, n, times, again)
			})
		})
	}
}
