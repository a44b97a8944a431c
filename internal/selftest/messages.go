package selftest

import (
	"fmt"
	"net/url"
)

// messages lets customer and engineer talk in the first ticket.
func (r *run) messages() {
	s := r.story
	write := func(text string) error {
		_, err := r.call("CreateMessages", r.an, request{path: of(s.ticket), body: map[string]any{"message": map[string]any{"content": text}}})
		return err
	}
	listed := func(text string) (answer, error) {
		a, err := r.call("ListMessages", r.an, request{path: of(s.ticket), query: url.Values{"limit": {"100"}}})
		if err != nil {
			return answer{}, err
		}
		m, ok := a.at("message_list").find("content", text)
		return m, must(ok, "%q is not listed", text)
	}
	mine, theirs := "Selftest: since ten o'clock "+random(6), "Selftest: which image is it? "+random(6)
	r.prove("CreateMessages", "ListMessages: the words, by the customer; the ticket waits for the engineer again", func() error {
		if err := r.step(s.ticket, "accept", ""); err != nil {
			return err
		}
		if err := r.step(s.ticket, "ask", theirs); err != nil {
			return err
		}
		if err := r.is(r.an, s.ticket, "17"); err != nil {
			return err
		}
		if err := write(mine); err != nil {
			return err
		}
		m, err := listed(mine)
		if err != nil {
			return err
		}
		if err := want("type", m.at("type").text(), "0"); err != nil {
			return err
		}
		return r.is(r.an, s.ticket, "1")
	})
	r.prove("ListMessages", "desk ask: the engineer's words, by a name that is not his log-in", func() error {
		m, err := listed(theirs)
		if err != nil {
			return err
		}
		if err := want("type", m.at("type").text(), "1"); err != nil {
			return err
		}
		return must(r.o.As == "" || m.at("replier_name").text() != r.o.As, "the engineer's log-in name is shown")
	})
	r.instant(theirs)
}

// instant polls, pages, counts and marks.
func (r *run) instant(earlier string) {
	s := r.story
	cases := func(more ...string) url.Values {
		q := url.Values{"case_ids": {s.ticket}}
		for i := 0; i+1 < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	poll := func(more ...string) (all []string, cursor string, err error) {
		a, err := r.call("ListNewInstantMessages", r.an, request{query: cases(more...)})
		if err != nil {
			return nil, "", err
		}
		if _, ok := a.at("imstatus").find("incident_id", s.ticket); !ok {
			return nil, "", fmt.Errorf("the poll does not tell the ticket's state")
		}
		of, _ := a.at("immsg").find("incident_id", s.ticket)
		for _, m := range of.at("message_list").list() {
			all = append(all, m.at("content").text())
		}
		return all, a.at("last_message_time_id").text(), nil
	}
	unread := func() (int64, error) {
		a, err := r.call("ListUnreadNewInstantMessages", r.an, request{query: cases()})
		u, _ := a.at("imunread").find("incident_id", s.ticket)
		return u.at("unread_num").number(), err
	}
	read := func() error {
		_, err := r.call("UpdateNewInstantMessagesRead", r.an, request{path: of(s.ticket), body: map[string]any{}})
		return err
	}
	news := "Selftest: thank you, we look into it " + random(6)
	r.prove("ListNewInstantMessages", "desk reply: after the cursor only what came since", func() error {
		_, cursor, err := poll()
		if err != nil {
			return err
		}
		if err := r.step(s.ticket, "reply", news); err != nil {
			return err
		}
		got, _, err := poll("last_message_time_id", cursor)
		if err != nil {
			return err
		}
		return want("new messages", fmt.Sprint(got), fmt.Sprint([]string{news}))
	})
	var before int64
	r.prove("ListUnreadNewInstantMessages", "desk reply: counts one more", func() (err error) {
		if before, err = unread(); err != nil {
			return err
		}
		if err := r.step(s.ticket, "reply", "Selftest: one more"); err != nil {
			return err
		}
		after, err := unread()
		if err != nil {
			return err
		}
		return want("unread", after, before+1)
	})
	r.prove("UpdateNewInstantMessagesRead", "ListUnreadNewInstantMessages: none is left", func() error {
		if err := read(); err != nil {
			return err
		}
		n, err := unread()
		if err != nil {
			return err
		}
		return must(n <= 0, "%d are unread", n)
	})
	r.prove("ListMoreInstantMessages", "desk reply: pages back to the engineer's words", func() error {
		a, err := r.call("ListMoreInstantMessages", r.an, request{path: of(s.ticket), query: url.Values{"create_time": {number(r.now().AddDate(0, 0, 1).UnixMilli())}, "type": {"1"}, "limit": {"100"}}})
		if err != nil {
			return err
		}
		for _, text := range []string{earlier, news} {
			if _, ok := a.at("message_list").find("content", text); !ok {
				return fmt.Errorf("%q is not among %d messages", text, len(a.at("message_list").list()))
			}
		}
		return nil
	})
	r.prove("RevokeMessage", "ListMessages: the words are gone", func() error {
		text := "Selftest: a slip " + random(8)
		if _, err := r.call("CreateMessages", r.an, request{path: of(s.ticket), body: map[string]any{"message": map[string]any{"content": text}}}); err != nil {
			return err
		}
		d, err := r.show(r.an, s.ticket)
		if err != nil {
			return err
		}
		m, ok := d.at("message_list").find("content", text)
		if !ok {
			return fmt.Errorf("the message has no id to withdraw it by")
		}
		if _, err := r.call("RevokeMessage", r.an, request{path: map[string]string{"case_id": s.ticket, "message_id": m.at("message_id").text()}}); err != nil {
			return err
		}
		list, err := r.call("ListMessages", r.an, request{path: of(s.ticket), query: url.Values{"limit": {"100"}}})
		if err != nil {
			return err
		}
		_, still := list.at("message_list").find("content", text)
		return must(!still, "the withdrawn words are still shown")
	})
}
