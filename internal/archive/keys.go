package archive

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"casemate/internal/fault"
)

// What is wrong with recipients and identities. None of the texts repeats a
// line: a private key may have been given by mistake.
var (
	errRecipient     = fault.New(fault.Invalid, fault.CodeInvalid, "{where} 不是接收方（公钥，以 age1 开头）", "{where} is no recipient (a public key, age1...)")
	errPrivate       = fault.New(fault.Invalid, fault.CodeInvalid, "{where} 是私钥（身份），不能用作接收方：备份只需公钥", "{where} is a private key (an identity), no recipient: making a backup takes the public one only")
	errNoRecipient   = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 中没有接收方", "there is no recipient in {file}")
	errIdentity      = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不是身份文件（每行一个 AGE-SECRET-KEY-...）：{why}", "{file} is no file of identities (lines of AGE-SECRET-KEY-...): {why}")
	errIdentityFile  = fault.New(fault.Invalid, fault.CodeInvalid, "无法读取身份文件 {file}：{why}", "the file of identities {file} cannot be read: {why}")
	errKeyExists     = fault.New(fault.Conflict, fault.CodeInvalid, "{file} 已存在：不会覆盖，丢失的私钥无法找回", "{file} exists and is not written over: a private key that is lost cannot be had again")
	errRecipientFile = fault.New(fault.Invalid, fault.CodeInvalid, "无法读取接收方文件 {file}：{why}", "the file of recipients {file} cannot be read: {why}")
)

// Recipients are those named one by one and those in files, one a line, where
// empty lines and lines that begin with # say nothing.
func Recipients(named, files []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for i, text := range named {
		r, err := recipient(text, fmt.Sprintf("--recipient %d", i+1))
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	for _, file := range files {
		in, err := os.Open(file)
		if err != nil {
			return nil, errRecipientFile.With("file", file).With("why", fault.Reason(reason(err))).Because(err)
		}
		before := len(all)
		lines := bufio.NewScanner(in)
		for n := 1; lines.Scan(); n++ {
			text := strings.TrimSpace(lines.Text())
			if text == "" || strings.HasPrefix(text, "#") {
				continue
			}
			r, err := recipient(text, fmt.Sprintf("%s:%d", file, n))
			if err != nil {
				return nil, errors.Join(err, in.Close())
			}
			all = append(all, r)
		}
		if err := errors.Join(lines.Err(), in.Close()); err != nil {
			return nil, errRecipientFile.With("file", file).With("why", fault.Reason(err)).Because(err)
		}
		if len(all) == before {
			return nil, errNoRecipient.With("file", file)
		}
	}
	return all, nil
}

func recipient(text, where string) (age.Recipient, error) {
	if strings.HasPrefix(strings.ToUpper(text), "AGE-SECRET-KEY-") {
		return nil, errPrivate.With("where", where)
	}
	r, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(r) != 1 {
		return nil, errRecipient.With("where", where)
	}
	return r[0], nil
}

// Identities are the private keys in files as NewKey or age-keygen writes them.
func Identities(files []string) ([]age.Identity, error) {
	var all []age.Identity
	for _, file := range files {
		in, err := os.Open(file)
		if err != nil {
			return nil, errIdentityFile.With("file", file).With("why", fault.Reason(reason(err))).Because(err)
		}
		some, err := age.ParseIdentities(in)
		if err := errors.Join(err, in.Close()); err != nil {
			return nil, errIdentity.With("file", file).With("why", fault.Reason(err)).Because(err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func reason(err error) error {
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// NewKey makes a key pair: the private one in a new file (0600, synced, as
// age-keygen writes it), the public one as the answer.
func NewKey(path string, now time.Time) (recipient string, err error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", err
	}
	recipient = id.Recipient().String()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return "", errKeyExists.With("file", path)
	}
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintf(f, "# created: %s\n# public key: %s\n%s\n", now.UTC().Format(time.RFC3339), recipient, id)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return recipient, errors.Join(d.Sync(), d.Close())
}
