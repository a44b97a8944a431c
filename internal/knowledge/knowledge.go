// Package knowledge owns articles: what the house knows, for its own people or
// for customers, in Chinese and English, with every version. It finds them by
// words, suggests them while a ticket is written, and counts whether that
// helped. It knows nothing of tickets but their ids: who may see a ticket is
// the business of the nouns above.
package knowledge

import (
	"errors"
	"regexp"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// States of an article.
const (
	StateDraft     = "draft"     // nobody but the house's people sees it
	StatePublished = "published" // a version of it is what readers see; a newer one may wait
	StateArchived  = "archived"  // put away; kept, not found unless asked for
)

// Who a version is for.
const (
	Internal  = "internal"  // people of the house
	Customers = "customers" // them and every customer
)

// Limits, in characters where nothing else is said.
const (
	MaxTitle    = 200
	MaxSummary  = 500
	MaxBody     = 50000
	MaxNote     = 500
	MaxTags     = 20 // of an article
	MaxTag      = 32
	MaxLinks    = 50 // products, and problem types, of an article
	MaxArticles = 5000
	MaxVersions = 1000 // of an article
	maxSlug     = 80
)

// Faults of articles.
var (
	ErrNoArticle = fault.New(fault.NotFound, fault.CodeInvalid, "知识库文章不存在", "there is no such article").In("article")
	ErrNoVersion = fault.New(fault.NotFound, fault.CodeInvalid, "该文章没有版本 {version}", "the article has no version {version}").In("version")
	ErrSlug      = fault.New(fault.Conflict, fault.CodeInvalid, "文章标识 {slug} 已被使用", "the slug {slug} is taken").In("slug")
	ErrState     = fault.New(fault.Conflict, fault.CodeNoPermission, "文章当前状态（{state.zh}）不允许此操作", "the article's state ({state.en}) does not allow this").In("do")

	errSlugForm  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 只能由小写字母、数字和连字符组成，最多 {max} 个字符", "{field} is made of lower-case letters, digits and hyphens, at most {max} characters").With("max", maxSlug)
	errNoTitle   = fault.New(fault.Invalid, fault.CodeInvalid, "文章至少要有一种语言的标题（{field}）", "an article has a title in at least one language ({field})").In("title")
	errHalf      = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 为空，但该语言有其他内容；请补全，或清空该语言", "{field} is empty and the language has other words: complete it or leave the language out")
	errTwice     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 中的 {value} 重复", "{value} stands twice in {field}")
	errMany      = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 最多 {max} 项", "{field} may have at most {max} items")
	errTag       = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能含有控制字符或逗号", "{field} must not hold control characters or commas")
	errCatalogue = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 的值 {value} 不在目录中", "{field}: the catalogue has no {value}")
	errFull      = fault.New(fault.Conflict, fault.CodeInvalid, "文章数量已达上限（{max}）", "there may be at most {max} articles").With("max", MaxArticles)
	errVersions  = fault.New(fault.Conflict, fault.CodeInvalid, "该文章的版本数量已达上限（{max}）", "an article may have at most {max} versions").With("max", MaxVersions)
	errChanged   = fault.New(fault.Conflict, fault.CodeNoPermission, "文章已被 {name} 修改（现为修订 {revision}，第 {number} 版，{state.zh}；改动：{changes.zh}），您的修改未保存。请查看后重试",
		"the article has been changed by {name} meanwhile (revision {revision}, version {number}, {state.en}; changed: {changes.en}) and yours was not saved. Look at it and repeat the change").In("revision")
)

// Words are an article in one language. It is there when it has a title.
type Words struct {
	Title, Summary string // plain text
	Body           string // Markdown; raw HTML in it is never shown
}

func (w Words) empty() bool { return w == Words{} }

// Content is what a version says.
type Content struct {
	Visibility string // Internal or Customers
	ZH, EN     Words  // a language may be missing
	Tags       []string
	Products   []string // product ids of the catalogue the article is about
	Types      []string // problem type ids
}

// In is an article in the language, or in the other one where it is missing,
// which fallback tells (semantics.md D15: as names do).
func (c Content) In(lang locale.Language) (w Words, is locale.Language, fallback bool) {
	if lang == locale.EN && c.EN.Title != "" || c.ZH.Title == "" {
		return c.EN, locale.EN, lang != locale.EN
	}
	return c.ZH, locale.ZH, lang == locale.EN
}

// Languages are those the article is in.
func (c Content) Languages() (all []locale.Language) {
	if c.ZH.Title != "" {
		all = append(all, locale.ZH)
	}
	if c.EN.Title != "" {
		all = append(all, locale.EN)
	}
	return all
}

// Article is an article as the house's people see it.
type Article struct {
	ID, Slug  string
	State     string
	Revision  int64   // grows by one with each change
	Version   int64   // the newest
	Published int64   // the version readers see, 0 = none
	Audience  string  // of the published version, "" = none
	Content   Content // of the newest version
	Created, Changed,
	PublishedAt int64 // milliseconds UTC; PublishedAt 0 = it is not
	Actor      string // user id of who changed it last
	Helpful    int64  // readers whom it helped
	NotHelpful int64
	UsedIn     int64 // tickets
}

// Pending tells that a newer version than the published one waits.
func (a Article) Pending() bool { return a.Published != 0 && a.Version > a.Published }

// Service is the noun.
type Service struct {
	db      *db.DB
	catalog *catalog.Service
	ident   *identity.Service
	o       Options
}

// Options of the service.
type Options struct {
	// URL is the address of the installation as readers reach it, without a slash
	// at the end; "" = links to articles are paths.
	URL string
}

// New makes the service.
func New(d *db.DB, c *catalog.Service, ident *identity.Service, o Options) *Service {
	return &Service{db: d, catalog: c, ident: ident, o: o}
}

// Periodic is what one node at a time does again and again, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{{Name: "article suggestions", Every: purgeEvery, Run: s.purge}}
}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// IsSlug tells whether a text may be an article's slug.
func IsSlug(s string) bool { return len(s) <= maxSlug && slugForm.MatchString(s) }

