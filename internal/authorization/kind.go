package authorization

import "casemate/internal/locale"

// Kind is a sort of resource, visit or content with the id of the wire.
type Kind struct {
	ID   string
	Name locale.Texts
}

// The kinds. Two ids are documented (resource 2, visit 4: semantics.md section
// 8); the others are ours, after the kinds the user guide names.
var (
	Resources = []Kind{
		{"1", locale.Texts{ZH: "云服务器", EN: "Cloud server"}},
		{"2", locale.Texts{ZH: "华为云账号", EN: "Huawei Cloud account"}},
		{"3", locale.Texts{ZH: "机密信息", EN: "Confidential information"}},
	}
	Visits = []Kind{
		{"1", locale.Texts{ZH: "SSH 登录", EN: "SSH"}},
		{"2", locale.Texts{ZH: "RDP 登录", EN: "RDP"}},
		{"3", locale.Texts{ZH: "VNC 登录", EN: "VNC"}},
		{"4", locale.Texts{ZH: "控制台登录", EN: "Console login"}},
		{"5", locale.Texts{ZH: "FTP/SFTP 传输", EN: "FTP/SFTP"}},
		{"6", locale.Texts{ZH: "查看信息", EN: "Reading information"}},
	}
	Contents = []Kind{
		{"1", locale.Texts{ZH: "账号和密码", EN: "Account and password"}},
		{"2", locale.Texts{ZH: "账号和私钥", EN: "Account and private key"}},
		{"3", locale.Texts{ZH: "委托授权", EN: "Agency"}},
		{"4", locale.Texts{ZH: "凭据授权", EN: "Credential"}},
		{"5", locale.Texts{ZH: "其他信息", EN: "Other information"}},
	}
)

func known(kinds []Kind, id string) bool {
	for _, k := range kinds {
		if k.ID == id {
			return true
		}
	}
	return false
}

// NameOf is what a kind is called, "" for an unknown id.
func NameOf(kinds []Kind, id string, lang locale.Language) string {
	for _, k := range kinds {
		if k.ID == id {
			return k.Name.In(lang)
		}
	}
	return ""
}
