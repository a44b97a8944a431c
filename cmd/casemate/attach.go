package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
)

// attachFlags send files with a text.
type attachFlags struct {
	File       []string `help:"Upload this file and send it with the text; may be given again." type:"existingfile" placeholder:"FILE"`
	Attachment []string `help:"Send this file that casemate desk attach uploaded; may be given again." placeholder:"ID"`
}

type attachCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	File string `arg:"" help:"The file. The customer does not see it until a step sends it." type:"existingfile"`
}

// Run uploads a file for a ticket and prints its id.
func (c *attachCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, name, err := d.engineer(ctx, o, c.Case)
	if err != nil {
		return err
	}
	defer cl.end()
	raw, id, err := cl.attach(ctx, c.Case, c.File, name)
	if err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	o.printf("%s\n", id) // alone, for I=$(casemate desk attach ...)
	return nil
}

// upload uploads the files that a step sends and answers all its files' ids.
func (f attachFlags) upload(ctx context.Context, c *client, number, engineer string) ([]string, error) {
	ids := append([]string(nil), f.Attachment...)
	for _, path := range f.File {
		_, id, err := c.attach(ctx, number, path, engineer)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// attach streams a file to the server.
func (c *client) attach(ctx context.Context, number, path, engineer string) (raw json.RawMessage, id string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer in.Close()
	body, form := io.Pipe()
	defer body.Close()
	m := multipart.NewWriter(form)
	go func() {
		form.CloseWithError(func() error {
			if !c.session { // the operator acts for an engineer
				if err := m.WriteField("as", engineer); err != nil {
					return err
				}
			}
			part, err := m.CreateFormFile("file", filepath.Base(path))
			if err == nil {
				_, err = io.Copy(part, in)
			}
			return errors.Join(err, m.Close())
		}())
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+ticketPath(number)+"/attachments", body)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	if err := c.send(r, &raw); err != nil {
		return nil, "", err
	}
	var file struct {
		ID string `json:"id"`
	}
	err = json.Unmarshal(raw, &file)
	return raw, file.ID, err
}
