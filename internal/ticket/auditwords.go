package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Told is what an event says in words, beside the name of its kind.
type Told struct {
	Ticket  string       // number of the ticket it is about, "" = of none, or of one that is no more
	Subject locale.Texts // what it happened to is called, but of tickets, which have numbers; empty where nothing tells
	Words   locale.Texts // what it did; empty when the kind says it all
	Via     *principal.Via
}

// said are the data of events that are put in words. Events of before something
// was recorded lack it.
type said struct {
	Ticket      string
	Related     string
	Numbers     []string
	Tickets     int
	Refused     *int
	Undone      json.RawMessage // of a bulk run how many, of a ticket's undo the revision
	Actions     []string
	Scores      []Score
	Agreement   int32
	State       string
	Engineer    string
	Attachments []string
	Kind        string // of what an undo took back
	Run         string
	Name        string
	NameZH      string `json:"name_zh"`
	NameEN      string `json:"name_en"`
	step        step
}

func saidIn(r event.Row) (d said) {
	_ = json.Unmarshal(r.Data, &d) // a noun with other words: what fits is there
	if r.Subject == "ticket" {
		d.step = stepOf(r)
	}
	return d
}

// name is what an event's data call its thing.
func (d said) name() locale.Texts {
	if d.NameZH != "" || d.NameEN != "" {
		return locale.Texts{ZH: d.NameZH, EN: d.NameEN}
	}
	return plainly(d.Name)
}

// phrases are pieces of a sentence in both languages.
type phrases []locale.Texts

func (p *phrases) add(zh, en string, args ...any) {
	*p = append(*p, locale.Texts{ZH: fmt.Sprintf(zh, args...), EN: fmt.Sprintf(en, args...)})
}

// change tells of something that was one thing and is another now.
func (p *phrases) change(what, from, to locale.Texts) {
	for _, t := range []*locale.Texts{&from, &to} {
		if *t == (locale.Texts{}) {
			*t = locale.Texts{ZH: "无", EN: "none"}
		}
	}
	*p = append(*p, locale.Texts{ZH: what.ZH + "：" + from.In(locale.ZH) + " → " + to.In(locale.ZH), EN: what.EN + ": " + from.In(locale.EN) + " → " + to.In(locale.EN)})
}

// list tells of several things.
func (p *phrases) list(zh, en string, all []string) {
	if len(all) > 0 {
		p.add(zh+"：%[1]s", en+": %[2]s", strings.Join(all, "、"), strings.Join(all, ", "))
	}
}

func (p phrases) text() locale.Texts {
	var zh, en []string
	for _, t := range p {
		zh, en = append(zh, t.ZH), append(en, t.EN)
	}
	return locale.Texts{ZH: strings.Join(zh, "；"), EN: strings.Join(en, "; ")}
}

// plainly is a text that is the same in every language.
func plainly(s string) locale.Texts { return locale.Texts{ZH: s, EN: s} }

// ticketsInWords tells of so many tickets and names some; what is done to them
// stands in a language where it has its place.
func ticketsInWords(before locale.Texts, n int, behind locale.Texts, numbers []string) locale.Texts {
	noun := "tickets"
	if n == 1 {
		noun = "ticket"
	}
	out := locale.Texts{ZH: fmt.Sprintf("%s%d 个工单%s", before.ZH, n, behind.ZH), EN: fmt.Sprintf("%s%d %s%s", before.EN, n, noun, behind.EN)}
	if len(numbers) > 0 {
		out.ZH, out.EN = out.ZH+"："+strings.Join(numbers, "、"), out.EN+": "+strings.Join(numbers, ", ")
		if n > len(numbers) {
			out.ZH, out.EN = out.ZH+" 等", out.EN+" and more"
		}
	}
	return out
}

