// Package files uploads and downloads against the shipped binary: memory,
// limits at the door, the vendor's SDK, links.
package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/global"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/def"
	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

const accessorys = "/v2/servicerequest/accessorys"

// token logs the user in.
func token(t *testing.T, w *world.World, user int) string {
	t.Helper()
	d := w.Domains[0]
	body, err := json.Marshal(map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{
			"user": map[string]any{"name": d.Users[user].Name, "password": d.Users[user].Password, "domain": map[string]any{"name": d.Name}}}},
		"scope": map[string]any{"domain": map[string]any{"name": d.Name}}}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(w.URL+"/v3/auth/tokens", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatal(res.Status)
	}
	return res.Header.Get("X-Subject-Token")
}

// form is a form upload of a file that is read as it is sent.
func form(name string, size int64, file io.Reader) (body io.Reader, length int64) {
	head := "--BOUND\r\nContent-Disposition: form-data; name=\"form_data\"\r\n\r\n{\"accessoryFrom\":\"incident\"}\r\n--BOUND\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
		name + "\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	tail := "\r\n--BOUND--\r\n"
	return io.MultiReader(strings.NewReader(head), file, strings.NewReader(tail)), int64(len(head)) + size + int64(len(tail))
}

// send posts a form; length -1 = chunked.
func send(w *world.World, token string, body io.Reader, length int64) (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, w.URL+accessorys, body)
	if err != nil {
		return 0, "", err
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", "multipart/form-data; boundary=BOUND")
	r.Header.Set("X-Auth-Token", token)
	r.Header.Set("X-Language", "en-us")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func accessory(text string) string {
	var out struct {
		ID string `json:"accessory_id"`
	}
	_ = json.Unmarshal([]byte(text), &out)
	return out.ID
}

func get(t *testing.T, url, token string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// memory is a figure of the process from /proc, in MiB: VmRSS or VmHWM.
func memory(t *testing.T, pid int, figure string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), figure+":")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n >> 10
}

// worked is the time that the process has had of the processors.
func worked(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // behind the name; the state is field 3
	fields, ticks := strings.Fields(rest), 0
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// peak starts counting the most the process has in memory anew, and tells how
// much it has now.
func peak(t *testing.T, pid int) (before int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatalf("resetting the peak of memory: %v", err)
	}
	return memory(t, pid, "VmRSS")
}

// archive reads like a zip of a size, without being held anywhere.
type archive struct{ at, size int64 }

func (a *archive) Read(p []byte) (int, error) {
	if a.at >= a.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), a.size-a.at))
	const head = "PK\x03\x04\x14\x00\x00\x00\x08\x00"
	for i := range n {
		if at := a.at + int64(i); at < int64(len(head)) {
			p[i] = head[at]
		} else {
			p[i] = byte(at*2654435761>>13) | 1
		}
	}
	a.at += int64(n)
	return n, nil
}

