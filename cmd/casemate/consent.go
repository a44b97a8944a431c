package main

import (
	"bufio"
	"context"
	"os"
	"slices"
	"strings"

	"github.com/mattn/go-isatty"
)

var (
	// errUnasked: nobody is there who could be asked.
	errUnasked = problem{"未作更改：此处没有可供确认的终端；加 --yes 执行", "nothing was changed: there is no terminal to ask at; --yes does it"}
	// errUntold: a program reads the answer, and would read the question too.
	errUntold = problem{"未作更改：使用 --json 时不询问；加 --yes 执行", "nothing was changed: --json asks nothing; --yes does it"}
	// errDeclined: whoever was asked did not say yes.
	errDeclined = problem{"未作更改", "nothing was changed"}
)

// terminal tells whether a person is at the other end; what is no file is none.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// agreed asks whether to do what was shown; yes is --yes. Without a terminal, and
// with an answer for a program, it is not asked, and only --yes does it.
func (o *output) agreed(ctx context.Context, yes, asJSON bool, zh, en string) error {
	switch {
	case yes:
		return nil
	case asJSON:
		return errUntold
	case !o.person:
		return errUnasked
	}
	return o.ask(ctx, zh, en)
}

// ask puts a question; all but a yes is a no, the end of the input and a break too.
func (o *output) ask(ctx context.Context, zh, en string) error {
	o.printf("%s", o.say(zh+"[y/N] ", en+" [y/N] "))
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(o.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case a := <-answer:
		if slices.Contains([]string{"y", "yes", "是"}, a) {
			return nil
		}
	case <-ctx.Done():
		o.printf("\n")
	}
	return errDeclined
}
