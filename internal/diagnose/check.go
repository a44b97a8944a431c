package diagnose

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/guard"
	"casemate/internal/locale"
)

var (
	refused      = locale.Texts{ZH: "目标地址不允许访问：不是公网地址", EN: "the target may not be reached: it is not a public address"}
	refusedClear = locale.Texts{ZH: "目标地址不允许以未加密的 HTTP 访问", EN: "the target may not be reached over unencrypted HTTP"}
	refusedName  = locale.Texts{ZH: "不允许查询该域名：它是内部网络使用的名称", EN: "the name may not be looked up: it belongs to inner networks"}
	timedOut     = locale.Texts{ZH: "{seconds} 秒内没有应答", EN: "no answer within {seconds} s"}
	noName       = locale.Texts{ZH: "域名没有所需的解析记录", EN: "the name has no such record"}
	noAnswer     = locale.Texts{ZH: "域名解析服务没有正常应答", EN: "the name servers did not answer properly"}
	closedPort   = locale.Texts{ZH: "连接被拒绝：端口没有监听，或被防火墙拒绝", EN: "connection refused: nothing listens on the port, or a firewall refuses"}
	reset        = locale.Texts{ZH: "连接被对方中断", EN: "the other side cut the connection"}
	unreachable  = locale.Texts{ZH: "网络不可达", EN: "the network cannot be reached"}
	notTLS       = locale.Texts{ZH: "该端口上不是 TLS 服务", EN: "there is no TLS service on the port"}
	otherName    = locale.Texts{ZH: "证书不包含该域名", EN: "the certificate does not name the host"}
	untrusted    = locale.Texts{ZH: "证书不受信任：不是受信任的机构签发，或证书链不完整", EN: "the certificate is not trusted: not issued by a trusted authority, or its chain is incomplete"}
	tooMuch      = locale.Texts{ZH: "应答过大", EN: "the answer is too large"}
	otherFault   = locale.Texts{ZH: "连接失败", EN: "the connection failed"}

	connected  = locale.Texts{ZH: "连接成功", EN: "connected"}
	gotStatus  = locale.Texts{ZH: "返回状态码 {status}", EN: "answered with status {status}"}
	badStatus  = locale.Texts{ZH: "返回状态码 {status}，不是期望的 {wanted}", EN: "answered with status {status}, expected {wanted}"}
	noText     = locale.Texts{ZH: "返回状态码 {status}，但前 64 KiB 内容中没有期望的文字", EN: "answered with status {status}, but the expected text is not in the first 64 KiB"}
	resolved   = locale.Texts{ZH: "{type} 记录：{answers}", EN: "{type} record: {answers}"}
	notAmong   = locale.Texts{ZH: "{type} 记录为 {answers}，缺少 {wanted}", EN: "{type} record is {answers}, {wanted} is missing"}
	daysLeft   = locale.Texts{ZH: "证书有效，还有 {days} 天到期（{date}）", EN: "the certificate is valid for another {days} days ({date})"}
	daysWarn   = locale.Texts{ZH: "证书将在 {days} 天后到期（{date}）", EN: "the certificate expires in {days} days ({date})"}
	expired    = locale.Texts{ZH: "证书已于 {date} 到期", EN: "the certificate expired on {date}"}
	notYet     = locale.Texts{ZH: "证书自 {date} 起才有效", EN: "the certificate is not valid before {date}"}
	noTemplate = locale.Texts{ZH: "检查项没有定义", EN: "the check is not defined"}
)

