package server

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"

	"casemate/internal/event"
)

// Checkpoint files are where signed statements of the event chain are kept,
// beside the anchors: a file for each machine.
const checkpointPrefix = "checkpoints-"

// checkpointFile is this machine's.
func checkpointFile(folder string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return filepath.Join(folder, checkpointPrefix+host+anchorSuffix)
}

// signer signs checkpoints with a key derived from the keyring, which is not in
// the database. It stays the same when the master key is rotated.
func (s *Server) signer() event.Signer { return event.NewSigner(s.keys.Derive("event-checkpoints")) }

func (s *Server) checkpointer(path string) *event.Checkpointer {
	return event.NewCheckpointer(s.db, s.keys.Derive("event-chain"), s.signer(), path, s.o.Log)
}

// AuditKey is the public key that checks the checkpoints of a store.
func AuditKey(ctx context.Context, o Options) (ed25519.PublicKey, error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return nil, err
	}
	return s.signer().Public(), s.Close()
}

// AuditCheckpoint writes a checkpoint of all that is sealed now to this machine's
// file, which may be in use by a server, and answers it with the file's path;
// number 0 = no event is sealed. It fails when the chain does not hold.
func AuditCheckpoint(ctx context.Context, o Options) (c event.Checkpoint, path string, err error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return c, "", err
	}
	path = checkpointFile(o.keysDir())
	c, err = s.checkpointer(path).Write(ctx)
	return c, path, errors.Join(err, s.Close())
}

// AuditExport writes all sealed events of a store, one line of JSON each, and
// tells how many.
func AuditExport(ctx context.Context, o Options, w io.Writer) (n int64, err error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return 0, err
	}
	n, err = event.Export(ctx, s.db, w)
	return n, errors.Join(err, s.Close())
}
