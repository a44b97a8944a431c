package setup

import (
	"cmp"
	"slices"

	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/webhook"
)

// The shapes of the files. Keys are spelled as on the wire (api/desk.yaml), so
// that a refusal's field is a place in a file. Every entry has an id, by which
// others name it; what is named by it never changes.

// texts are a name or text in two languages; one of them may be missing.
type texts struct {
	ZH string `yaml:"zh,omitempty"`
	EN string `yaml:"en,omitempty"`
}

func textsOf(t locale.Texts) texts { return texts(t) }

func (t texts) texts() locale.Texts { return locale.Texts(t) }

type teamShape struct {
	ID      string   `yaml:"id"`
	Name    texts    `yaml:"name"`
	Lead    string   `yaml:"lead,omitempty"`
	Members []string `yaml:"members,omitempty"`
}

func teamShapeOf(t queue.Team) teamShape {
	return teamShape{t.ID, textsOf(t.Name), t.Lead, slices.Sorted(slices.Values(t.Members))}
}

func (s teamShape) team() queue.Team {
	return queue.Team{ID: s.ID, Name: s.Name.texts(), Lead: s.Lead, Members: s.Members}
}

type queueShape struct {
	ID         string           `yaml:"id"`
	Name       texts            `yaml:"name"`
	Place      int              `yaml:"place"`
	Filter     ticket.RowFilter `yaml:"filter"`
	Sort       string           `yaml:"sort,omitempty"`
	Team       string           `yaml:"team_id,omitempty"`
	Assignment string           `yaml:"assignment,omitempty"`
	Hard       bool             `yaml:"hard_capacity,omitempty"`
}

func queueShapeOf(q queue.Queue) queueShape {
	return queueShape{q.ID, textsOf(q.Name), q.Place, q.Filter, string(q.Sort), q.Team, string(q.Way), q.Hard}
}

func (s queueShape) queue() queue.Queue {
	return queue.Queue{ID: s.ID, Name: s.Name.texts(), Place: s.Place, Filter: s.Filter, Sort: ticket.Sort(s.Sort), Team: s.Team, Way: queue.Way(s.Assignment), Hard: s.Hard}
}

type viewShape struct {
	ID      string           `yaml:"id"`
	Name    texts            `yaml:"name"`
	Owner   string           `yaml:"owner,omitempty"`
	Place   int              `yaml:"place"`
	Shared  string           `yaml:"shared"`
	Team    string           `yaml:"team_id,omitempty"`
	Filter  ticket.RowFilter `yaml:"filter"`
	Columns []string         `yaml:"columns,omitempty"`
	Sort    string           `yaml:"sort,omitempty"`
}

func viewShapeOf(v queue.View) viewShape {
	return viewShape{v.ID, textsOf(v.Name), v.Owner, v.Place, string(v.Shared), v.Team, v.Filter, v.Columns, string(v.Sort)}
}

func (s viewShape) view() queue.View {
	return queue.View{ID: s.ID, Owner: s.Owner, Name: s.Name.texts(), Place: s.Place, Shared: queue.Sharing(s.Shared), Team: s.Team, Filter: s.Filter, Columns: s.Columns, Sort: ticket.Sort(s.Sort)}
}

type actionShape struct {
	Do       string   `yaml:"do"`
	Text     *texts   `yaml:"text,omitempty"`
	To       string   `yaml:"to,omitempty"`
	Handler  string   `yaml:"handler,omitempty"`
	Severity string   `yaml:"severity,omitempty"`
	Tags     []string `yaml:"tags,omitempty"`
}

func actionShapesOf(all []queue.Action) []actionShape {
	out := make([]actionShape, len(all))
	for i, a := range all {
		out[i] = actionShape{Do: a.Do, To: a.To, Handler: a.Handler, Severity: a.Severity, Tags: a.Tags}
		if a.Text != nil {
			t := textsOf(*a.Text)
			out[i].Text = &t
		}
	}
	return out
}

func actionsOf(all []actionShape) []queue.Action {
	out := make([]queue.Action, len(all))
	for i, a := range all {
		out[i] = queue.Action{Do: a.Do, To: a.To, Handler: a.Handler, Severity: a.Severity, Tags: a.Tags}
		if a.Text != nil {
			t := a.Text.texts()
			out[i].Text = &t
		}
	}
	return out
}

