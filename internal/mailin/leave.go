package mailin

import "context"

var ErrTooBig error

func (s *Service) Leave(ctx context.Context, r Received, t *Trouble) (string, error) { return "", nil }
