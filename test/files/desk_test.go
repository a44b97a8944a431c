package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

// TestDeskFiles: an engineer sends files from the shell; the customer gets them
// with the reply, those of notes never.
func TestDeskFiles(t *testing.T) {
	w := world.Start(t, world.Options{})
	c := client(t, w, 0)
	list, err := c.ListCases(&model.ListCasesRequest{Status: new(int32(1)), Limit: new(int32(1))})
	if err != nil || len(*list.IncidentInfoList) == 0 {
		t.Fatal(err)
	}
	number := (*list.IncidentInfoList)[0].IncidentId
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	local := func(args ...string) string {
		t.Helper()
		out, err := w.Local(append([]string{"desk"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	id := local("attach", number, write("prepared.log")) // the id and nothing else
	local("reply", number, "see the files", "--attachment", id, "--file", write("答复.txt"))
	local("note", number, "for us", "--file", write("internal.txt"))
	if shown := local("show", number); !strings.Contains(shown, id+"\tprepared.log\t23 B\n") || !strings.Contains(shown, "internal.txt") {
		t.Errorf("desk show: %s", shown)
	}
	if got := local("download", number, id, "--to", "-"); got != "content of prepared.log" {
		t.Errorf("downloaded %q", got)
	}
	saved := filepath.Join(dir, "saved.log")
	local("download", number, id, "--to", saved)
	if got, err := os.ReadFile(saved); err != nil || string(got) != "content of prepared.log" {
		t.Errorf("saved %q: %v", got, err)
	}
	for _, args := range [][]string{{number, id, "--to", saved}, {number, "nothing", "--to", saved + "2"}} {
		if _, err := w.Local(append([]string{"desk", "download"}, args...)...); err == nil {
			t.Errorf("download %v: no error", args)
		}
	}
	if _, err := os.Stat(saved + "2"); err == nil {
		t.Error("a refused download left a file")
	}
	if all, err := w.Local("desk", "list", "--assignee", "nobody"); err == nil {
		t.Errorf("tickets of nobody: %s", all)
	}
	if _, err := w.Local("desk", "list", "--as", "nobody"); err == nil {
		t.Error("--as nobody was taken")
	}
	if mine := local("list", "--assignee", "chen"); mine == "" || mine != local("list", "--assignee", "me", "--as", "chen") {
		t.Errorf("chen's tickets: %s", mine)
	}
	if _, err := w.Local("desk", "reply", number, "again", "--attachment", id); err == nil {
		t.Error("a file was sent twice")
	}
	if _, err := w.Local("desk", "attach", number, write("a.exe")); err == nil || !strings.Contains(err.Error(), "OSM.01010001") {
		t.Errorf("%v", err)
	}
	page, err := c.ListMessages(&model.ListMessagesRequest{CaseId: number, Limit: new(int32(100))})
	if err != nil {
		t.Fatal(err)
	}
	names := ""
	for _, m := range *page.MessageList {
		for _, a := range *m.AccessoryList {
			names += *a.FileActualName + " "
			_, text := get(t, w.URL+accessorys+"/"+*a.AccessoryId, token(t, w, 0))
			if text != "content of "+*a.FileActualName {
				t.Errorf("%s: %q", *a.FileActualName, text)
			}
		}
	}
	if names != "prepared.log 答复.txt " {
		t.Errorf("the customer has %q", names)
	}
	shown := local("show", number, "--json")
	if !strings.Contains(shown, "internal.txt") || !strings.Contains(shown, "答复.txt") {
		t.Errorf("the desk sees %s", shown)
	}
}
