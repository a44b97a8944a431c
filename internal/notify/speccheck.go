package notify

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/config"
	"casemate/internal/fault"
)

// Limits of providers that are set up at the desk.
const (
	MaxProviders  = 50
	maxOrder      = 1_000_000
	maxWeight     = 1000
	maxCA         = 64 << 10 // characters
	maxSecret     = 16 << 10
	maxGatewayURL = 2048
	maxBody       = 16 << 10
	maxHeaders    = 30
	maxHeader     = 1000
	maxValues     = 50
	maxValue      = 200
	maxPrices     = 300
	maxPrice      = 1_000_000_000
)

// Faults of providers.
var (
	ErrProviderStale = fault.New(fault.Conflict, fault.CodeNoPermission, "通道已被他人修改，请刷新后重试", "the provider has changed meanwhile: read it again and repeat the change").In("version")
	ErrProviderFile  = fault.New(fault.Conflict, fault.CodeNoPermission, "该通道在服务端配置文件中设置，只能在那里修改", "this provider is set up in the server's own file and can be changed there only").In("name")
	ErrProviderTaken = fault.New(fault.Conflict, fault.CodeInvalid, "名称 {name} 已被使用（包括服务端配置文件中的通道）", "the name {name} is taken, also counting providers of the server's file").In("name")

	errProviderMany = fault.New(fault.Conflict, fault.CodeInvalid, "最多可配置 {max} 个通道", "at most {max} providers can be set up").With("max", MaxProviders)
	errProviderKind = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：须且只能给出与 kind 相同的一组设置，且种类不能更改", "{field}: exactly the settings of its kind must be given, and the kind never changes")
	errSecretName   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：此类通道没有该密钥", "{field}: providers of this kind have no such secret")
	errSecretNeeded = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：所给设置需要此密钥", "{field}: the settings need this secret")
	errClearText    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：tls 为 none 时不能有用户名，否则密码以明文发送", "{field}: with tls none there can be no user: the password would travel in clear text")
	errPEM          = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为 PEM 格式的证书", "{field} must be certificates in PEM")
	errDKIMKey      = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为 PEM 格式的私钥：至少 1024 位的 RSA 或 Ed25519", "{field} must be a private key in PEM: RSA of 1024 bits or more, or Ed25519")
	errDKIMDomain   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为发件地址的域名或其上级域名，且须同时给出 selector", "{field} must be the domain of the sender's address or one above it, and needs a selector")
	errMarks        = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：没有占位符 {mark}，可用：{known}", "{field}: there is no placeholder {mark}; there are: {known}").With("known", strings.Join(gatewayMarks, " "))
	errGatewayURL   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为不含用户名的 http 或 https 地址，主机名中不能有占位符", "{field} must be an http or https address without a user name and without placeholders in its host")
	errReceiptRule  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field}：此种校验方式需要该值", "{field}: this way of checking receipts needs it")
	errShort        = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 至少 {min} 个字符", "{field} has at least {min} characters")
	errRefused      = fault.New(fault.Invalid, fault.CodeInvalid, "配置无法使用：{why}", "the settings cannot be used: {why}")
)