// mayRead tells who sees all articles: the house's people, not its partners'.
func mayRead(who principal.Principal) error {
	if who.Kind == principal.Local || who.Kind == principal.System || who.Kind == principal.Engineer && who.Partner == "" {
		return nil
	}
	return fault.NoPermission
}

// mayWrite tells who makes, changes and publishes them: those who work.
func mayWrite(who principal.Principal) error {
	if err := mayRead(who); err != nil {
		return err
	}
	if who.Kind == principal.Engineer && !who.Works() {
		return fault.NoPermission
	}
	return nil
}

const articleColumns = "a.id, a.slug, a.state, a.revision, a.version, a.published, a.audience, a.created_at, a.changed_at, a.published_at, a.actor"

func (a *Article) fields() []any {
	return []any{&a.ID, &a.Slug, &a.State, &a.Revision, &a.Version, &a.Published, &a.Audience, &a.Created, &a.Changed, &a.PublishedAt, &a.Actor}
}

// articleIn reads an article by id or slug, with the words of its newest version.
func articleIn(tx *db.Tx, key string) (a Article, err error) {
	var c rawContent
	err = tx.Get("SELECT "+articleColumns+", "+contentColumns+` FROM articles AS a JOIN article_versions AS v ON v.article_id = a.id AND v.version = a.version
		WHERE a.id = ? OR a.slug = ?`, key, key).Scan(append(a.fields(), c.fields()...)...)
	if errors.Is(err, db.ErrNone) {
		return a, ErrNoArticle
	}
	if err == nil {
		a.Content, err = c.content()
	}
	return a, err
}

func (s *Service) record(tx *db.Tx, who principal.Principal, kind string, a Article, more map[string]any) {
	data := map[string]any{"slug": a.Slug, "state": a.State, "version": a.Version, "published": a.Published, "visibility": a.Content.Visibility}
	for k, v := range more {
		data[k] = v
	}
	event.Record(tx, who, event.Event{Kind: kind, Subject: "article", SubjectID: a.ID, Revision: a.Revision, LogCode: event.NoLog, Data: data})
}