type macroShape struct {
	ID      string        `yaml:"id"`
	Name    texts         `yaml:"name"`
	Actions []actionShape `yaml:"actions"`
}

func macroShapeOf(m queue.Macro) macroShape {
	return macroShape{m.ID, textsOf(m.Name), actionShapesOf(m.Actions)}
}

func (s macroShape) macro() queue.Macro {
	return queue.Macro{ID: s.ID, Name: s.Name.texts(), Actions: actionsOf(s.Actions)}
}

type snippetShape struct {
	ID       string `yaml:"id"`
	Kind     string `yaml:"kind"`
	Shortcut string `yaml:"shortcut,omitempty"`
	Folder   string `yaml:"folder,omitempty"`
	Title    texts  `yaml:"title"`
	Text     texts  `yaml:"text"`
}

func snippetShapeOf(p queue.Snippet) snippetShape {
	return snippetShape{p.ID, p.Kind, p.Shortcut, p.Folder, textsOf(p.Title), textsOf(p.Text)}
}

func (s snippetShape) snippet() queue.Snippet {
	return queue.Snippet{ID: s.ID, Kind: s.Kind, Shortcut: s.Shortcut, Folder: s.Folder, Title: s.Title.texts(), Text: s.Text.texts()}
}

type ruleShape struct {
	ID    string           `yaml:"id"`
	Name  texts            `yaml:"name"`
	Mode  string           `yaml:"mode"`
	Place int64            `yaml:"place"`
	When  queue.When       `yaml:"when"`
	If    *queue.Condition `yaml:"if,omitempty"`
	Then  []actionShape    `yaml:"then"`
}

func ruleShapeOf(u queue.Rule) ruleShape {
	return ruleShape{u.ID, textsOf(u.Name), u.Mode, u.Place, u.When, u.If, actionShapesOf(u.Then)}
}

func (s ruleShape) rule() queue.Rule {
	return queue.Rule{ID: s.ID, Name: s.Name.texts(), Mode: s.Mode, Place: s.Place, Definition: queue.Definition{When: s.When, If: s.If, Then: actionsOf(s.Then)}}
}

type engineerShape struct {
	ID       string       `yaml:"id"`
	Capacity int          `yaml:"capacity,omitempty"`
	Skills   queue.Skills `yaml:"skills,omitempty"`
	Plan     queue.Plan   `yaml:"plan,omitempty"`
}

func engineerShapeOf(e queue.Engineer) engineerShape {
	return engineerShape{e.ID, e.Capacity, e.Skills, e.Plan}
}

func (s engineerShape) engineer() queue.Engineer {
	return queue.Engineer{ID: s.ID, Capacity: s.Capacity, Skills: s.Skills, Plan: s.Plan}
}

type hookShape struct {
	ID     string   `yaml:"id"`
	URL    string   `yaml:"url"`
	About  string   `yaml:"about,omitempty"`
	Domain string   `yaml:"domain_id,omitempty"`
	Kinds  []string `yaml:"kinds,omitempty"`
	Off    bool     `yaml:"off,omitempty"`
}

func hookShapeOf(h webhook.Hook) hookShape {
	return hookShape{h.ID, h.URL, h.About, h.Domain, h.Kinds, h.Off}
}

func (s hookShape) hook() webhook.Hook {
	return webhook.Hook{ID: s.ID, URL: s.URL, About: s.About, Domain: s.Domain, Kinds: s.Kinds, Off: s.Off}
}

type serviceShape struct {
	Kind  string `yaml:"kind"`
	ID    string `yaml:"id"`
	Zone  string `yaml:"zone,omitempty"`
	Days  int    `yaml:"days,omitempty"`
	Hours int    `yaml:"hours,omitempty"`
}

type partnerShape struct {
	ID          string         `yaml:"id"`
	Name        string         `yaml:"name"`
	Account     string         `yaml:"account_id,omitempty"`
	Whitelisted bool           `yaml:"whitelisted"`
	Zone        string         `yaml:"zone"`
	Days        int            `yaml:"days"`
	Hours       int            `yaml:"hours"`
	Services    []serviceShape `yaml:"services,omitempty"`
}