// check makes one check. An error is the machinery's, not the target's.
func (s *Service) check(ctx context.Context, d definition) (verdict, error) {
	if d.Command != nil {
		return protected(func() (verdict, error) { return s.command(ctx, d) })
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	return protected(func() (verdict, error) {
		switch {
		case d.HTTP != nil:
			return s.page(ctx, *d.HTTP), nil
		case d.TCP != nil:
			return s.port(ctx, *d.TCP), nil
		case d.DNS != nil:
			return s.lookup(ctx, *d.DNS), nil
		case d.TLS != nil:
			return s.certificate(ctx, *d.TLS), nil
		}
		return verdict{Skipped, noTemplate}, nil
	})
}

// explain says what an error of the network means. Its own text is not shown:
// it may hold addresses of the inner network.
func (s *Service) explain(err error) locale.Texts {
	var (
		dns       *net.DNSError
		timeout   net.Error
		host      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, guard.ErrAddress):
		return refused
	case errors.As(err, &dns) && dns.IsNotFound:
		return noName
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return say(timedOut, "seconds", s.o.Timeout.Seconds())
	case errors.As(err, &dns):
		return noAnswer
	case errors.Is(err, syscall.ECONNREFUSED):
		return closedPort
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return reset
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return unreachable
	case errors.As(err, &host):
		return otherName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return s.outOfTime(invalid.Cert)
	case errors.As(err, &authority), errors.As(err, &invalid):
		return untrusted
	case errors.As(err, &record):
		return notTLS
	}
	return otherFault
}

func (s *Service) outOfTime(c *x509.Certificate) locale.Texts {
	if s.db.Now().Before(c.NotBefore) {
		return say(notYet, "date", date(c.NotBefore))
	}
	return say(expired, "date", date(c.NotAfter))
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02") }

// page asks for a page: one request, without following where it leads.
func (s *Service) page(ctx context.Context, c catalog.HTTPCheck) verdict {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return verdict{Bad, otherFault}
	}
	req.Header.Set("User-Agent", "Casemate-Diagnosis")
	req.Close = true
	client := s.guard.Client()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		switch {
		case errors.Is(err, guard.ErrAddress) && req.URL.Scheme == "http":
			return verdict{Bad, refusedClear}
		case strings.Contains(err.Error(), "server response headers exceeded"): // net/http has no value for it
			return verdict{Bad, tooMuch}
		case strings.Contains(err.Error(), "HTTP response to HTTPS"):
			return verdict{Bad, notTLS}
		}
		return verdict{Bad, s.explain(err)}
	}
	defer res.Body.Close()
	ok := res.StatusCode >= 200 && res.StatusCode < 400
	wanted := any("200-399")
	if len(c.Status) > 0 {
		ok, wanted = slices.Contains(c.Status, res.StatusCode), c.Status
	}
	if !ok {
		return verdict{Bad, say(badStatus, "status", res.StatusCode, "wanted", wanted)}
	}
	if c.Contains != "" {
		body, err := io.ReadAll(io.LimitReader(res.Body, guard.Most))
		if !strings.Contains(string(body), c.Contains) {
			if err != nil {
				return verdict{Bad, s.explain(err)}
			}
			return verdict{Bad, say(noText, "status", res.StatusCode)}
		}
	}
	return verdict{Passed, say(gotStatus, "status", res.StatusCode)}
}

// port opens a connection.
func (s *Service) port(ctx context.Context, c catalog.TCPCheck) verdict {
	conn, err := s.guard.Dialer().DialContext(ctx, "tcp", net.JoinHostPort(absolute(c.Host), c.Port))
	if err != nil {
		return verdict{Bad, s.explain(err)}
	}
	conn.Close()
	return verdict{Passed, connected}
}

// absolute keeps the system's search list away from a name.
func absolute(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	return strings.TrimSuffix(host, ".") + "."
}