var (
	providerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,31}$`)
	hostName     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	callingCode  = regexp.MustCompile(`^([1-9][0-9]{0,3}|\*)$`)
	dnsLabels    = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)
)

// certificates are the certificates of a PEM, nil of none: the system's.
func certificates(text string) (*x509.CertPool, error) {
	if text == "" {
		return nil, nil
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM([]byte(text)) {
		return nil, errors.New("no certificate in it")
	}
	return p, nil
}

// rules collects the first thing that is wrong.
type rules struct{ err error }

func (r *rules) wrong(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *rules) text(field, v string, least, most int) {
	switch n := utf8.RuneCountInString(v); {
	case n == 0 && least > 0:
		r.wrong(fault.Missing.In(field))
	case n < least:
		r.wrong(errShort.In(field).With("min", least))
	case n > most:
		r.wrong(fault.TooLong.In(field).With("max", most))
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\r' && c != '\t' }):
		r.wrong(errControl.In(field).With("position", 1))
	}
}

// line is text without line ends.
func (r *rules) line(field, v string, least, most int) {
	r.text(field, v, least, most)
	if i := strings.IndexAny(v, "\r\n\t"); i >= 0 {
		r.wrong(errControl.In(field).With("position", position(v, i)))
	}
}

func (r *rules) form(field, v, form string, ok bool) {
	if v != "" && !ok {
		r.wrong(fault.BadFormat.In(field).With("form", form))
	}
}

func (r *rules) within(field string, v, least, most int64) {
	if v < least || v > most {
		r.wrong(fault.OutOfRange.In(field).With("min", least).With("max", most))
	}
}

func (r *rules) oneOf(field, v string, all ...string) {
	if !slices.Contains(all, v) {
		r.wrong(fault.Unknown.In(field))
	}
}

func (r *rules) values(field string, all []string) {
	if len(all) > maxValues {
		r.wrong(fault.TooManyItems.In(field).With("max", maxValues))
	}
	for i, v := range all {
		r.line(fmt.Sprintf("%s[%d]", field, i), v, 1, maxValue)
	}
}

func (r *rules) prices(field string, all map[string]int64) {
	if len(all) > maxPrices {
		r.wrong(fault.TooManyItems.In(field).With("max", maxPrices))
	}
	for _, area := range slices.Sorted(maps.Keys(all)) {
		r.form(field, area, "86: 45", callingCode.MatchString(area))
		r.within(field+"."+area, all[area], 0, maxPrice)
	}
}

func (r *rules) ca(field, v string) {
	r.text(field, v, 0, maxCA)
	if _, err := certificates(v); err != nil {
		r.wrong(errPEM.In(field))
	}
}

// checkSpec tidies a provider and refuses what it cannot be. has tells which
// secrets it has when fresh ones are among them; of those that are not fresh what
// they are does not matter here. One that is switched off may lack secrets.
func (s *Service) checkSpec(in *Spec, has map[string]bool, fresh map[string]string) error {
	r := &rules{}
	r.line("name", in.Name, 1, 32)
	r.form("name", in.Name, "relay-1", providerName.MatchString(in.Name))
	r.oneOf("kind", in.Kind, KindSMTP, KindSMPP, KindHTTP)
	if (in.SMTP != nil) != (in.Kind == KindSMTP) || (in.SMPP != nil) != (in.Kind == KindSMPP) || (in.HTTP != nil) != (in.Kind == KindHTTP) {
		r.wrong(errProviderKind.In("kind"))
	}
	r.within("order", int64(in.Order), 0, maxOrder)
	in.Weight = cmp.Or(in.Weight, 1)
	r.within("weight", int64(in.Weight), 1, maxWeight)
	for _, slot := range slices.Sorted(maps.Keys(fresh)) {
		field := "secrets." + slot
		if !slices.Contains(slots[in.Kind], slot) {
			r.wrong(errSecretName.In(field))
		}
		r.text(field, fresh[slot], 0, maxSecret)
		if slot != SecretDKIM {
			r.line(field, fresh[slot], 0, 1000)
		}
	}
	if r.err != nil {
		return r.err
	}
	if in.Off {
		has = maps.Clone(has)
		for _, slot := range in.needs() {
			has[slot] = true // asked for when it is switched on
		}
	}
	switch in.Kind {
	case KindSMTP:
		r.smtp(in.SMTP, has, fresh)
	case KindSMPP:
		r.smpp(in.SMPP, fresh)
	case KindHTTP:
		r.http(in.HTTP, has, fresh)
	}
	if r.err != nil {
		return r.err
	}
	// What only the channel itself knows. It does not connect here.
	dry := *in
	secrets := map[string]string{}
	for slot := range has {
		secrets[slot] = cmp.Or(fresh[slot], "not shown here")
	}
	if in.Kind == KindSMTP && has[SecretDKIM] && fresh[SecretDKIM] == "" {
		m := *in.SMTP
		m.DKIMDomain, m.DKIMSelector = "", ""
		dry.SMTP = &m
	}
	if _, err := dry.make(s.o.Config.ProductName(), s.o.Log, s.walls, secrets); err != nil {
		return errRefused.With("why", err.Error())
	}
	return nil
}

func (r *rules) smtp(m *SMTPSettings, has map[string]bool, fresh map[string]string) {
	m.TLS = cmp.Or(m.TLS, config.TLSStart)
	r.line("smtp.host", m.Host, 1, 253)
	r.form("smtp.host", m.Host, "mail.example.com", hostName.MatchString(m.Host) || net.ParseIP(m.Host) != nil)
	r.within("smtp.port", int64(m.Port), 0, 65535)
	r.oneOf("smtp.tls", m.TLS, config.TLSStart, config.TLSImplicit, config.TLSOpportunistic, config.TLSNone)
	r.line("smtp.user", m.User, 0, 320)
	if m.TLS == config.TLSNone && m.User != "" {
		r.wrong(errClearText.In("smtp.user"))
	}
	if m.User != "" && !has[SecretPassword] {
		r.wrong(errSecretNeeded.In("secrets.password"))
	}
	r.line("smtp.from", m.From, 1, 320)
	from, err := mail.ParseAddress(m.From)
	r.form("smtp.from", m.From, "Support <support@example.com>", err == nil)
	r.ca("smtp.ca", m.CA)
	r.line("smtp.hello", m.Hello, 0, 253)
	r.form("smtp.hello", m.Hello, "desk.example.com", hostName.MatchString(m.Hello))
	r.within("smtp.timeout_seconds", int64(m.Timeout), 0, 60)
	r.within("smtp.price", m.Price, 0, maxPrice)
	r.within("smtp.pool_idle_seconds", int64(m.PoolIdle), -1, 300)
	r.within("smtp.pool_mails", int64(m.PoolMails), 0, 10000)
	if m.Bounce != "" {
		a, err := mail.ParseAddress(strings.ReplaceAll(m.Bounce, "{id}", "x"))
		r.line("smtp.bounce", m.Bounce, 0, 200)
		r.form("smtp.bounce", m.Bounce, "bounce+{id}@example.com", err == nil && a.Name == "" && strings.Count(m.Bounce, "{id}") <= 1)
	}
	r.line("smtp.dkim_selector", m.DKIMSelector, 0, 63)
	r.form("smtp.dkim_selector", m.DKIMSelector, "casemate", dnsLabels.MatchString(m.DKIMSelector))
	r.line("smtp.dkim_domain", m.DKIMDomain, 0, 253)
	if r.err != nil {
		return
	}
	own := strings.ToLower(from.Address[strings.LastIndexByte(from.Address, '@')+1:])
	if d := strings.ToLower(m.DKIMDomain); d != "" && (m.DKIMSelector == "" || d != own && !strings.HasSuffix(own, "."+d)) {
		r.wrong(errDKIMDomain.In("smtp.dkim_domain"))
	}
	if m.DKIMSelector != "" && !has[SecretDKIM] {
		r.wrong(errSecretNeeded.In("secrets.dkim_key"))
	}
	if key := fresh[SecretDKIM]; key != "" && r.err == nil {
		if _, err := signer(config.DKIM{Selector: "x"}, key, from.Address); err != nil {
			r.wrong(errDKIMKey.In("secrets.dkim_key"))
		}
	}
}

func (r *rules) smpp(m *SMPPSettings, fresh map[string]string) {
	host, port, err := net.SplitHostPort(m.Address)
	n, bad := strconv.Atoi(port)
	r.line("smpp.address", m.Address, 1, 270)
	r.form("smpp.address", m.Address, "smsc.example.com:2775", err == nil && bad == nil && n > 0 && n < 65536 && (hostName.MatchString(host) || net.ParseIP(host) != nil))
	r.ca("smpp.ca", m.CA)
	for _, f := range []struct {
		field, v    string
		least, most int
	}{{"smpp.system_id", m.SystemID, 1, 15}, {"smpp.system_type", m.SystemType, 0, 12}, {"smpp.sender", m.Sender, 0, 20}, {"secrets.password", fresh[SecretPassword], 0, 64}} {
		r.line(f.field, f.v, f.least, f.most)
		r.form(f.field, f.v, "ASCII", !strings.ContainsFunc(f.v, func(c rune) bool { return c < ' ' || c > '~' }))
	}
	for _, f := range []struct {
		field string
		v     *int
	}{{"smpp.sender_ton", m.SenderTON}, {"smpp.sender_npi", m.SenderNPI}} {
		if f.v != nil {
			r.within(f.field, int64(*f.v), 0, 18)
		}
	}
	if _, err := sourceAddress(m.config("")); err != nil {
		r.form("smpp.sender", m.Sender, "+8610690000, 10690000, Casemate", false)
	}
	r.within("smpp.enquire_link_seconds", int64(m.EnquireLink), 0, 3600)
	r.within("smpp.window", int64(m.Window), 0, 1000)
	r.values("smpp.recipient", m.Recipient)
	r.prices("smpp.prices", m.Prices)
}

func (r *rules) http(m *HTTPSettings, has map[string]bool, fresh map[string]string) {
	r.line("http.url", m.URL, 1, maxGatewayURL)
	u, err := url.Parse(mark.ReplaceAllString(m.URL, "x"))
	plain, bad := url.Parse(strings.SplitN(m.URL, "{", 2)[0])
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" || bad != nil || plain.Host != u.Host {
		r.wrong(errGatewayURL.In("http.url"))
	}
	m.Method = strings.ToUpper(m.Method)
	if m.Method != "" {
		r.oneOf("http.method", m.Method, http.MethodGet, http.MethodPost, http.MethodPut)
	}
	if len(m.Headers) > maxHeaders {
		r.wrong(fault.TooManyItems.In("http.headers").With("max", maxHeaders))
	}
	texts := m.texts()
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		r.form("http.headers", name, "X-Api-Key", len(name) <= 100 && validToken.MatchString(name))
		r.line("http.headers."+name, m.Headers[name], 0, maxHeader)
	}
	r.text("http.body", m.Body, 0, maxBody)
	r.literals(m)
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		for _, found := range mark.FindAllString(texts[field], -1) {
			if !slices.Contains(gatewayMarks, found) {
				r.wrong(errMarks.In(field).With("mark", found))
			}
		}
	}
	if slices.ContainsFunc(slices.Collect(maps.Values(texts)), showsSecret) && !has[SecretToken] {
		r.wrong(errSecretNeeded.In("secrets.secret"))
	}
	for _, c := range []struct {
		field string
		v     *Condition
	}{{"http.success", m.Success}, {"http.refused", m.Refused}} {
		if c.v == nil {
			continue
		}
		r.line(c.field+".path", c.v.Path, 1, maxValue)
		r.values(c.field+".values", c.v.Values)
		if len(c.v.Values) == 0 {
			r.wrong(fault.Missing.In(c.field + ".values"))
		}
	}
	r.line("http.provider_id", m.ProviderID, 0, maxValue)
	r.ca("http.ca", m.CA)
	r.prices("http.prices", m.Prices)
	if m.Receipt == nil {
		return
	}
	c := m.Receipt
	c.Check = cmp.Or(c.Check, config.ReceiptBody)
	r.oneOf("http.receipt.check", c.Check, config.ReceiptBody, config.ReceiptTwilio, config.ReceiptLink)
	r.line("http.receipt.state", c.State, 1, maxValue)
	r.line("http.receipt.id", c.ID, 0, maxValue)
	r.line("http.receipt.error", c.Error, 0, maxValue)
	r.line("http.receipt.header", c.Header, 0, 100)
	r.line("http.receipt.url", c.URL, 0, maxGatewayURL)
	r.values("http.receipt.delivered", c.Delivered)
	r.values("http.receipt.failed", c.Failed)
	r.values("http.receipt.recipient", c.Recipient)
	at, err := url.Parse(c.URL)
	switch {
	case len(c.Delivered)+len(c.Failed) == 0:
		r.wrong(fault.Missing.In("http.receipt.delivered"))
	case c.ID == "" && c.Check != config.ReceiptLink:
		r.wrong(errReceiptRule.In("http.receipt.id"))
	case c.Check == config.ReceiptBody && !validToken.MatchString(c.Header):
		r.wrong(errReceiptRule.In("http.receipt.header"))
	case c.Check == config.ReceiptTwilio && (err != nil || at.Host == ""):
		r.wrong(errReceiptRule.In("http.receipt.url"))
	case !has[SecretReceipt]:
		r.wrong(errSecretNeeded.In("secrets.receipt_secret"))
	case fresh[SecretReceipt] != "" && len(fresh[SecretReceipt]) < 8:
		r.wrong(errShort.In("secrets.receipt_secret").With("min", 8))
	}
}
