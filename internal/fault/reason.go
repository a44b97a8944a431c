package fault

import "regexp"

// Words are a value in both languages.
type Words struct{ ZH, EN string }

// String is the English one, for logs.
func (w Words) String() string { return w.EN }

// Reason is why something failed, as the value {why} of a fault: in Chinese what
// the machinery below us says in English only. What is not known here is a
// technical detail that Chinese readers get in parentheses.
func Reason(err error) Words {
	text := err.Error()
	zh, en := words(text)
	if zh == "" {
		return Words{"未知原因（" + text + "）", text}
	}
	return Words{zh, en}
}

// Chinese is what a text of the machinery says, "" = not known. A path or an
// operation may stand in front of what the operating system says.
func Chinese(text string) string {
	zh, _ := words(text)
	return zh
}

// words are a text of the machinery in both languages: in English as it is where it
// is plain.
func words(text string) (zh, en string) {
	for _, r := range reasons {
		m := r.text.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		zh, en = string(r.text.ExpandString(nil, r.zh, text, m)), text
		if r.en != "" {
			en = string(r.text.ExpandString(nil, r.en, text, m))
		}
		return zh, en
	}
	return "", text
}

var reasons = func() (all []struct {
	text   *regexp.Regexp
	zh, en string // en "" = plain as it is
}) {
	for _, r := range [][3]string{
		// The keys (package seal).
		{`^(?:.*: )?seal: another process uses these keys$`, "另一个进程正在使用这些密钥"},
		{`^(?:.*: )?seal: no master key at (.*): without it .*$`, "$1 处没有主密钥：没有它无法打开任何密封的内容，请从密钥备份恢复"},
		{`^(?:.*: )?seal: (.*) may be read by others \(mode (\d+)\): chmod 600 it$`, "$1 可被其他人读取（权限 $2），请执行 chmod 600 $1"},
		{`^(?:.*: )?seal: (.*) is no master key of Casemate$`, "$1 不是 Casemate 的主密钥"},
		{`^(?:.*: )?seal: the master key in (.*) is not the one these keys were wrapped with: .*$`, "$1 中的主密钥与这些密钥不匹配，请在密钥备份中找到正确的一份"},
		{`^(?:.*: )?seal: (.*) holds another master key$`, "$1 中是另一个主密钥"},
		{`^(?:.*: )?seal: the key store to copy to holds keys of another installation$`, "目标密钥库中是另一套系统的密钥"},
		{`^(?:.*: )?seal: the keys would be copied onto themselves$`, "密钥的来源与目标相同"},
		{`^(?:.*: )?seal: the value does not open here$`, "密封的内容无法用这里的密钥打开"},
		{`^(?:.*: )?seal: (\S+) exists$`, "$1 已存在"},
		{`^(?:.*: )?seal: key store: (.*)$`, "无法打开密钥库（$1）"},
		// The database and what files lie in.
		{`^(?:.*: )?(?:db: )?the database URL (?:does not parse|is not understood)$`, "数据库地址的格式有误，应为 postgres://用户@主机:端口/库名"},
		{`^(?:.*: )?db: (listen|replica)= in the database URL is not understood$`, "数据库地址中的 $1= 有误"},
		{`^(?:.*: )?db: (\S+) exists$`, "$1 已存在"},
		{`^(?:.*: )?db: the database has schema (\d+), this binary knows up to (\d+): use a newer binary$`, "数据库的结构版本为 $1，本程序最高支持 $2，请使用更新的程序"},
		{`^(?:.*: )?db: the SQLite file is damaged(?:: .*)?$`, "SQLite 文件已损坏"},
		{`^(?:.*)(?:database disk image is malformed|file is not a database).*$`, "SQLite 文件已损坏，或不是数据库"},
		{`^(?:.*)database or disk is full.*$`, "数据库所在的磁盘已满", "the disk the database lies on is full"},
		{`^(?:.*)disk I/O error.*$`, "数据库文件读写失败，请检查磁盘、其剩余空间与文件大小限制（ulimit -f）", "the database's files cannot be read or written: look at the disk, what is free on it, and the limit of file sizes (ulimit -f)"},
		{`^(?:.*)unable to open database file.*$`, "无法打开数据库文件，请检查目录与权限", "the database's file cannot be opened: look at its folder and permissions"},
		{`^(?:.*)database is locked.*$`, "数据库正被另一个程序占用", "another program holds the database"},
		{`^(?:.*: )?the bucket \(under this prefix\) belongs to another installation .*$`, "该存储桶（此前缀下）属于另一套系统，请为每套系统使用各自的前缀"},
		{`^(?:.*: )?bucket (\S+): no such bucket, or it is not ours$`, "存储桶 $1 不存在，或没有权限"},
		{`^(?:.*: )?the store of files is (s3://\S+), its credentials .*$`, "对象存储的地址应为 $1，凭据取自环境变量 AWS_ACCESS_KEY_ID 与 AWS_SECRET_ACCESS_KEY，或配置文件"},
		// The server before it serves.
		{`^the keys folder must not lie in the data folder: .*$`, "密钥目录不能位于数据目录之内，否则数据的副本会带有自己的密钥"},
		{`^the demo world is for trying out and serves on a loopback address only, not on (".*") \(--demo-public allows it\)$`, "演示环境仅供试用，只能在本机地址上提供服务，不能使用 $1（--demo-public 可放行）"},
		{`^(.*) holds data but (.*) holds no master key: restore the keys from their backup$`, "$1 中有数据，但 $2 中没有主密钥，请从备份恢复密钥"},
		{`^this store has an administrator: (.*)$`, "已有管理员：$1"},
		{`^(?:.*: )?the store has customers already and (.*) does not hold their credentials: give --credentials FILE, or start on an empty data folder.*$`, "已有客户，而 $1 中没有他们的凭据：请给出 --credentials FILE，或使用空的数据目录"},
		// Encrypted files (filippo.io/age).
		{`^(?:.*: )?bad header MAC$`, "文件头被改动过", "its head was changed"},
		{`^(?:.*: )?failed to read header: .*$`, "文件头有误", "its head is not one of an encrypted file"},
		{`^(?:.*: )?failed to read nonce: .*$`, "文件不完整", "it is cut off"},
		{`^(?:.*: )?failed to decrypt and authenticate .*$`, "内容被改动过或已损坏", "it was changed or is damaged"},
		{`^(?:.*: )?trailing data after end of encrypted file$`, "末尾有多余的内容", "there is more behind its end"},
		{`^(?:.*: )?error at line (\d+): .*$`, "第 $1 行有误", "line $1 is not a key"},
		{`^(?:.*: )?(?:no identities found|no secret keys found|no identities specified)$`, "没有私钥", "there is no private key in it"},
		{`^(?:.*: )?(?:identities|recipients) file is not valid UTF-8$`, "不是 UTF-8 文本", "it is no UTF-8 text"},
		{`^(?:.*: )?(?:(?:identities|recipients) file is too long|bufio\.Scanner: token too long)$`, "文件过长", "it is too long"},
		{`^(?:.*: )?archive/tar: .*$`, "不是有效的 tar 文件", "it is no tar file"},
		// The operating system.
		{`^(?:.*: )?(?:unexpected )?EOF$`, "内容不完整", "it ends too early"},
		{`^(?:.*: )?no such file or directory$`, "文件或目录不存在", "there is no such file or folder"},
		{`^(?:.*: )?permission denied$`, "没有权限"},
		{`^(?:.*: )?file exists$`, "已存在"},
		{`^(?:.*: )?is a directory$`, "是目录而不是文件"},
		{`^(?:.*: )?not a directory$`, "不是目录"},
		{`^(?:.*: )?no space left on device$`, "磁盘空间不足"},
		{`^(?:.*: )?read-only file system$`, "文件系统只读"},
		{`^(?:.*: )?file too large$`, "超出文件大小限制（ulimit -f）", "the file would be larger than may be written (ulimit -f)"},
		{`^(?:.*: )?disk quota exceeded$`, "超出磁盘配额"},
		{`^(?:.*: )?connection refused$`, "连接被拒绝"},
		{`^(?:.*: )?connection reset by peer$`, "连接被中断"},
		{`^(?:.*: )?no such host$`, "找不到主机"},
		{`^(?:.*: )?i/o timeout$`, "超时"},
	} {
		all = append(all, struct {
			text   *regexp.Regexp
			zh, en string
		}{regexp.MustCompile(r[0]), r[1], r[2]})
	}
	return all
}()
