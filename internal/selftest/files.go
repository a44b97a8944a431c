package selftest

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// files are what was uploaded.
type files struct {
	picture, text string // ids
	png, words    []byte
}

// attachments uploads a picture and a text in both ways, reads them back in all
// ways and hands one in with a message.
func (r *run) attachments() {
	s, f := r.story, &r.files
	f.png, f.words = picture(), []byte("selftest "+random(20)+"\n")
	get := func(id string) ([]byte, error) {
		a, err := r.call("DownloadAccessories", r.an, request{path: map[string]string{"accessory_id": id}})
		return a.raw, err
	}
	same := func(got, want []byte) error {
		return must(bytes.Equal(got, want), "%d bytes came back for %d", len(got), len(want))
	}
	r.prove("UploadAccessory", "DownloadAccessories: the same bytes", func() error {
		a, err := r.call("UploadAccessory", r.an, request{file: &upload{name: "shot.png", data: f.png, form: `{"fileName":"shot.png","accessoryFrom":"incident","uploadType":0}`}})
		if err != nil {
			return err
		}
		f.picture = a.at("accessory_id").text()
		got, err := get(f.picture)
		return errors.Join(err, same(got, f.png))
	})
	r.prove("UploadJsonAccessories", "DownloadAccessories: the same bytes", func() error {
		id, err := r.upload(r.an, "words.txt", f.words)
		if err != nil {
			return err
		}
		f.text = id
		got, err := get(f.text)
		return errors.Join(err, same(got, f.words))
	})
	r.prove("DownloadAccessories", "UploadJsonAccessories: the file under its name", func() error {
		a, err := r.call("DownloadAccessories", r.an, request{path: map[string]string{"accessory_id": f.text}})
		if err != nil {
			return err
		}
		if err := same(a.raw, f.words); err != nil {
			return err
		}
		return must(strings.Contains(a.header.Get("Content-Disposition"), "words.txt"), "it is named %q", a.header.Get("Content-Disposition"))
	})
	r.prove("DownloadImages", "UploadAccessory: a picture of the same size", func() error {
		a, err := r.call("DownloadImages", r.an, request{path: map[string]string{"accessory_id": f.picture}})
		if err != nil {
			return err
		}
		c, err := png.DecodeConfig(bytes.NewReader(a.raw))
		if err != nil {
			return err
		}
		return must(c.Width == 3 && c.Height == 2 && strings.HasPrefix(a.header.Get("Content-Type"), "image/"), "a %s of %d x %d", a.header.Get("Content-Type"), c.Width, c.Height)
	})
	r.prove("ShowDownloadAccessoryUrl", "UploadAccessory: who follows the link gets the bytes", func() error {
		a, err := r.call("ShowDownloadAccessoryUrl", r.an, request{path: map[string]string{"accessory_id": f.picture}, query: url.Values{"relation_type": {"DEFAULT"}}})
		if err != nil {
			return err
		}
		got, err := r.follow(a.at("accessory_url").text())
		return errors.Join(err, same(got, f.png))
	})
	r.prove("ListAccessoryAccessUrls", "UploadJsonAccessories: who follows the links gets the bytes", func() error {
		a, err := r.call("ListAccessoryAccessUrls", r.an, request{query: url.Values{"accessory_ids": {f.picture, f.text}}})
		if err != nil {
			return err
		}
		for id, bytes := range map[string][]byte{f.picture: f.png, f.text: f.words} {
			u, _ := a.at("accessory_urls").find("accessory_id", id)
			got, err := r.follow(u.at("accessory_url").text())
			if err := errors.Join(err, same(got, bytes)); err != nil {
				return err
			}
		}
		return nil
	})
	r.prove("ShowAccessoryLimits", "UploadJsonAccessories: takes a listed type and refuses another", func() error {
		a, err := r.call("ShowAccessoryLimits", r.an, request{})
		if err != nil {
			return err
		}
		types := a.at("accessory_limit.limit_file_type").text()
		if err := must(strings.Contains(types, "txt") && a.at("accessory_limit.limit_count").text() != "" && a.at("accessory_limit.limit_size").text() != "", "the limits are %v", a.at("accessory_limit").v); err != nil {
			return err
		}
		_, err = r.upload(r.an, "words.exe", f.words)
		return refuses(err, "OSM.01010001", "words.exe was taken")
	})
	r.prove("DeleteAccessories", "DownloadAccessories: it is gone, the other is there", func() error {
		if _, err := r.call("DeleteAccessories", r.an, request{path: map[string]string{"accessory_id": f.picture}}); err != nil {
			return err
		}
		_, err := get(f.picture)
		if err := refuses(err, "", "a deleted file is still there"); err != nil {
			return err
		}
		if _, err := get(f.text); err != nil {
			return err
		}
		// What is left goes with a message and is seen there.
		if _, err := r.call("CreateMessages", r.an, request{path: of(s.ticket), body: map[string]any{"message": map[string]any{"content": "Selftest: see the file", "accessory_ids": []string{f.text}}}}); err != nil {
			return err
		}
		list, err := r.call("ListMessages", r.an, request{path: of(s.ticket), query: url.Values{"limit": {"100"}}})
		if err != nil {
			return err
		}
		m, _ := list.at("message_list").find("content", "Selftest: see the file")
		_, ok := m.at("accessory_list").find("accessory_id", f.text)
		return must(ok, "the message does not show its file")
	})
}

// upload uploads a file and answers its id.
func (r *run) upload(who User, name string, data []byte) (string, error) {
	a, err := r.call("UploadJsonAccessories", who, request{body: map[string]any{"accessory_name": name, "accessory_from": "message", "upload_type": 0,
		"accessory_data": base64.StdEncoding.EncodeToString(data)}})
	return a.at("accessory_id").text(), err
}

// follow gets a link without any credentials, as a browser does.
func (r *run) follow(link string) ([]byte, error) {
	if link == "" {
		return nil, errors.New("there is no link")
	}
	base, err := url.Parse(r.o.URL)
	if err != nil {
		return nil, err
	}
	u, err := base.Parse(link)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(r.Context, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	got, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the link answers %s", got.Status)
	}
	return io.ReadAll(io.LimitReader(got.Body, maxAnswer))
}

// picture is a PNG of three by two pixels.
func picture() []byte {
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	m.Set(1, 1, color.White)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // memory takes everything
	}
	return b.Bytes()
}

// unzipped is the text of all files of an archive, such as a sheet.
func unzipped(raw []byte) (string, error) {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return "", fmt.Errorf("the sheet: %w", err)
	}
	var all strings.Builder
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return "", err
		}
		_, err = io.Copy(&all, io.LimitReader(in, maxAnswer))
		if err := errors.Join(err, in.Close()); err != nil {
			return "", err
		}
	}
	return all.String(), nil
}