// certificate reads a server's certificate. It is looked at whatever it is, and
// judged here: a handshake that insisted would not tell when it expired.
func (s *Service) certificate(ctx context.Context, c catalog.TLSCheck) verdict {
	config := s.guard.TLS.Clone()
	config.ServerName, config.InsecureSkipVerify, config.MinVersion = c.Host, true, tls.VersionTLS10
	raw, err := s.guard.Dialer().DialContext(ctx, "tcp", net.JoinHostPort(absolute(c.Host), c.Port))
	if err != nil {
		return verdict{Bad, s.explain(err)}
	}
	conn := tls.Client(raw, config)
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		var refusedUs *net.OpError
		if ctx.Err() == nil && errors.As(err, &refusedUs) && refusedUs.Op == "remote error" {
			return verdict{Bad, notTLS}
		}
		return verdict{Bad, s.explain(err)}
	}
	chain := conn.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return verdict{Bad, notTLS}
	}
	leaf, now := chain[0], s.db.Now()
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return verdict{Bad, s.outOfTime(leaf)}
	}
	if !c.SelfSigned {
		between := x509.NewCertPool()
		for _, x := range chain[1:] {
			between.AddCert(x)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: c.Host, Roots: config.RootCAs, Intermediates: between, CurrentTime: now}); err != nil {
			text := untrusted
			if errors.As(err, new(x509.HostnameError)) {
				text = otherName
			}
			return verdict{Bad, text}
		}
	}
	days := int(leaf.NotAfter.Sub(now) / day)
	v := verdict{Passed, daysLeft}
	switch {
	case days < c.FailDays:
		v = verdict{Bad, daysWarn}
	case days < c.WarnDays:
		v = verdict{Warning, daysWarn}
	}
	v.message = say(v.message, "days", days, "date", date(leaf.NotAfter))
	return v
}

// innerNames are what names of inner networks end in (RFC 6761, RFC 6762, RFC
// 8375, ICANN's list of names never delegated, habits).
var innerNames = []string{"localhost", "local", "internal", "intranet", "lan", "home.arpa", "corp", "home", "mail", "private", "localdomain", "in-addr.arpa", "ip6.arpa"}

// lookup asks for records of a name. Names that mean something inside only, and
// answers that lead there, are not shown: a diagnosis is no map of the inner
// network. An operator who lists inner ranges, or names a resolver, has decided.
func (s *Service) lookup(ctx context.Context, c catalog.DNSCheck) verdict {
	name := strings.ToLower(strings.TrimSuffix(c.Name, "."))
	if len(s.guard.Allow) == 0 && s.o.Config.Resolver == "" && slices.ContainsFunc(innerNames, func(e string) bool { return strings.HasSuffix("."+name, "."+e) }) {
		return verdict{Bad, refusedName}
	}
	answers, err := s.records(ctx, c.Type, name)
	if err != nil {
		return verdict{Bad, s.explain(err)}
	}
	if len(answers) == 0 {
		return verdict{Bad, noName}
	}
	var missing []string
	for _, w := range c.Expected {
		same := func(a string) bool { return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(w, ".")) }
		if !slices.ContainsFunc(answers, same) {
			missing = append(missing, w)
		}
	}
	shown := show(answers)
	if len(missing) > 0 {
		return verdict{Bad, say(notAmong, "type", c.Type, "answers", shown, "wanted", strings.Join(missing, ", "))}
	}
	return verdict{Passed, say(resolved, "type", c.Type, "answers", shown)}
}

func (s *Service) records(ctx context.Context, kind, name string) (answers []string, err error) {
	r := s.guard.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	name += "."
	switch kind {
	case "A", "AAAA":
		network := map[string]string{"A": "ip4", "AAAA": "ip6"}[kind]
		found, err := r.LookupNetIP(ctx, network, name)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			if err := s.guard.Check(a); err != nil {
				return nil, err
			}
			answers = append(answers, a.Unmap().String())
		}
	case "CNAME":
		to, err := r.LookupCNAME(ctx, name)
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(to, name) {
			answers = append(answers, to)
		}
	case "MX":
		found, err := r.LookupMX(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			answers = append(answers, m.Host)
		}
	case "NS":
		found, err := r.LookupNS(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, n := range found {
			answers = append(answers, n.Host)
		}
	case "TXT":
		return r.LookupTXT(ctx, name)
	}
	return answers, nil
}

// show is a short list of what came from outside.
func show(answers []string) string {
	const most, long = 5, 128
	var out []string
	for i, a := range answers {
		if i == most {
			out = append(out, "...")
			break
		}
		out = append(out, clean(a, long))
	}
	return strings.Join(out, ", ")
}
