package config

import "time"

// SMPP is a text message centre that is spoken to by SMPP 3.4, over one
// transceiver bind of each node.
type SMPP struct {
	Name        string           `yaml:"name"`    // in the ledger; "" = host of the address
	Address     string           `yaml:"address"` // host:port
	TLS         bool             `yaml:"tls"`
	CAFile      string           `yaml:"ca_file"`
	SystemID    string           `yaml:"system_id"`
	Password    Secret           `yaml:"password"`
	SystemType  string           `yaml:"system_type"`
	Source      string           `yaml:"source"`       // sender: a number, a short code or a name; "" = the centre's own
	SourceTON   *int             `yaml:"source_ton"`   // absent: +number 1, name 5, else 0
	SourceNPI   *int             `yaml:"source_npi"`   // absent: +number 1, else 0
	EnquireLink time.Duration    `yaml:"enquire_link"` // between two signs of life; 0 = 30s; one without an answer until the next ends the bind
	Window      int              `yaml:"window"`       // requests without an answer at once; 0 = 10
	Recipient   []string         `yaml:"recipient"`    // err values of receipts that mean: no such number, e.g. "001"
	Allow       []string         `yaml:"allow"`        // address ranges that may be reached although they are not public
	Order       int              `yaml:"order"`        // as of mail servers
	Weight      int              `yaml:"weight"`       // likewise
	Prices      map[string]int64 `yaml:"prices"`       // of one part by calling code, in thousandths; "*" = all others
}
