package queue

// Mentions is for the table of what names somebody.
func Mentions(text string) []string { return mentions(text) }
