package mailin_test

import (
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

type dbTx = db.Tx

// setMail makes a person of the house like another one, with an address; the
// world's have none.
func setMail(w *world, like principal.Principal, address string) error {
	_, err := w.Ident.CreateUser(w.t.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: like.UserName + ".mail", Password: "a-Password-1",
		Role: like.Role, Alias: like.UserName, Mail: address})
	return err
}

// chenMail is the id of the person with the address.
func chenMail(w *world, address string) string {
	w.t.Helper()
	all, err := w.Ident.UsersByMail(w.t.Context(), principal.AsSystem(principal.House), address)
	w.OK(err)
	if len(all) != 1 {
		w.t.Fatalf("%d people have %s", len(all), address)
	}
	return all[0].User.ID
}