func partnerShapeOf(p identity.Partner) partnerShape {
	out := partnerShape{ID: p.ID, Name: p.Name, Account: p.Account, Whitelisted: p.Whitelisted, Zone: p.Zone, Days: p.Days, Hours: p.Day}
	for _, s := range p.Services {
		out.Services = append(out.Services, serviceShape{s.Kind, s.ID, s.Zone, s.Days, s.Day})
	}
	slices.SortFunc(out.Services, func(a, b serviceShape) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out
}

func (s partnerShape) partner() identity.Partner {
	p := identity.Partner{ID: s.ID, Name: s.Name, Account: s.Account, Whitelisted: s.Whitelisted, Hours: identity.Hours{Zone: s.Zone, Days: s.Days, Day: s.Hours}}
	for _, v := range s.Services {
		p.Services = append(p.Services, identity.ServiceOf{Kind: v.Kind, ID: v.ID, Hours: identity.Hours{Zone: v.Zone, Days: v.Days, Day: v.Hours}})
	}
	return p
}

type domainShape struct {
	ID      string `yaml:"id"`
	Plan    string `yaml:"plan,omitempty"`
	Partner string `yaml:"partner_id,omitempty"`
}

func domainShapeOf(d identity.Domain) domainShape { return domainShape{d.ID, d.Plan, d.Partner} }

type wordsShape struct {
	Subject string `yaml:"subject"`
	Text    string `yaml:"text"`
	SMS     string `yaml:"sms,omitempty"`
}

func (w wordsShape) words() notify.Words { return notify.Words(w) }

// templateShape is a message template; a language that is left out has the
// built-in text.
type templateShape struct {
	ID string      `yaml:"id"` // the template's name
	ZH *wordsShape `yaml:"zh,omitempty"`
	EN *wordsShape `yaml:"en,omitempty"`
}

// secretsShape are references to a provider's secrets: env:NAME or file:/path,
// which whoever hands the files in resolves; "" removes one, an absent one stays.
// They are never written out.
type secretsShape struct {
	Password *string `yaml:"password,omitempty"`
	DKIM     *string `yaml:"dkim_key,omitempty"`
	Token    *string `yaml:"secret,omitempty"`
	Receipt  *string `yaml:"receipt_secret,omitempty"`
}

func (s *secretsShape) byName() map[string]**string {
	return map[string]**string{notify.SecretPassword: &s.Password, notify.SecretDKIM: &s.DKIM, notify.SecretToken: &s.Token, notify.SecretReceipt: &s.Receipt}
}

type providerShape struct {
	ID      string               `yaml:"id"`
	Kind    string               `yaml:"kind"`
	Order   int                  `yaml:"order"`
	Weight  int                  `yaml:"weight,omitempty"`
	Off     bool                 `yaml:"off,omitempty"`
	SMTP    *notify.SMTPSettings `yaml:"smtp,omitempty"`
	SMPP    *notify.SMPPSettings `yaml:"smpp,omitempty"`
	HTTP    *notify.HTTPSettings `yaml:"http,omitempty"`
	Secrets *secretsShape        `yaml:"secrets,omitempty"`

	Version int64             `yaml:"-"` // of the store, so that a change of a secret alone is one
	fresh   map[string]string // secrets that differ from those stored
	named   map[string]bool   // secrets that were given, be it the same again
	lost    []string          // secrets it comes back without, switched off (Rollback)
}

func providerShapeOf(p notify.Spec) providerShape {
	return providerShape{ID: p.Name, Kind: p.Kind, Order: p.Order, Weight: p.Weight, Off: p.Off, SMTP: p.SMTP, SMPP: p.SMPP, HTTP: p.HTTP, Version: p.Version}
}

func (s providerShape) spec() notify.Spec {
	return notify.Spec{Name: s.ID, Kind: s.Kind, Off: s.Off, Place: notify.Place{Order: s.Order, Weight: s.Weight}, SMTP: s.SMTP, SMPP: s.SMPP, HTTP: s.HTTP}
}
