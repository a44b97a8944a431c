package desk

import (
	"context"

	"casemate/internal/desk/oas"
)

// SettingsHost is what only the composition root knows of a node's settings.
type SettingsHost struct {
	// Settings are those this node works by, by key, no secret among them.
	Settings func() []Setting
	// Storage reads the sizes of the store.
	Storage func(ctx context.Context) (Storage, error)
}

// Setting is one value in force.
type Setting struct {
	Key, Value string
	Source     string // default, file, command or demo
}

// Storage is what the store holds.
type Storage struct {
	Database         int64 // bytes
	Files, FileBytes int64
}

type settings struct{ host Host }

// ListSettings lists the settings in force.
func (h settings) ListSettings(context.Context) (*oas.SettingList, error) {
	list := &oas.SettingList{Items: []oas.Setting{}}
	for _, s := range h.host.Settings() {
		list.Items = append(list.Items, oas.Setting{Key: s.Key, Value: s.Value, Source: oas.SettingSource(s.Source)})
	}
	return list, nil
}

// ShowStorage shows the sizes of the store.
func (h settings) ShowStorage(ctx context.Context) (*oas.Storage, error) {
	s, err := h.host.Storage(ctx)
	if err != nil {
		return nil, err
	}
	return &oas.Storage{DatabaseBytes: s.Database, Files: s.Files, FileBytes: s.FileBytes}, nil
}
