package config

// Webhooks is where webhooks may lead.
type Webhooks struct {
	// Allow are address ranges that may be reached although they are not public,
	// and over http; everything else must be public and https.
	Allow []string `yaml:"allow"`
}
