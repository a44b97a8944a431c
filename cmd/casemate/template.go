package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// templateCmd looks after the texts of mails and text messages.
type templateCmd struct {
	clientFlags
	jsonFlag

	List    templateListCmd    `cmd:"" help:"List templates and which of them were changed."`
	Show    templateShowCmd    `cmd:"" help:"Print a text as a file that set reads."`
	Set     templateSetCmd     `cmd:"" help:"Replace a text by a file's."`
	Preview templatePreviewCmd `cmd:"" help:"Check a text and show it with sample values; nothing is sent."`
	Reset   templateResetCmd   `cmd:"" help:"Take the built-in text back."`
}

const templatesPath = "/desk/v1/templates"

type templateName struct {
	Name     string `arg:"" help:"Name of the template, for example ticket.reply."`
	Language string `arg:"" help:"zh-cn or en-us." enum:"zh-cn,en-us"`
}

func (t templateName) path() string {
	return templatesPath + "/" + url.PathEscape(t.Name) + "/" + url.PathEscape(t.Language)
}

type (
	templateListCmd  struct{}
	templateShowCmd  struct{ templateName }
	templateResetCmd struct{ templateName }
	templateSetCmd   struct {
		File string `arg:"" help:"File as show prints it; - reads standard input."`
	}
	templatePreviewCmd struct {
		Name     string `arg:"" optional:"" help:"Name of the template."`
		Language string `arg:"" optional:"" help:"zh-cn or en-us."`
		File     string `help:"A draft as show prints it, instead of the text in force; - reads standard input." placeholder:"FILE"`
	}
)

// templateFile is a text as a file holds it.
type templateFile struct {
	Name     string `json:"name" yaml:"name"`
	Language string `json:"language" yaml:"language"`
	Version  *int64 `json:"version,omitempty" yaml:"version,omitempty"`
	Subject  string `json:"subject" yaml:"subject"`
	Text     string `json:"text" yaml:"text"`
	SMS      string `json:"sms,omitempty" yaml:"sms,omitempty"`
}

// words are what the server takes.
func (f templateFile) words() map[string]any {
	w := map[string]any{"subject": f.Subject, "text": f.Text}
	if f.SMS != "" {
		w["sms"] = f.SMS
	}
	if f.Version != nil {
		w["version"] = *f.Version
	}
	return w
}

func readTemplate(path string) (f templateFile, err error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return f, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return f, err
	}
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.DisallowUnknownField()); err != nil {
		return f, problem{path + "：" + yaml.FormatError(err, false, false), path + ": " + yaml.FormatError(err, false, false)}
	}
	// A block of YAML ends with a line end that is not meant.
	f.Text = strings.TrimRight(f.Text, "\n")
	if f.Name == "" || f.Language == "" {
		return f, problem{path + "：缺少 name 或 language", path + ": name or language is missing"}
	}
	return f, nil
}

// Run lists templates.
func (c *templateListCmd) Run(ctx context.Context, p *templateCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, templatesPath, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			Name, Language, Subject string
			BuiltIn                 bool `json:"built_in"`
			Version                 int64
			Changed                 time.Time `json:"changed_at"`
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, t := range list.Items {
		state := o.say("内置", "built in")
		if !t.BuiltIn {
			state = o.say("已修改 ", "changed ") + o.when(t.Changed)
		}
		o.printf("%s\t%s\t%s\t%s\n", t.Name, t.Language, state, t.Subject)
	}
	return nil
}

// Run prints a text.
func (c *templateShowCmd) Run(ctx context.Context, p *templateCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, c.path(), nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var f templateFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	var about struct{ Placeholders, Mandatory []string }
	if err := json.Unmarshal(raw, &about); err != nil {
		return err
	}
	text, err := yaml.MarshalWithOptions(f, yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return err
	}
	o.printf("# %s {%s}\n", o.say("占位符：", "placeholders:"), strings.Join(about.Placeholders, "} {"))
	if len(about.Mandatory) > 0 {
		o.printf("# %s {%s}\n", o.say("必需：", "mandatory:"), strings.Join(about.Mandatory, "} {"))
	}
	o.printf("%s", text)
	return nil
}

// Run replaces a text.
func (c *templateSetCmd) Run(ctx context.Context, p *templateCmd, o *output) error {
	f, err := readTemplate(c.File)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	err = cl.call(ctx, http.MethodPut, templateName{f.Name, f.Language}.path(), nil, f.words(), &raw)
	if err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	o.printf("%s\t%s\t%s\n", f.Name, f.Language, o.say("已修改", "changed"))
	return nil
}

// Run shows a text with sample values.
func (c *templatePreviewCmd) Run(ctx context.Context, p *templateCmd, o *output) error {
	name, body := templateName{c.Name, c.Language}, any(nil)
	if c.File != "" {
		f, err := readTemplate(c.File)
		if err != nil {
			return err
		}
		f.Version = nil
		name, body = templateName{f.Name, f.Language}, f.words()
	}
	if name.Name == "" || name.Language == "" {
		return problem{"请给出模板名称和语言，或 --file FILE", "give a template's name and language, or --file FILE"}
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPost, name.path()+"/preview", nil, body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var v struct{ Subject, Text, SMS string }
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	o.printf("%s %s\n\n%s\n", o.say("主题：", "Subject:"), v.Subject, v.Text)
	if v.SMS != "" {
		o.printf("\n%s %s\n", o.say("短信：", "Text message:"), v.SMS)
	}
	return nil
}

// Run takes the built-in text back.
func (c *templateResetCmd) Run(ctx context.Context, p *templateCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.call(ctx, http.MethodDelete, c.path(), nil, nil, nil); err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]string{"name": c.Name, "language": c.Language})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%s\t%s\n", c.Name, c.Language, o.say("已恢复内置文本", "built in again"))
	return nil
}
