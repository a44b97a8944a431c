package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// catalogCmd works on the catalogue as a folder of files.
type catalogCmd struct {
	clientFlags
	jsonFlag
	Export catalogExportCmd `cmd:"" help:"Write the catalogue in force into a folder."`
	Plan   catalogPlanCmd   `cmd:"" help:"Show how a folder differs from the catalogue in force; changes nothing."`
	Apply  catalogApplyCmd  `cmd:"" help:"Put a folder in force, all of it or nothing; ids that are gone stay valid for the tickets that use them. On a terminal it shows the difference and asks; a program says --yes."`
}

type catalogExportCmd struct {
	Dir   string `arg:"" help:"Folder to write to; made when missing." type:"path"`
	Force bool   `help:"Overwrite files that differ."`
}

type catalogPlanCmd struct {
	Dir string `arg:"" help:"Folder with the catalogue's .yaml files." type:"existingdir"`
}

type catalogApplyCmd struct {
	Dir string `arg:"" help:"Folder with the catalogue's .yaml files." type:"existingdir"`
	Yes bool   `help:"Do it without a question."`
}

// catalogDiff is the answer of plan and apply.
type catalogDiff struct {
	Version int64 `json:"version"`
	Changes []struct {
		Action string `json:"action"`
		Kind   string `json:"kind"`
		ID     string `json:"id"`
		Name   string `json:"name"`
		Detail string `json:"detail"`
	} `json:"changes"`
}

// Run writes the files.
func (c *catalogExportCmd) Run(ctx context.Context, p *catalogCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/catalog", nil, &raw); err != nil {
		return err
	}
	var got struct {
		Version int64             `json:"version"`
		Files   map[string]string `json:"files"`
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
	o.printf(o.say("目录版本 %d，已写入 %d 个文件：%s\n", "catalogue version %d, %d files written to %s\n"), got.Version, len(got.Files), c.Dir)
	return nil
}

// writeFolder writes files below dir and nowhere else, whatever their names
// are. It first looks whether it would overwrite something else.
func writeFolder(dir string, files map[string]string, force bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		there, err := root.ReadFile(filepath.FromSlash(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !force && string(there) != files[name] {
			at := filepath.Join(dir, name)
			return problem{at + " 已存在且内容不同；--force 将覆盖", at + " exists and differs; --force overwrites it"}
		}
	}
	for _, name := range names {
		if sub := path.Dir(name); sub != "." {
			if err := root.MkdirAll(filepath.FromSlash(sub), 0o755); err != nil {
				return err
			}
		}
		if err := root.WriteFile(filepath.FromSlash(name), []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readFolder reads the .yaml files below dir, names with / between levels.
// Hidden files and folders are left out.
func readFolder(dir string) (map[string]string, error) {
	files := map[string]string{}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(e.Name(), ".") {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(name); e.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		text, err := fs.ReadFile(root.FS(), name)
		files[name] = string(text)
		return err
	})
	if err == nil && len(files) == 0 {
		err = problem{dir + "：没有 .yaml 文件", dir + ": holds no .yaml files"}
	}
	return files, err
}

// Run shows the difference.
func (c *catalogPlanCmd) Run(ctx context.Context, p *catalogCmd, o *output) error {
	files, err := readFolder(c.Dir)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/catalog/plan", map[string]any{"files": files}, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var d catalogDiff
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	d.print(o)
	return nil
}

func (d catalogDiff) print(o *output) {
	signs := map[string]string{"added": "+", "changed": "~", "retired": "-", "restored": "+", "reordered": "~"}
	counts := map[string]int{}
	for _, c := range d.Changes {
		counts[c.Action]++
		o.printf("%s %s %s %s", signs[c.Action], c.Kind, c.ID, c.Name)
		if c.Detail != "" {
			o.printf(" (%s)", c.Detail)
		}
		o.printf("\n")
	}
	if len(d.Changes) == 0 {
		o.printf("%s\n", o.say("没有差异", "no difference"))
		return
	}
	o.printf(o.say("新增 %d，修改 %d，移除 %d\n", "%d added, %d changed, %d removed\n"), counts["added"]+counts["restored"], counts["changed"]+counts["reordered"], counts["retired"])
}

// Run plans, shows the plan, asks, and applies exactly that plan: when the catalogue
// was changed in between, the server refuses.
func (c *catalogApplyCmd) Run(ctx context.Context, p *catalogCmd, o *output) error {
	files, err := readFolder(c.Dir)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var plan, done catalogDiff
	if err := cl.post(ctx, "/desk/v1/catalog/plan", map[string]any{"files": files}, &plan); err != nil {
		return err
	}
	var raw json.RawMessage
	shown := !c.Yes && len(plan.Changes) > 0
	if shown {
		if !p.JSON {
			plan.print(o)
		}
		if err := o.agreed(ctx, c.Yes, p.JSON, "使以上更改生效？", "Put this in force?"); err != nil {
			return err
		}
	}
	body := map[string]any{"files": files, "version": plan.Version}
	if err := cl.post(ctx, "/desk/v1/catalog/apply", body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	if err := json.Unmarshal(raw, &done); err != nil {
		return err
	}
	if !shown {
		done.print(o)
	}
	o.printf(o.say("目录版本 %d 已生效\n", "catalogue version %d is in force\n"), done.Version)
	return nil
}