// scoresInWords are ratings by the names of what was rated.
func scoresInWords(c *catalog.Catalog, scores []Score) (zh, en []string) {
	for _, sc := range scores {
		d, ok := c.Dimension(sc.Dimension)
		if !ok { // offered no more
			zh, en = append(zh, fmt.Sprintf("#%d %d", sc.Dimension, sc.Points)), append(en, fmt.Sprintf("#%d %d", sc.Dimension, sc.Points))
			continue
		}
		zh = append(zh, fmt.Sprintf("%s %d/%d", d.Name.In(locale.ZH), sc.Points, d.Value))
		en = append(en, fmt.Sprintf("%s %d/%d", d.Name.In(locale.EN), sc.Points, d.Value))
	}
	return zh, en
}

// takenOffInWords says from which tickets a label went; empty for events of
// before that was recorded.
func takenOffInWords(r event.Row) (t locale.Texts) {
	var d struct {
		Tickets *int
		Numbers []string
	}
	if r.Kind != kindLabelDelete || json.Unmarshal(r.Data, &d) != nil || d.Tickets == nil {
		return t
	}
	if *d.Tickets == 0 {
		return locale.Texts{ZH: "不在任何工单上", EN: "was on no ticket"}
	}
	return ticketsInWords(locale.Texts{ZH: "已从 ", EN: "taken off "}, *d.Tickets, locale.Texts{ZH: "移除"}, d.Numbers)
}

// agreementInWords is an agreement as it was published.
func agreementInWords(c *catalog.Catalog, id int32) (t locale.Texts) {
	if a, ok := c.EverAgreement(id); ok {
		t = locale.Texts{ZH: fmt.Sprintf("%s 版本 %d", a.Name.In(locale.ZH), a.Version), EN: fmt.Sprintf("%s Version %d", a.Name.In(locale.EN), a.Version)}
	}
	return t
}

// ownerNames are the sides whose business a ticket can be.
var ownerNames = map[Ownership]locale.Texts{
	HouseBusiness: {ZH: "本方", EN: "house"}, PartnerBusiness: {ZH: "伙伴", EN: "partner"}, ISVBusiness: {ZH: "ISV", EN: "ISV"},
}

// doing are the actions of bulk runs and macros.
var doing = map[string]locale.Texts{
	StepNote: {ZH: "备注", EN: "note"}, StepReply: {ZH: "回复", EN: "reply"}, StepAsk: {ZH: "要求反馈", EN: "ask"}, StepResolve: {ZH: "提交方案", EN: "resolve"},
	StepInvalid: {ZH: "置为无效", EN: "judge invalid"}, StepPause: {ZH: "暂停", EN: "pause"}, StepResume: {ZH: "恢复", EN: "resume"}, StepAssign: {ZH: "分派", EN: "assign"},
	StepTransfer: {ZH: "转派", EN: "transfer"}, StepSeverity: {ZH: "改严重程度", EN: "change severity"}, StepTag: {ZH: "加标记", EN: "tag"}, StepUntag: {ZH: "去标记", EN: "untag"},
	StepRelease: {ZH: "退回", EN: "give back"}, "notify": {ZH: "提醒同事", EN: "notify"},
}

// vocabulary is what the words of events need to know.
type vocabulary struct {
	catalog  *catalog.Catalog
	numbers  map[[2]string]string // of tickets, by domain and id
	people   map[string]map[string]string
	teams    map[string]locale.Texts
	partners map[string]string
}

