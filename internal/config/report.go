package config

// Report is how figures are added up.
type Report struct {
	// Zone of the days that are added up ahead, "" = GMT+8: a year's report by its
	// days reads few rows. Reports by the days of other zones are read one by one.
	Zone string `yaml:"zone"`
}
