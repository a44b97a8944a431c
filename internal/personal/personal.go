// Package personal is the language in which nouns say what they hold about
// people: rules with their SQL, kept beside the tables by their owner. What is
// done with them, for one person or by age, is package privacy's.
package personal

import (
	"strings"

	"casemate/internal/db"
)

// Erased stands in the place of a text that was erased, with its writer or by its
// age, for readers of both languages. It stands in SQL: no quotation marks.
const Erased = "（内容已清除 / erased）"

// Subject is whose data are meant: a user of a customer's domain or of the house,
// or with User "" whoever is behind the contacts.
type Subject struct {
	Domain, User string
	// Hashes are the keyed hashes of his contacts and log-in names, of all
	// purposes: they tell nothing without the key, and no two purposes collide.
	Hashes []string
	// Terms are his contacts as the search index knows them.
	Terms []string
}

// Sealed says under which key a column of a rule is sealed.
type Sealed uint8

// The keys.
const (
	Person Sealed = iota + 1 // of the person in the rule's Owner
	Data                     // of the installation
)

// Rule is one sort of what a table holds about a person. Its SQL may hold the
// marks {domain}, {user} and {hashes} (a list in brackets); {before} in rules of
// Aged.
type Rule struct {
	Kind  string // what it is called in plans and bundles
	Table string
	Key   string // columns of the primary key, separated by commas
	Where string // whose rows they are; names domain_id, or says why not
	// Left says which rows are not erased yet, "" = all there are; a rule that
	// sets needs it, so that it can be carried out again.
	Left string
	// Set is what erasing writes into the rows; "" = they are deleted.
	Set string
	// Keep: nothing is erased; the rule is for bundles only.
	Keep bool

	Ticket string // SQL of the id of the ticket concerned, "" = none
	Blob   string // SQL of the blob that goes with the row
	// Doc is the SQL of the search document's id, DocKind that of its kind while it
	// stays with the text Erased, '' = it goes; Parent that of its ticket.
	Doc, DocKind, Parent string

	// Shown are the columns in a bundle, separated by commas, "" = in none; Open
	// says which of them are sealed, Row is the SQL of their seal.Place's row, Owner
	// that of the person's id whose key it is ("" = the subject's).
	Shown, Row, Owner string
	Open              map[string]Sealed
}

// Aged is one sort of what goes by its age. Its rows are those of the rule's
// Where, which holds {before}; Domain, Ticket, Persons and Hashes are SQL of what a
// legal hold may be on, "" = nothing.
type Aged struct {
	Rule
	Domain  string   // SQL; also what a retention rule for one domain goes by
	Persons []string // SQL of user ids
	Hashes  []string // SQL of keyed hashes of contacts
	At      string   // SQL of the time that ages, for the preview
}

// Expand fills in the marks and answers the arguments in their order.
func Expand(sql string, s Subject, before int64) (string, []any) {
	var b strings.Builder
	var args []any
	for {
		i := strings.IndexByte(sql, '{')
		if i < 0 {
			b.WriteString(sql)
			return b.String(), args
		}
		end := strings.IndexByte(sql[i:], '}')
		if end < 0 {
			b.WriteString(sql)
			return b.String(), args
		}
		b.WriteString(sql[:i])
		mark := sql[i : i+end+1]
		sql = sql[i+end+1:]
		switch mark {
		case "{domain}":
			b.WriteString("CAST(? AS TEXT)")
			args = append(args, s.Domain)
		case "{user}":
			b.WriteString("CAST(? AS TEXT)")
			args = append(args, s.User)
		case "{before}":
			b.WriteString("CAST(? AS BIGINT)")
			args = append(args, before)
		case "{hashes}":
			b.WriteString("(CAST(? AS TEXT)")
			args = append(args, "-") // so that the list is never empty
			for _, h := range s.Hashes {
				b.WriteString(", CAST(? AS TEXT)")
				args = append(args, h)
			}
			b.WriteString(")")
		default:
			b.WriteString(mark)
		}
	}
}

// Columns are the names in a list of columns.
func Columns(list string) (names []string) {
	for _, c := range strings.Split(list, ",") {
		if c = strings.TrimSpace(c); c != "" {
			names = append(names, c)
		}
	}
	return names
}

// Found is a row that a rule applies to.
type Found struct {
	Key                        []any
	Ticket, Blob               string
	Doc, DocKind, Parent, Home string // Home: the domain of the document
}

func orEmpty(sql string) string {
	if sql == "" {
		return "''"
	}
	return sql
}

// Page reads rows of a rule under a further condition, in the order of their
// keys behind one of them (nil = from the first), at most limit.
func (r Rule) Page(tx *db.Tx, cond string, args []any, after []any, limit int) (page []Found, err error) {
	keys := Columns(r.Key)
	home := "''"
	if r.Doc != "" {
		home = "domain_id"
	}
	text := "SELECT " + strings.Join(append(keys, orEmpty(r.Ticket), orEmpty(r.Blob), orEmpty(r.Doc), orEmpty(r.DocKind), orEmpty(r.Parent), home), ", ") +
		" FROM " + r.Table + " WHERE " + cond
	if after != nil {
		text += " AND (" + strings.Join(keys, ", ") + ") > (?" + strings.Repeat(", ?", len(keys)-1) + ")"
		args = append(append([]any{}, args...), after...)
	}
	text += " ORDER BY " + r.Order() + " LIMIT ? /* all domains: the condition says whose */"
	err = tx.List(func(row db.Row) error {
		f := Found{Key: make([]any, len(keys))}
		to := make([]any, 0, len(keys)+6)
		for i := range f.Key {
			to = append(to, &f.Key[i])
		}
		err := row.Scan(append(to, &f.Ticket, &f.Blob, &f.Doc, &f.DocKind, &f.Parent, &f.Home)...)
		page = append(page, f)
		return err
	}, text, append(append([]any{}, args...), limit)...)
	return page, err
}

// Order is the ORDER BY of a rule's rows: a column of the answer may have a key's
// name.
func (r Rule) Order() string {
	keys := Columns(r.Key)
	for i := range keys {
		keys[i] = r.Table + "." + keys[i]
	}
	return strings.Join(keys, ", ")
}

// Erase queues what the rule does to a row.
func (r Rule) Erase(tx *db.Tx, f Found) {
	var same []string
	for _, k := range Columns(r.Key) {
		same = append(same, k+" = ?")
	}
	where := " WHERE " + strings.Join(same, " AND ") + " /* all domains: by its whole key */"
	if r.Set == "" {
		tx.Write(db.Any, "DELETE FROM "+r.Table+where, f.Key...)
		return
	}
	set, args := Expand(r.Set, Subject{}, 0)
	tx.Write(db.Any, "UPDATE "+r.Table+" SET "+set+where, append(args, f.Key...)...)
}

// Count is how many rows there are under a condition.
func (r Rule) Count(tx *db.Tx, cond string, args []any) (n int64, err error) {
	err = tx.Get("SELECT count(*) FROM "+r.Table+" /* all domains: the condition says whose */ WHERE "+cond, args...).Scan(&n)
	return n, err
}
