package selftest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// authorizations lets the engineer ask three times: one is granted, used and
// withdrawn, one refused.
func (r *run) authorizations() {
	s := r.story
	id := func(more ...string) map[string]string {
		m := map[string]string{"authorization_id": r.authorization, "authorization_detail_id": r.detail}
		for i := 0; i+1 < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	show := func() (answer, error) { return r.call("ShowAuthorizationDetail", r.an, request{path: id()}) }
	asked := r.ask()
	r.prove("ListAuthorizations", "desk authorize: what the engineer asked for waits, and not for a colleague", func() error {
		waiting := url.Values{"incident_id": {s.ticket}, "status": {"0"}, "limit": {"100"}}
		a, err := r.call("ListAuthorizations", r.an, request{query: waiting})
		if err != nil || asked != nil {
			return firstOf(err, asked)
		}
		if _, ok := a.at("incident_auth_list").find("id", r.authorization); !ok {
			return fmt.Errorf("the authorization is not listed")
		}
		other, err := r.call("ListAuthorizations", r.bo, request{query: url.Values{"limit": {"100"}}})
		if err != nil {
			return err
		}
		_, seen := other.at("incident_auth_list").find("id", r.authorization)
		return must(!seen, "a colleague sees the authorization")
	})
	r.prove("ShowAuthorizationDetail", "desk authorize: it waits for the customer, with the host asked for", func() error {
		a, err := show()
		if err != nil || asked != nil {
			return firstOf(err, asked)
		}
		d := a.at("incident_auth_detail_list").first()
		r.detail = d.at("id").text()
		if err := must(r.detail != "", "there are no details"); err != nil {
			return err
		}
		if err := want("kind of detail", d.at("type").text(), "1"); err != nil {
			return err
		}
		return want("state and ticket", a.at("status").text()+" "+a.at("incident_id").text(), "0 "+s.ticket)
	})
	r.prove("CheckHosts", "desk authorize: a host of the self-test's own takes the right password only", func() error {
		h := r.host
		try := func(port int, password string) error {
			_, err := r.call("CheckHosts", r.an, request{path: id(), body: map[string]any{"port": port, "account": h.account, "password": password}})
			return err
		}
		err := try(h.port, h.password)
		if no := (refused{}); errors.As(err, &no) && no.code == "OSM.01010002" && strings.Contains(no.text, "switched off") {
			return offHere{r.say("主机登录校验已关闭；可设 authorization.check_hosts.enabled: true，并在 allow 中列出 ", "checking host logins is switched off: set authorization.check_hosts.enabled, and allow ") + h.address}
		}
		if no := (refused{}); errors.As(err, &no) && no.code == "OSM.01010047" {
			return fmt.Errorf(r.say("服务端无法连接本机 %s（请检查 authorization.check_hosts.allow，或用 --probe 指定其他地址）：%w", "the server does not reach this machine at %s (is it in authorization.check_hosts.allow? another address: --probe): %w"), h.address, err)
		}
		if err != nil || asked != nil {
			return firstOf(err, asked)
		}
		if err := refuses(try(h.closed, h.password), "OSM.01010047", "a port where nothing listens let somebody in"); err != nil {
			return err
		}
		return refuses(try(h.port, "not "+h.password), "OSM.01010003", "a wrong password was accepted")
	})
	r.prove("ConfirmAuthorizations", "ShowAuthorizationDetail: 1, for the hours that were given", func() error {
		from := r.now().Truncate(time.Second)
		signed := r.signAuthorizations()
		if _, err := r.call("ConfirmAuthorizations", r.an, request{path: id(), body: map[string]any{
			"auth_detail_list":    []map[string]any{{"auth_detail_id": jsonNumber(r.detail), "port": r.host.port, "account": r.host.account, "password": r.host.password}},
			"auth_effective_time": from.UnixMilli(), "auth_expire_time": from.Add(2 * time.Hour).UnixMilli()}}); err != nil || signed != nil {
			return firstOf(err, signed)
		}
		a, err := show()
		if err != nil {
			return err
		}
		if err := want("state", a.at("status").text(), "1"); err != nil {
			return err
		}
		if err := must(!strings.Contains(string(a.raw), r.host.password), "the password is shown"); err != nil {
			return err
		}
		return want("auth_expire_time", a.at("auth_expire_time").text(), from.Add(2*time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	})
	r.sessions(id)
	r.prove("UpdateAuthorizations", "ShowAuthorizationDetail: the granted one 5 after cancel, another 2 after reject", func() error {
		if _, err := r.call("UpdateAuthorizations", r.an, request{path: id(), query: url.Values{"action_id": {"cancel"}}, body: map[string]any{}}); err != nil {
			return err
		}
		a, err := show()
		if err != nil {
			return err
		}
		if err := want("state", a.at("status").text(), "5"); err != nil {
			return err
		}
		if err := r.ask(); err != nil {
			return err
		}
		if _, err := r.call("UpdateAuthorizations", r.an, request{path: id(), query: url.Values{"action_id": {"reject"}}, body: map[string]any{"reject_reason": "Selftest: no"}}); err != nil {
			return err
		}
		if a, err = show(); err != nil {
			return err
		}
		return want("state and reason", a.at("status").text()+" "+a.at("reject_reason").text(), "2 Selftest: no")
	})
	r.prove("ShowLoginType", "POST /v3/auth/tokens: AKSK for a signed call, PASSWORD for a token got with the password", func() error {
		a, err := r.call("ShowLoginType", r.an, request{})
		if err != nil {
			return err
		}
		if err := want("login_type of a signed call", a.at("login_type").text(), "AKSK"); err != nil {
			return err
		}
		token, err := r.token(r.an)
		if err != nil {
			return err
		}
		if a, err = r.call("ShowLoginType", r.an, request{token: token}); err != nil {
			return err
		}
		return want("login_type of a token", a.at("login_type").text(), "PASSWORD")
	})
}

// ask lets the engineer ask for an authorization on the first ticket.
func (r *run) ask() error {
	id, err := r.deskAuthorize(r.story.ticket)
	if err == nil {
		r.authorization = id
	}
	return err
}

func (r *run) signAuthorizations() error {
	a, err := r.call("ShowLatestPublishedAgreement", r.an, request{query: url.Values{"agreement_type": {"2"}}})
	if err != nil {
		return err
	}
	id := a.at("case_agreement.id").text()
	if id == "" {
		return nil // none is published: none is to be accepted
	}
	_, err = r.call("SignPublishedAgreement", r.an, request{path: map[string]string{"id": id}, body: map[string]any{"relation_id": r.authorization}})
	return err
}

// sessions reads what the engineer did in the host.
func (r *run) sessions(id func(more ...string) map[string]string) {
	session, recorded := r.deskRecordSession()
	r.prove("ListHistorySessions", "desk CloseSession: its beginning and end", func() error {
		a, err := r.call("ListHistorySessions", r.an, request{path: id()})
		if err != nil || recorded != nil {
			return firstOf(err, recorded)
		}
		s, ok := a.at("session_list").find("session_id", session)
		if !ok {
			return fmt.Errorf("the session is not listed")
		}
		r.session = session
		return must(s.at("start_time").text() != "" && s.at("end_time").text() != "", "the session has no beginning or no end")
	})
	r.prove("ListHistoryOperateLogs", "desk RecordSession: the command", func() error {
		a, err := r.call("ListHistoryOperateLogs", r.an, request{path: id("session_id", r.session), query: url.Values{"sort": {"1"}}})
		if err != nil || recorded != nil {
			return firstOf(err, recorded)
		}
		_, ok := a.at("ops_list").find("oper", sessionCommand)
		return must(ok, "the command is not listed")
	})
	r.prove("ListTransportHistories", "desk RecordSession: the file, with its size", func() error {
		a, err := r.call("ListTransportHistories", r.an, request{path: id("session_id", r.session)})
		if err != nil || recorded != nil {
			return firstOf(err, recorded)
		}
		f, ok := a.at("file_ops_list").find("file_name", sessionFile)
		if !ok {
			return fmt.Errorf("the file is not listed")
		}
		return want("size", f.at("file_size").text(), "2K")
	})
}

// firstOf is the first error there is.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
