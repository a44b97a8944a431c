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
	id, _, _ := strings.Cut(local("attach", number, write("prepared.log")), "\t")
	local("reply", number, "see the files", "--attachment", id, "--file", write("答复.txt"))
	local("note", number, "for us", "--file", write("internal.txt"))
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
