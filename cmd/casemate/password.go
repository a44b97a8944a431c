package main

import (
	"crypto/rand"
	"io"
	"os"
	"strings"
)

// newPassword is the first line of the file (- is standard input), or without
// a file a made one of 130 random bits, which the command prints once.
func newPassword(file string) (password string, made bool, err error) {
	if file == "" {
		return strings.ToLower(rand.Text()), true, nil
	}
	in := os.Stdin
	if file != "-" {
		if in, err = os.Open(file); err != nil {
			return "", false, err
		}
		defer in.Close()
	}
	text, err := io.ReadAll(io.LimitReader(in, 4096))
	if err != nil {
		return "", false, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", false, problem{file + "：没有密码", file + ": holds no password"}
	}
	return line, false, nil
}
