package setup

import (
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/webhook"
)

// write makes what is stored what is wanted, noun by noun. What is removed goes
// before what is new, so that no unique value is in the way, and what others
// refer to comes first and goes last.
func (d *draft) write(tx *db.Tx, who principal.Principal) error {
	if d.catalog != nil {
		if _, err := d.catalog.ApplyIn(tx, who); err != nil {
			return err
		}
	}
	for _, step := range []func(*db.Tx, principal.Principal) error{d.writePeople, d.writeAccounts, d.writeDesk, d.writeAutomation, d.writeRest} {
		if err := step(tx, who); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) writeAccounts(tx *db.Tx, who principal.Principal) error {
	for _, v := range d.partners.gone() {
		identity.DropPartnerIn(tx, who, v.ID, v.Name)
	}
	var changed []string
	for _, p := range d.partners.put() {
		if !p.fresh {
			changed = append(changed, p.v.ID)
		}
	}
	identity.ClearPartnersIn(tx, changed)
	for _, p := range d.partners.put() {
		if err := identity.PutPartnerIn(tx, who, p.fresh, p.v.partner()); err != nil {
			return err
		}
	}
	for _, p := range d.domains.put() {
		before := identity.Domain{ID: p.v.ID, Plan: p.old.Plan, Partner: p.old.Partner} // a new one has none
		identity.SetDomainIn(tx, who, before, identity.Domain{ID: p.v.ID, Plan: p.v.Plan, Partner: p.v.Partner})
	}
	return nil
}

// storedAs finds what a noun has of an entry.
func storedAs[T any](all []T, id func(T) string, wanted string) *T {
	for i := range all {
		if id(all[i]) == wanted {
			return &all[i]
		}
	}
	return nil
}

func (d *draft) writeDesk(tx *db.Tx, who principal.Principal) error {
	teamID, queueID, viewID := func(t queue.Team) string { return t.ID }, func(q queue.Queue) string { return q.ID }, func(v queue.View) string { return v.ID }
	for _, p := range d.teams.put() {
		if err := queue.PutTeamIn(tx, who, storedAs(d.desk.Teams, teamID, p.v.ID), p.v.team()); err != nil {
			return err
		}
	}
	for _, v := range d.queues.gone() {
		queue.DropQueueIn(tx, who, *storedAs(d.desk.Queues, queueID, v.ID))
	}
	for _, p := range d.queues.put() {
		if err := queue.PutQueueIn(tx, who, storedAs(d.desk.Queues, queueID, p.v.ID), p.v.queue()); err != nil {
			return err
		}
	}
	for _, v := range d.views.gone() {
		queue.DropViewIn(tx, who, *storedAs(d.desk.Views, viewID, v.ID))
	}
	for _, p := range d.views.put() {
		if err := queue.PutViewIn(tx, who, storedAs(d.desk.Views, viewID, p.v.ID), p.v.view()); err != nil {
			return err
		}
	}
	for _, v := range d.teams.gone() {
		queue.DropTeamIn(tx, who, *storedAs(d.desk.Teams, teamID, v.ID))
	}
	for _, v := range d.engineers.gone() {
		if err := queue.PutProfileIn(tx, who, queue.Engineer{ID: v.ID}); err != nil {
			return err
		}
	}
	for _, p := range d.engineers.put() {
		if err := queue.PutProfileIn(tx, who, p.v.engineer()); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) writeAutomation(tx *db.Tx, who principal.Principal) error {
	macroID, snippetID, ruleID := func(m queue.Macro) string { return m.ID }, func(p queue.Snippet) string { return p.ID }, func(u queue.Rule) string { return u.ID }
	for _, v := range d.macros.gone() {
		queue.DropMacroIn(tx, who, *storedAs(d.desk.Macros, macroID, v.ID))
	}
	for _, p := range d.macros.put() {
		if err := queue.PutMacroIn(tx, who, storedAs(d.desk.Macros, macroID, p.v.ID), p.v.macro()); err != nil {
			return err
		}
	}
	for _, v := range d.snippets.gone() {
		queue.DropSnippetIn(tx, who, *storedAs(d.desk.Snippets, snippetID, v.ID))
	}
	var ids []string
	for _, p := range d.snippets.put() {
		ids = append(ids, p.v.ID)
	}
	queue.FreeShortcutsIn(tx, ids)
	for _, p := range d.snippets.put() {
		if err := queue.PutSnippetIn(tx, who, storedAs(d.desk.Snippets, snippetID, p.v.ID), p.v.snippet()); err != nil {
			return err
		}
	}
	for _, v := range d.rules.gone() {
		queue.DropRuleIn(tx, who, *storedAs(d.desk.Rules, ruleID, v.ID))
	}
	for _, p := range d.rules.put() {
		if err := queue.PutRuleIn(tx, who, storedAs(d.desk.Rules, ruleID, p.v.ID), p.v.rule()); err != nil {
			return err
		}
	}
	return nil
}

func (d *draft) writeRest(tx *db.Tx, who principal.Principal) error {
	for _, v := range d.keep.gone() {
		privacy.DropRetentionIn(tx, who, v.retention())
	}
	for _, p := range d.keep.put() {
		privacy.PutRetentionIn(tx, who, p.old.Days, p.v.retention())
	}
	for _, v := range d.hookList.gone() {
		webhook.DropIn(tx, who, v.ID)
	}
	for _, p := range d.hookList.put() {
		var err error
		if p.fresh {
			err = webhook.CreateIn(tx, who, p.v.hook(), d.sealed[p.v.ID])
		} else {
			err = webhook.ChangeIn(tx, who, *storedAs(d.hooks, func(h webhook.Hook) string { return h.ID }, p.v.ID), p.v.hook())
		}
		if err != nil {
			return err
		}
	}
	for _, v := range d.providers.gone() {
		notify.DropProviderIn(tx, who, v.ID)
	}
	for _, p := range d.providers.put() {
		stored := storedAs(d.senders, func(s notify.Spec) string { return s.Name }, p.v.ID)
		if err := notify.PutProviderIn(tx, who, stored, p.v.spec(), d.locked[p.v.ID]); err != nil {
			return err
		}
	}
	for _, p := range d.texts.put() {
		for lang, words := range map[locale.Language][2]*wordsShape{locale.ZH: {p.old.ZH, p.v.ZH}, locale.EN: {p.old.EN, p.v.EN}} {
			if *words[0] == *words[1] {
				continue
			}
			if err := notify.PutTemplateIn(tx, who, p.v.ID, lang, words[1].words()); err != nil {
				return err
			}
		}
	}
	return nil
}
