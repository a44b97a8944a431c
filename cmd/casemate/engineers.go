package main

import (
	"context"
	"net/url"
	"regexp"
	"strings"
)

// engineerView is an engineer as the desk API lists him.
type engineerView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

func listEngineers(ctx context.Context, c *client, partner string) ([]engineerView, error) {
	q := url.Values{}
	if partner != "" {
		q.Set("partner", partner)
	}
	var list struct {
		Items []engineerView `json:"items"`
	}
	err := c.get(ctx, "/desk/v1/engineers", q, &list)
	return list.Items, err
}

// userID is how ids of users look.
var userID = regexp.MustCompile(`^[0-9a-z]{26}$`)

// findEngineer finds an engineer of the house, else of a partner, by log-in name
// or user id.
func findEngineer(ctx context.Context, c *client, name string) (engineerView, error) {
	look := func(partner string) (engineerView, bool, error) {
		all, err := listEngineers(ctx, c, partner)
		for _, e := range all {
			if e.ID == name || strings.EqualFold(e.Name, name) {
				return e, true, err
			}
		}
		return engineerView{}, false, err
	}
	e, ok, err := look("")
	if ok || err != nil {
		return e, err
	}
	_, partners, err := listPartners(ctx, c)
	if err != nil {
		return e, err
	}
	for _, p := range partners {
		if e, ok, err := look(p.ID); ok || err != nil {
			return e, err
		}
	}
	if userID.MatchString(name) { // of one who is disabled and in no list
		return engineerView{ID: name}, nil
	}
	return e, problem{"没有工程师 " + name, "there is no engineer " + name}
}

// operator opens the client and makes sure that the engineer of --as exists.
func (d *deskCmd) operator(ctx context.Context, o *output) (*client, error) {
	c, err := d.clientFlags.operator(ctx, o)
	if err != nil || d.As == "" {
		return c, err
	}
	if _, err := findEngineer(ctx, c, d.As); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// beside tells what is no row of a list, that it is empty or goes on, on standard
// error: a program that reads the rows reads nothing else.
func (o *output) beside(zh, en string) {
	_, _ = o.err.Write([]byte(o.say(zh, en) + "\n"))
}

// heading prints the names of a list's columns where a person reads it; what a
// program reads begins with the first row.
func (o *output) heading(zh, en string) {
	if terminal(o.out) {
		o.printf("%s\n", o.say(zh, en))
	}
}