// Tell puts sealed events in words for the house. Whose names the caller may not
// see are not among them.
func (s *Service) Tell(ctx context.Context, rows []event.Row) ([]Told, error) {
	v := vocabulary{catalog: s.catalog.Now()}
	ids := map[string][]string{} // people by domain
	var tickets [][2]string
	known := map[[2]string]bool{}
	var partners []string
	for _, r := range rows {
		d := saidIn(r)
		for _, id := range []string{ticketOf(r, d), d.Related} {
			if k := [2]string{r.Domain, id}; id != "" && !known[k] {
				tickets, known[k] = append(tickets, k), true
			}
		}
		for _, id := range []*string{d.step.Assignee, d.step.AssigneeFrom, &d.Engineer} {
			if id != nil && *id != "" {
				ids[principal.House] = append(ids[principal.House], *id)
			}
		}
		for _, id := range []string{d.step.PartnerFrom, d.step.Partner} {
			if id != "" && !slices.Contains(partners, id) {
				partners = append(partners, id)
			}
		}
		if r.Subject == "user" {
			ids[r.Domain] = append(ids[r.Domain], r.SubjectID)
		}
	}
	err := s.db.Survey(ctx, func(tx *db.Tx) (err error) {
		if v.numbers, err = numbersOfAll(tx, tickets); err != nil {
			return err
		}
		if v.teams, err = TeamNames(tx); err != nil {
			return err
		}
		v.partners, err = identity.PartnerNames(tx, partners)
		return err
	})
	if err == nil {
		v.people, err = s.namesOf(ctx, ids)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Told, len(rows))
	for i, r := range rows {
		out[i] = v.tell(r)
	}
	return out, nil
}

// ticketOf is the id of the ticket that an event is about.
func ticketOf(r event.Row, d said) string {
	if r.Subject == "ticket" {
		return r.SubjectID
	}
	return d.Ticket
}

func (v vocabulary) tell(r event.Row) Told {
	d := saidIn(r)
	t := Told{Ticket: v.numbers[[2]string{r.Domain, ticketOf(r, d)}], Via: r.Via()}
	switch r.Subject {
	case "ticket":
	case "user":
		t.Subject = plainly(v.people[r.Domain][r.SubjectID])
	default:
		t.Subject = d.name()
	}
	var p phrases
	switch r.Kind {
	case "ticket.score":
		if zh, en := scoresInWords(v.catalog, d.Scores); len(zh) > 0 {
			p.add("%[1]s", "%[2]s", strings.Join(zh, "、"), strings.Join(en, ", "))
		}
	case "ticket.tag":
		p.list("加上", "added", d.step.Tags)
	case "ticket.untag":
		p.list("去掉", "removed", d.step.Tags)
	case "attachment.claim":
		p.add("%[1]d 个文件", "files: %[1]d", len(d.Attachments))
	case "agreement.sign":
		t.Subject = agreementInWords(v.catalog, d.Agreement)
	case kindLabelDelete:
		if off := takenOffInWords(r); off.ZH != "" {
			p = append(p, off)
		}
	case "queue.assign":
		p.add("派给 %[1]s", "to %[1]s", v.person(d.Engineer))
	case "rule.run", "macro.run": // the steps of it say the same
		t.Via = &principal.Via{Kind: r.Subject, ID: r.SubjectID, Run: d.Run, NameZH: d.NameZH, NameEN: d.NameEN}
		p.doing(d.Actions)
		if d.State == "failed" {
			p.add("有操作被拒绝", "an action was refused")
		}
	case kindUndo:
		if d.step.Undone > 0 && d.Kind != "" {
			n := stepName(d.Kind)
			p.add("撤销第 %[1]d 次变更（%[2]s）", "undid revision %[1]d (%[3]s)", d.step.Undone, n.ZH, n.EN)
		}
	case "bulk.create", "bulk.done", "bulk.undo":
		t.Via = &principal.Via{Kind: "bulk", ID: r.SubjectID}
		if d.Tickets > 0 {
			p = append(p, ticketsInWords(locale.Texts{}, d.Tickets, locale.Texts{}, d.Numbers))
		}
		p.doing(d.Actions)
		if n, err := strconv.Atoi(string(d.Undone)); err == nil {
			p.add("已撤销 %[1]d", "undone: %[1]d", n)
		}
		if d.Refused != nil && *d.Refused > 0 {
			p.add("被拒绝 %[1]d", "refused: %[1]d", *d.Refused)
		}
	}
	if r.Subject == "ticket" && !strings.HasPrefix(r.Kind, "sla.") {
		v.step(&p, d)
	}
	if number := v.numbers[[2]string{r.Domain, d.Related}]; number != "" {
		p.list("另一工单", "other ticket", []string{number})
	}
	t.Words = p.text()
	return t
}

