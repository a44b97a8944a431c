package crash

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"casemate/test/world"
)

// TestTornWal: what a dying disk leaves behind the last sync may be half of a
// write or nonsense. Copies of a killed database, their log cut or a bit of it
// flipped at a random place that was not yet moved into the database file: each
// opens, is whole, and holds the acknowledged tickets up to one of them and none
// after it (threats.md E1).
func TestTornWal(t *testing.T) {
	copies := 40
	if os.Getenv("CASEMATE_LONG") != "" {
		copies = 400
	}
	w := world.Start(t, world.Options{})
	c := client(t, w)
	problem := problemType(t, c)
	path := filepath.Join(w.Dir, "casemate.db")
	// The log must hold several tickets that are not in the database file yet,
	// however busy the machine is: it is moved there all the time.
	var acked []string
	held, moved := 0, int64(0)
	for begin := time.Now(); time.Since(begin) < 1500*time.Millisecond || held < 12 && time.Since(begin) < 30*time.Second; held++ {
		number, err := create(c, problem, fmt.Sprint("torn ", len(acked)))
		if err != nil {
			t.Fatal(err)
		}
		acked = append(acked, number)
		if _, now := logged(read(t, path+"-shm")); now != moved {
			held, moved = 0, now
		}
	}
	w.Kill()
	base, wal, shm := read(t, path), read(t, path+"-wal"), read(t, path+"-shm")
	frames, moved := logged(shm)
	frame := int64(24 + binary.BigEndian.Uint32(wal[8:]))
	from, to := 32+moved*frame, min(32+frames*frame, int64(len(wal)))
	if to-from < 20*frame {
		t.Fatalf("%d frames, %d of them moved: nothing to tear", frames, moved)
	}
	var (
		mu      sync.Mutex
		shorter = map[int]bool{}
		all     sync.WaitGroup
		next    = make(chan int)
	)
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for range 2 {
		all.Go(func() {
			for i := range next {
				mu.Lock()
				at, bit := from+random.Int64N(to-from), byte(1)<<random.IntN(8)
				mu.Unlock()
				torn := slices.Clone(wal)
				if i%2 == 0 {
					torn = torn[:at]
				} else {
					torn[at] ^= bit
				}
				have, err := opened(filepath.Join(t.TempDir(), "casemate.db"), base, torn)
				if err == nil && !prefix(have, acked) {
					err = fmt.Errorf("%d tickets, not the first of the %d acknowledged", len(have), len(acked))
				}
				if err != nil {
					t.Errorf("copy %d, torn at %d of %d: %v", i, at, to, err)
				}
				mu.Lock()
				shorter[len(have)] = true
				mu.Unlock()
			}
		})
	}
	for i := range copies {
		next <- i
	}
	close(next)
	all.Wait()
	have, err := opened(filepath.Join(t.TempDir(), "casemate.db"), base, wal)
	if err != nil || len(have) < len(acked) || !prefix(have, acked) {
		t.Errorf("untouched: %d of %d tickets, %v", len(have), len(acked), err)
	}
	if len(shorter) < 5 {
		t.Errorf("the copies end at %d different tickets only: they were hardly torn", len(shorter))
	}
	t.Logf("REPORT torn log: %d copies, %d acknowledged, ended at %d different tickets", copies, len(acked), len(shorter))
}

// logged is how many frames the log has, and how many of them are in the
// database file already, by the log's index (SQLite's file format, "WAL-Index").
func logged(shm []byte) (frames, moved int64) {
	return int64(binary.NativeEndian.Uint32(shm[16:])), int64(binary.NativeEndian.Uint32(shm[96:]))
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// opened are the numbers of the tickets this test made, in their order, in a
// database that is whole.
func opened(path string, base, wal []byte) (numbers []string, err error) {
	if err := os.WriteFile(path, base, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path+"-wal", wal, 0o600); err != nil {
		return nil, err
	}
	d, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	d.SetMaxOpenConns(1)
	var whole string
	if err := d.QueryRow("PRAGMA integrity_check").Scan(&whole); err != nil || whole != "ok" {
		return nil, fmt.Errorf("integrity: %q %v", whole, err)
	}
	rows, err := d.Query("SELECT number FROM tickets WHERE description LIKE 'torn %' ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, rows.Err()
}

// prefix tells whether the tickets are the first acknowledged ones; one more may
// have been stored when its answer was cut off.
func prefix(have, acked []string) bool {
	if len(have) > len(acked) {
		return len(have) == len(acked)+1 && slices.Equal(have[:len(acked)], acked)
	}
	return slices.Equal(have, acked[:len(have)])
}
