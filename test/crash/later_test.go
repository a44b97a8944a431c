package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestKilledBeforeSent kills the process while engineers' messages wait to be
// sent and while they go out: each goes out once, or comes back to its writer
// who took it back, never both and never neither.
func TestKilledBeforeSent(t *testing.T) {
	const tickets, rounds = 8, 3
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{}
			if database == "postgres" {
				o.Database = dbtest.DurableDatabase(t)
			}
			w := world.Start(t, o)
			c := client(t, w)
			problem, engineer := problemType(t, c), w.Engineers[0].Name
			call := func(method, path string, body any) (status int, answer map[string]any) {
				t.Helper()
				status, text, err := w.Operator(method, "/desk/v1/"+path, body)
				if err != nil {
					t.Fatal(err)
				}
				_ = json.Unmarshal([]byte(text), &answer) // 204 has none
				return status, answer
			}
			var numbers []string
			for i := range tickets {
				n, err := create(c, problem, fmt.Sprint("ticket ", i))
				if err != nil {
					t.Fatal(err)
				}
				numbers = append(numbers, n)
			}
			back := map[string]bool{} // texts taken back
			for round := range rounds {
				for i, n := range numbers {
					text := fmt.Sprint("round ", round, " message ", i, ".")
					status, answer := call("POST", "tickets/"+n+"/steps", map[string]any{"action": "reply", "text": text, "undo_within": 1 + i%3, "as": engineer})
					later, _ := answer["later"].(map[string]any)
					if status != 200 || later == nil {
						t.Fatalf("held: %d %v", status, answer)
					}
					if i%4 == 3 {
						if status, _ := call("DELETE", fmt.Sprint("later/", later["id"], "?as=", engineer), nil); status == 200 {
							back[text] = true
						}
					}
				}
				time.Sleep(500*time.Millisecond + time.Duration(rand.IntN(1500))*time.Millisecond)
				w.Kill()
				w.Run()
			}
			// A job that ran when its process was killed is taken over when its lease ends.
			deadline := time.Now().Add(90 * time.Second)
			for {
				_, answer := call("GET", "later?as="+engineer, nil)
				items, _ := answer["items"].([]any)
				if len(items) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d messages still wait", len(items))
				}
				time.Sleep(200 * time.Millisecond)
			}
			out := map[string]int{}
			for _, n := range numbers {
				_, answer := call("GET", "tickets/"+n+"/messages", nil)
				items, _ := answer["items"].([]any)
				for _, i := range items {
					m, _ := i.(map[string]any)
					text, _ := m["text"].(string)
					out[text]++
				}
				_, answer = call("GET", "tickets/"+n+"/drafts?as="+engineer, nil)
				items, _ = answer["items"].([]any)
				for _, i := range items {
					d, _ := i.(map[string]any)
					if text, _ := d["text"].(string); !back[text] || out[text] > 0 {
						t.Errorf("%q is a draft; taken back: %v, out %d times", text, back[text], out[text])
					}
				}
			}
			sent := 0
			for round := range rounds {
				for i := range numbers {
					text := fmt.Sprint("round ", round, " message ", i, ".")
					want := 1
					if back[text] {
						want = 0
					}
					if sent += out[text]; out[text] != want {
						t.Errorf("%q went out %d times, want %d", text, out[text], want)
					}
				}
			}
			t.Logf("REPORT %s: %d kills, %d messages held, %d taken back, %d sent once\n", database, rounds, rounds*tickets, len(back), sent)
		})
	}
}
