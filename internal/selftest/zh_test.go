package selftest

import "testing"

// TestChinese: every operation, group, result and part is named in Chinese.
func TestChinese(t *testing.T) {
	t.Parallel()
	all, err := operations()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 82 || len(proofsZH) != len(all) {
		t.Errorf("%d operations, %d texts", len(all), len(proofsZH))
	}
	for _, p := range all {
		if proofsZH[p.ID] == "" || groupsZH[p.Group] == "" {
			t.Errorf("%s (%s) has no Chinese text", p.ID, p.Group)
		}
	}
	for _, p := range new(run).parts() {
		if partsZH[p.name] == "" {
			t.Errorf("the part %s has no Chinese name", p.name)
		}
	}
}