// TestUploadMemory: eight uploads of 90 MiB at once, and their downloads, do not
// grow the process (design: uploads stream).
func TestUploadMemory(t *testing.T) {
	w := world.Start(t, world.Options{Config: "attachment: {max_mb: 99, day_mb: -1}\n"})
	tk := token(t, w, 0)
	const size, parallel = 90 << 20, 8
	if status, text, err := upload(w, tk, 1<<20, false); status != 200 || err != nil {
		t.Fatal(status, text, err)
	}
	before := peak(t, w.PID())
	began := time.Now()
	var all sync.WaitGroup
	ids := make([]string, parallel)
	for i := range parallel {
		all.Go(func() {
			status, text, err := upload(w, tk, size, i%2 == 1)
			if status != 200 || err != nil {
				t.Errorf("%d %s %v", status, text, err)
			}
			ids[i] = accessory(text)
		})
	}
	all.Wait()
	uploaded, took := memory(t, w.PID(), "VmHWM"), time.Since(began)
	if t.Failed() {
		t.FailNow()
	}
	hash := func(r io.Reader) string {
		h := sha256.New()
		if _, err := io.Copy(h, r); err != nil {
			t.Error(err)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	want := hash(&archive{size: size})
	peak(t, w.PID())
	for _, id := range ids {
		all.Go(func() {
			r, err := http.NewRequest(http.MethodGet, w.URL+accessorys+"/"+id, nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("X-Auth-Token", tk)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			if got := hash(res.Body); got != want || res.ContentLength != size {
				t.Errorf("download: %s of %d bytes", got, res.ContentLength)
			}
		})
	}
	all.Wait()
	downloaded := memory(t, w.PID(), "VmHWM")
	t.Logf("REPORT memory: %d MiB before, at most %d MiB with %d uploads of 90 MiB at once (%.1f s), at most %d MiB with as many downloads\n",
		before, uploaded, parallel, took.Seconds(), downloaded)
	// Held in memory they would be 720 MiB. The server lets its heap grow to three
	// times what lives before it collects.
	if uploaded-before > 128 || downloaded-before > 128 {
		t.Errorf("memory grew from %d to %d and %d MiB", before, uploaded, downloaded)
	}
	left, err := os.ReadDir(filepath.Join(w.Dir, "tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left of uploads: %v %v", left, err)
	}
}

func upload(w *world.World, token string, size int64, chunked bool) (int, string, error) {
	body, length := form("a.zip", size, &archive{size: size})
	if chunked {
		length = -1
	}
	return send(w, token, body, length)
}

// TestUploadDoor: what is too large, cut off, unclosed or too slow is refused
// in front of the noun, and nothing stays of it (threats.md E8, E12).
func TestUploadDoor(t *testing.T) {
	w := world.Start(t, world.Options{Config: "attachment: {max_mb: 1}\n"})
	want := len(tree(t, filepath.Join(w.Dir, "blobs"))) + 2 // the demo's, and two of all that is sent
	tk := token(t, w, 0)
	limit := int64(1 << 20)
	refused := func(name string, wantStatus int, want string, status int, text string, err error) {
		t.Helper()
		if err != nil || status != wantStatus || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s %v, want %d %s", name, status, text, err, wantStatus, want)
		}
	}
	if status, text, err := upload(w, tk, limit, false); status != 200 {
		t.Errorf("the largest file: %d %s %v", status, text, err)
	}
	for _, chunked := range []bool{false, true} {
		status, text, err := upload(w, tk, limit+1, chunked)
		refused("a byte more", 400, `OSM.01010001","error_msg":"the file is larger than 1 MB (field: file)`, status, text, err)
		status, text, err = upload(w, tk, limit+65<<10, chunked)
		refused("over the body's limit", 413, "APIGW.0201", status, text, err)
	}
	cut := "--BOUND\r\nContent-Disposition: form-data; name=\"form_data\"\r\n\r\n{}\r\n--BOUND\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello"
	for _, end := range []string{"", "\r\n", "\r\n--BOUND", "\r\n--BOUND\r\n", "\r\n--BOUND-", "\r\n--OTHER--\r\n"} {
		for _, chunked := range []bool{false, true} {
			length := int64(len(cut + end))
			if chunked {
				length = -1
			}
			status, text, err := send(w, tk, strings.NewReader(cut+end), length)
			refused(fmt.Sprintf("unclosed %q", end), 400, "APIGW.0201", status, text, err)
		}
	}
	if status, text, err := send(w, tk, strings.NewReader(cut+"\r\n--BOUND--"), -1); status != 200 {
		t.Errorf("without a last line end: %d %s %v", status, text, err)
	}
	status, text, err := send(w, "cmt_wrong", strings.NewReader(cut+"\r\n--BOUND--"), -1)
	refused("without a right", 401, "APIGW.0301", status, text, err)
	// Elsewhere forms are not taken, however large.
	r, _ := http.NewRequest(http.MethodPost, w.URL+"/v2/servicerequest/labels", io.LimitReader(&archive{size: 1 << 30}, 20<<20))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=BOUND")
	r.Header.Set("X-Auth-Token", tk)
	if res, err := http.DefaultClient.Do(r); err == nil {
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 400 && res.StatusCode != 501 {
			t.Errorf("a form elsewhere: %d %s", res.StatusCode, body)
		}
	}
	// A sender that stops in the middle is cut after ten seconds, one that goes
	// away at once; this takes as long as the limit of pace says.
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Type: multipart/form-data; boundary=BOUND\r\nContent-Length: 1000\r\n\r\n%s", accessorys, tk, cut)
	began := time.Now()
	_ = conn.SetReadDeadline(began.Add(30 * time.Second))
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if took := time.Since(began); err != nil || !strings.Contains(string(answer[:n]), " 400 ") || took < 8*time.Second {
		t.Errorf("a slow sender: %q %v after %v", answer[:n], err, took)
	}
	conn.Close()
	gone, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(gone, "POST %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Type: multipart/form-data; boundary=BOUND\r\nContent-Length: 500000\r\n\r\n%s", accessorys, tk, cut)
	gone.Close()
	deadline := time.Now().Add(5 * time.Second)
	for {
		blobs, left := tree(t, filepath.Join(w.Dir, "blobs")), tree(t, filepath.Join(w.Dir, "tmp"))
		if len(blobs) == want && len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d blobs, want %d; put aside: %v", len(blobs), want, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestBase64Door: the JSON upload may be as large as the largest file needs,
// other JSON bodies 12 MiB (threats.md E8).
func TestBase64Door(t *testing.T) {
	w := world.Start(t, world.Options{Config: "attachment: {max_mb: 14}\n"})
	tk := token(t, w, 0)
	post := func(path string, bytes int) (int, string) {
		t.Helper()
		data := make([]byte, base64.StdEncoding.EncodedLen(bytes))
		file := make([]byte, bytes)
		_, _ = io.ReadFull(&archive{size: int64(bytes)}, file)
		base64.StdEncoding.Encode(data, file)
		body := `{"accessory_name":"a.zip","accessory_from":"incident","accessory_data":"` + string(data) + `"}`
		r, err := http.NewRequest(http.MethodPost, w.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Auth-Token", tk)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	const path = accessorys + "/json-format-content"
	for _, tt := range []struct {
		path   string
		bytes  int
		status int
		want   string
	}{
		{path, 14 << 20, 200, "accessory_id"},
		{path, 14<<20 + 1, 400, "accessory_data"},
		{path, 16 << 20, 413, "APIGW.0201"},
		{"/v2/servicerequest/cases", 10 << 20, 413, "APIGW.0201"},
	} {
		if status, text := post(tt.path, tt.bytes); status != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s of %d bytes: %d %s", tt.path, tt.bytes, status, text)
		}
	}
}

func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return nil // it may go while we look
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func client(t *testing.T, w *world.World, user int) *osm.OsmClient {
	t.Helper()
	u := w.Domains[0].Users[user]
	c, err := global.NewCredentialsBuilder().WithAk(u.AK).WithSk(u.SK).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	hc, err := osm.OsmClientBuilder().WithEndpoint(w.URL).WithCredential(c).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	return osm.NewOsmClient(hc)
}

// TestSDKFiles: the unmodified SDK uploads, creates a ticket with the files,
// downloads and deletes; its signature covers no body, so different files sent
// in one second must not be taken for repeats of each other.
func TestSDKFiles(t *testing.T) {
	w := world.Start(t, world.Options{})
	c := client(t, w, 1)
	dir := t.TempDir()
	const many = 16
	var all sync.WaitGroup
	ids := make([]string, many)
	for i := range many {
		path := filepath.Join(dir, fmt.Sprintf("日志 %d.log", i))
		if err := os.WriteFile(path, []byte(fmt.Sprintf("file %d", i)), 0o600); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			f, err := os.Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			res, err := client(t, w, 1).UploadAccessory(&model.UploadAccessoryRequest{Body: &model.UploadAccessoryRequestBody{
				File: def.NewFilePart(f), FormData: def.NewMultiPart(`{"accessoryFrom":"incident","uploadType":0}`)}})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = *res.AccessoryId
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for i, id := range ids {
		if seen[id] {
			t.Errorf("two uploads have the id %s", id)
		}
		seen[id] = true
		res, err := c.DownloadAccessories(&model.DownloadAccessoriesRequest{AccessoryId: id})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := res.Consume(&got); err != nil || got.String() != fmt.Sprintf("file %d", i) {
			t.Errorf("file %d: %q %v", i, got.String(), err)
		}
	}
	problems, err := c.ListProblemTypes(&model.ListProblemTypesRequest{ProductCategoryId: new("b5f0be5c9639466184abf80e01f9fa1d")})
	if err != nil {
		t.Fatal(err)
	}
	problem := ""
	for _, p := range *problems.IncidentBusinessTypeList {
		if *p.CaseType == "0" {
			problem = *p.BusinessTypeId
		}
	}
	files := ids[:5]
	made, err := c.CreateCases(&model.CreateCasesRequest{Body: &model.CreateOrderIncidentV2Req{BusinessTypeId: problem, SimpleDescription: "with files",
		SourceId: "83aeb0f2834c4df49826c781d32a963e", AccessoryIds: &files}})
	if err != nil {
		t.Fatal(err)
	}
	detail, err := c.ShowCaseDetail(&model.ShowCaseDetailRequest{CaseId: *made.IncidentId})
	if err != nil {
		t.Fatal(err)
	}
	list := *detail.IncidentDetailInfo.MessageList[0].AccessoryList
	if len(list) != 5 || *list[0].FileActualName != "日志 0.log" && *list[0].FileActualName == "" {
		t.Errorf("%+v", list)
	}
	if _, err := c.DeleteAccessories(&model.DeleteAccessoriesRequest{AccessoryId: ids[0]}); err == nil {
		t.Error("a claimed file was deleted")
	}
	if _, err := c.DeleteAccessories(&model.DeleteAccessoriesRequest{AccessoryId: ids[9]}); err != nil {
		t.Error(err)
	}
	urls, err := c.ListAccessoryAccessUrls(&model.ListAccessoryAccessUrlsRequest{AccessoryIds: files})
	if err != nil {
		t.Fatal(err)
	}
	for i, u := range *urls.AccessoryUrls {
		if !strings.HasPrefix(*u.AccessoryUrl, w.URL+"/files/") {
			t.Errorf("%s", *u.AccessoryUrl)
		}
		res, text := get(t, *u.AccessoryUrl, "")
		if res.StatusCode != 200 || text != fmt.Sprintf("file %d", i) || res.Header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" ||
			res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment;") {
			t.Errorf("link: %d %q %v", res.StatusCode, text, res.Header)
		}
	}
	link := *(*urls.AccessoryUrls)[0].AccessoryUrl
	for _, tt := range []struct{ url, header, value, want string }{
		{link + "x", "Accept-Language", "en-GB,en;q=0.9", "this download link is not valid"},
		{link + "x", "X-Language", "zh-cn", "下载链接无效"},
		{strings.Replace(link, ids[0], ids[1], 1), "X-Language", "en-us", "this download link is not valid"},
		{strings.Replace(link, "expires=1", "expires=2", 1), "X-Language", "en-us", "this download link is not valid"},
		{w.URL + "/files/" + ids[0], "X-Language", "en-us", "this download link is not valid"},
	} {
		if res, text := get(t, tt.url, "", tt.header, tt.value); res.StatusCode != 403 || !strings.Contains(text, tt.want) || !strings.Contains(text, `"error_code":"OSM.0003"`) {
			t.Errorf("%s: %d %s", tt.url, res.StatusCode, text)
		}
	}
	stranger := client(t, w, 2)
	if _, err := stranger.DownloadAccessories(&model.DownloadAccessoriesRequest{AccessoryId: ids[7]}); err == nil {
		t.Error("another user's unclaimed file was downloaded")
	}
}
