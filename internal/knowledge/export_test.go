package knowledge

// ParseFile reads a file, for tests.
func ParseFile(name, text string) bool {
	_, wrong := parseFile(name, text)
	return wrong == nil
}
