package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// articleCmd works on the knowledge base.
type articleCmd struct {
	clientFlags
	jsonFlag

	List      articleListCmd      `cmd:"" help:"List articles, or find some by words."`
	Show      articleShowCmd      `cmd:"" help:"Show an article in the shell's language; with --of-version an older one."`
	Versions  articleVersionsCmd  `cmd:"" help:"List an article's versions."`
	Put       articlePutCmd       `cmd:"" help:"Make or change articles from Markdown files, slug.zh-cn.md and slug.en-us.md."`
	Publish   articlePublishCmd   `cmd:"" help:"Let readers see the newest version."`
	Unpublish articleUnpublishCmd `cmd:"" help:"Take an article away from readers."`
	Archive   articleArchiveCmd   `cmd:"" help:"Put an article away."`
	Unarchive articleUnarchiveCmd `cmd:"" help:"Take an archived article back, as a draft."`
	Import    articleImportCmd    `cmd:"" help:"Bring articles to what a folder's files say, all of them or none."`
	Export    articleExportCmd    `cmd:"" help:"Write all articles as Markdown files."`
}

type articleListCmd struct {
	Text  string `arg:"" optional:"" help:"Words that all occur in an article."`
	State string `help:"Only these: draft, published, archived." enum:"draft,published,archived," default:""`
	Tag   string `help:"Only with this tag." placeholder:"TAG"`
}

type articleSlug struct {
	Slug string `arg:"" help:"The article's slug or id."`
}

type (
	articleShowCmd struct {
		articleSlug
		Number int64 `name:"of-version" help:"This version instead of the newest." placeholder:"N"`
	}
	articleVersionsCmd struct{ articleSlug }
	articlePutCmd      struct {
		Files []string `arg:"" help:"Markdown files with front matter." type:"existingfile"`
	}
	articlePublishCmd   struct{ articleSlug }
	articleUnpublishCmd struct{ articleSlug }
	articleArchiveCmd   struct{ articleSlug }
	articleUnarchiveCmd struct{ articleSlug }
	articleImportCmd    struct {
		Dir    string `arg:"" help:"Folder with .md files." type:"existingdir"`
		DryRun bool   `help:"Tell only what would be done."`
	}
	articleExportCmd struct {
		Dir   string `arg:"" help:"Folder to write to; made when missing." type:"path"`
		Force bool   `help:"Overwrite files that differ."`
	}
)

const articlesPath = "/desk/v1/articles"

// articleTextView is an article in one language.
type articleTextView struct {
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Body    string `json:"body"`
}

type articleView struct {
	Slug       string           `json:"slug"`
	StateName  string           `json:"state_name"`
	Visibility string           `json:"visibility"`
	Revision   int64            `json:"revision"`
	Version    int64            `json:"version"`
	Published  int64            `json:"published_version"`
	Pending    bool             `json:"pending"`
	Title      string           `json:"title"`
	Fallback   bool             `json:"fallback"`
	Languages  []string         `json:"languages"`
	Tags       []string         `json:"tags"`
	Helpful    int64            `json:"helpful"`
	NotHelpful int64            `json:"not_helpful"`
	UsedIn     int64            `json:"used_in"`
	ZH         *articleTextView `json:"zh"`
	EN         *articleTextView `json:"en"`
}

var visibilitiesZH = map[string]string{"internal": "内部", "customers": "客户可见"}

func (v articleView) state(o *output) string {
	s := v.StateName
	if v.Pending {
		s += o.say("（有新版本待发布）", " (a newer version waits)")
	}
	return s
}