// doing tells of actions.
func (p *phrases) doing(actions []string) {
	var zh, en []string
	for _, a := range actions {
		name, ok := doing[a]
		if !ok {
			name = plainly(a)
		}
		zh, en = append(zh, name.ZH), append(en, name.EN)
	}
	if len(zh) > 0 {
		p.add("操作：%[1]s", "actions: %[2]s", strings.Join(zh, "、"), strings.Join(en, ", "))
	}
}

func (v vocabulary) person(id string) string {
	if name := v.people[principal.House][id]; name != "" {
		return name
	}
	return id
}

// step tells what changed of a ticket.
func (v vocabulary) step(p *phrases, d said) {
	s := d.step
	if s.From != nil && s.To != nil && *s.From != *s.To {
		p.change(locale.Texts{ZH: "状态", EN: "state"}, statusNames[*s.From], statusNames[*s.To])
	}
	if s.OwnerFrom != nil && s.OwnerTo != nil && *s.OwnerFrom != *s.OwnerTo {
		p.change(locale.Texts{ZH: "服务方", EN: "side"}, v.owner(*s.OwnerFrom, s.PartnerFrom), v.owner(*s.OwnerTo, s.Partner))
	}
	if s.Assignee != nil && s.AssigneeFrom != nil && *s.Assignee != *s.AssigneeFrom {
		p.change(locale.Texts{ZH: "处理人", EN: "handler"}, plainly(v.person(*s.AssigneeFrom)), plainly(v.person(*s.Assignee)))
	}
	if s.Team != nil && s.TeamFrom != nil && *s.Team != *s.TeamFrom {
		p.change(locale.Texts{ZH: "团队", EN: "team"}, v.team(*s.TeamFrom), v.team(*s.Team))
	}
	if s.Severity != nil && s.SeverityFrom != nil {
		p.change(locale.Texts{ZH: "严重程度", EN: "severity"}, v.severity(*s.SeverityFrom), v.severity(*s.Severity))
	}
	p.list("加上", "added", s.TagsOn)
	p.list("去掉", "removed", s.TagsOff)
	if s.Other != "" {
		p.list("另一工单", "other ticket", []string{s.Other})
	}
}

// owner is a side, with the partner's name where the event tells whose it is.
func (v vocabulary) owner(o Ownership, partner string) locale.Texts {
	n := ownerNames[o]
	if name := v.partners[partner]; name != "" && o != HouseBusiness {
		n.ZH, n.EN = n.ZH+" "+name, n.EN+" "+name
	}
	return n
}

func (v vocabulary) team(id string) locale.Texts {
	if name, ok := v.teams[id]; ok || id == "" {
		return name
	}
	return plainly(id)
}

func (v vocabulary) severity(id string) locale.Texts {
	if sev, ok := v.catalog.Severity(id); ok {
		return sev.Name
	}
	return plainly(id)
}

// numbersOfAll are the numbers of tickets, by domain and id.
func numbersOfAll(tx *db.Tx, keys [][2]string) (map[[2]string]string, error) {
	numbers := map[[2]string]string{}
	if len(keys) == 0 {
		return numbers, nil
	}
	var args []any
	for _, k := range keys {
		args = append(args, k[0], k[1])
	}
	return numbers, tx.List(func(r db.Row) error {
		var domain, id, number string
		err := r.Scan(&domain, &id, &number)
		numbers[[2]string{domain, id}] = number
		return err
	}, "WITH wanted(in_domain, wanted_id) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(keys)-1)+
		") SELECT domain_id, id, number FROM wanted JOIN tickets ON domain_id = in_domain AND id = wanted_id", args...)
}

// TeamNames are the names of all teams, by their ids.
func TeamNames(tx *db.Tx) (map[string]locale.Texts, error) {
	names := map[string]locale.Texts{}
	return names, tx.List(func(r db.Row) error {
		var id string
		var n locale.Texts
		err := r.Scan(&id, &n.ZH, &n.EN)
		names[id] = n
		return err
	}, "SELECT id, name_zh, name_en FROM desk_teams")
}
