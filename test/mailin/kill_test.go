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

// pairs are the ways, each on one database; in the long tests on both.
func pairs(one, two string) [][2]string {
	if os.Getenv("CASEMATE_LONG") == "" {
		return [][2]string{{one, "sqlite"}, {two, "postgres"}}
	}
	return [][2]string{{one, "sqlite"}, {two, "postgres"}, {one, "postgres"}, {two, "sqlite"}}
}

// TestKillWhilePolling kills the process again and again while it fetches; at
// the end every mail that lay in the mailbox is one ticket, and is marked.
func TestKillWhilePolling(t *testing.T) {
	t.Parallel()
	for _, c := range pairs("seen", "delete") {
		t.Run(c[0]+"/"+c[1], func(t *testing.T) {
			t.Parallel()
			after, database := c[0], c[1]
			m := mailtest.Start(t, mailtest.Implicit, nil)
			times := kills(2, 25)
			f := open(t, database, account(t, m, ", after: "+after), 1+times*18/perCustomer)
			n := 0
			for range times {
				for range 18 {
					m.Put("INBOX", question(n))
					n++
				}
				time.Sleep(rand.N(300 * time.Millisecond))
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
	}
}

// TestKillWhileReceiving kills the process under four mail servers, which bring
// a mail until it is answered with 250; at the end every mail is one ticket.
func TestKillWhileReceiving(t *testing.T) {
	t.Parallel()
	for _, c := range pairs("lmtp", "smtp") {
		t.Run(c[0]+"/"+c[1], func(t *testing.T) {
			t.Parallel()
			protocol, database := c[0], c[1]
			times := kills(3, 25)
			n, senders := 24*times, 4
			f := open(t, database, "mail_in:\n  receiver: {listen: RECEIVE, protocol: "+protocol+"}\n  mailboxes:\n    - {name: support, address: support@example.com}\n", 1+n/perCustomer)
			stop := make(chan struct{})
			gone := make(chan struct{}, n)
			var work sync.WaitGroup
			repeats := make([]int, senders)
			for s := range senders {
				work.Go(func() {
					for i := s; i < n; i += senders {
						mail := question(i) // the same bytes each time, as a mail server has them in its queue
						for mailtest.BringOnce(f.receive, protocol == "lmtp", sender(i), "support@example.com", mail) != 250 {
							repeats[s]++
							select {
							case <-stop:
								return
							case <-time.After(20 * time.Millisecond):
							}
						}
						gone <- struct{}{}
					}
				})
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				work.Wait()
			}()
			for range times {
				for range 16 { // in the middle of the work
					select {
					case <-gone:
					case <-time.After(time.Minute):
						t.Error("no mail gets through")
					}
				}
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
			if again == 0 {
				t.Error("no kill met a mail on its way")
			}
			fmt.Printf("REPORT mail in (%s, %s): %d mails received under %d kills -9, brought again %d times\n", protocol, database, n, times, again)
		})
	}
}