// Run lists articles.
func (c *articleListCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	q := url.Values{"limit": {"100"}}
	for name, v := range map[string]string{"q": c.Text, "state": c.State, "tag": c.Tag} {
		if v != "" {
			q.Set(name, v)
		}
	}
	var all []articleView
	for {
		var raw json.RawMessage
		if err := cl.get(ctx, articlesPath, q, &raw); err != nil {
			return err
		}
		if p.JSON {
			return o.json(raw)
		}
		var page struct {
			Items []articleView `json:"items"`
			Next  string        `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("cursor", page.Next)
	}
	if len(all) == 0 {
		o.beside("没有文章", "no articles")
		return nil
	}
	o.heading("标识\t状态\t可见范围\t版本\t语言\t标题", "SLUG\tSTATE\tFOR\tVERSION\tLANGUAGES\tTITLE")
	for _, a := range all {
		o.printf("%s\t%s\t%s\t%d\t%s\t%s\n", a.Slug, a.state(o), o.say(visibilitiesZH[a.Visibility], a.Visibility), a.Version, strings.Join(a.Languages, ","), clean(a.Title))
	}
	return nil
}

// Run shows an article.
func (c *articleShowCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	at := articlesPath + "/" + url.PathEscape(c.Slug)
	if c.Number > 0 {
		at += "/versions/" + strconv.FormatInt(c.Number, 10)
	}
	var raw json.RawMessage
	if err := cl.get(ctx, at, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var a articleView
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	text := a.ZH
	if o.lang != "zh-cn" && a.EN != nil || text == nil {
		text = a.EN
	}
	if text == nil {
		return problem{"文章没有内容", "the article has no words"}
	}
	o.printf("# %s\n", clean(text.Title))
	if c.Number == 0 {
		o.printf(o.say("%s，%s，第 %d 版（已发布：%d），修订 %d；有帮助 %d，无帮助 %d，用于 %d 个工单\n", "%s, %s, version %d (published: %d), revision %d; helped %d, did not help %d, used in %d tickets\n"),
			a.state(o), o.say(visibilitiesZH[a.Visibility], a.Visibility), a.Version, a.Published, a.Revision, a.Helpful, a.NotHelpful, a.UsedIn)
	}
	if len(a.Tags) > 0 {
		o.printf("%s %s\n", o.say("标签：", "tags:"), clean(strings.Join(a.Tags, ", ")))
	}
	if text.Summary != "" {
		o.printf("\n%s\n", clean(text.Summary))
	}
	o.printf("\n%s\n", clean(text.Body))
	return nil
}

// Run lists versions.
func (c *articleVersionsCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, articlesPath+"/"+url.PathEscape(c.Slug)+"/versions", url.Values{"limit": {"100"}}, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var page struct {
		Items []struct {
			Version   int64  `json:"version"`
			Title     string `json:"title"`
			Note      string `json:"note"`
			By        string `json:"created_by"`
			At        string `json:"created_at"`
			Published string `json:"published_at"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	o.heading("版本\t时间\t作者\t首次发布\t标题\t说明", "VERSION\tTIME\tBY\tFIRST PUBLISHED\tTITLE\tNOTE")
	for _, v := range page.Items {
		o.printf("%d\t%s\t%s\t%s\t%s\t%s\n", v.Version, v.At, clean(v.By), v.Published, clean(v.Title), clean(v.Note))
	}
	return nil
}

// bring sends files and tells what became of them.
func (p *articleCmd) bring(ctx context.Context, o *output, files map[string]string, dry bool) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/article-files", map[string]any{"files": files, "dry_run": dry}, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var done struct {
		Items []struct {
			Slug  string   `json:"slug"`
			Do    []string `json:"do"`
			Parts []string `json:"parts"`
		} `json:"items"`
		Unchanged int `json:"unchanged"`
	}
	if err := json.Unmarshal(raw, &done); err != nil {
		return err
	}
	words := map[string]string{"create": "新建", "change": "修改", "publish": "发布", "archive": "归档", "unarchive": "取消归档"}
	for _, i := range done.Items {
		var do []string
		for _, d := range i.Do {
			do = append(do, o.say(words[d], d))
		}
		o.printf("%s\t%s\t%s\n", i.Slug, strings.Join(do, ", "), strings.Join(i.Parts, ", "))
	}
	switch {
	case len(done.Items) == 0:
		o.printf(o.say("没有差异（%d 篇）\n", "no difference (%d articles)\n"), done.Unchanged)
	case dry:
		o.printf(o.say("将改动 %d 篇，%d 篇不变；未作任何修改\n", "%d articles would change, %d stay; nothing was done\n"), len(done.Items), done.Unchanged)
	default:
		o.printf(o.say("已改动 %d 篇，%d 篇不变\n", "%d articles changed, %d stay\n"), len(done.Items), done.Unchanged)
	}
	return nil
}

// Run makes or changes articles from files.
func (c *articlePutCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	files := map[string]string{}
	for _, name := range c.Files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files[filepath.Base(name)] = string(text)
	}
	return p.bring(ctx, o, files, false)
}

// Run brings a folder in.
func (c *articleImportCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	files := map[string]string{}
	for _, e := range names {
		if e.IsDir() || path.Ext(e.Name()) != ".md" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		text, err := root.ReadFile(e.Name())
		if err != nil {
			return err
		}
		files[e.Name()] = string(text)
	}
	if len(files) == 0 {
		return problem{c.Dir + "：没有 .md 文件", c.Dir + ": holds no .md files"}
	}
	return p.bring(ctx, o, files, c.DryRun)
}

// Run writes all articles.
func (c *articleExportCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/article-files", nil, &raw); err != nil {
		return err
	}
	var got struct {
		Files map[string]string `json:"files"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if err := writeFolder(c.Dir, got.Files, c.Force); err != nil {
		return err
	}
	if p.JSON {
		return o.json(raw)
	}
	o.printf(o.say("已写入 %d 个文件：%s\n", "%d files written to %s\n"), len(got.Files), c.Dir)
	return nil
}

func (p *articleCmd) step(ctx context.Context, o *output, slug, do string) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, articlesPath+"/"+url.PathEscape(slug)+"/steps", map[string]any{"do": do}, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var a articleView
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	o.printf("%s\t%s\t%s %d\n", a.Slug, a.state(o), o.say("版本", "version"), a.Version)
	return nil
}

// Run publishes.
func (c *articlePublishCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	return p.step(ctx, o, c.Slug, "publish")
}

// Run takes it away from readers.
func (c *articleUnpublishCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	return p.step(ctx, o, c.Slug, "unpublish")
}

// Run puts it away.
func (c *articleArchiveCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	return p.step(ctx, o, c.Slug, "archive")
}

// Run takes it back.
func (c *articleUnarchiveCmd) Run(ctx context.Context, p *articleCmd, o *output) error {
	return p.step(ctx, o, c.Slug, "unarchive")
}
