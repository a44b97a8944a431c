package config

import "errors"

// Queue is how the desk's queues give tickets to engineers.
type Queue struct {
	Capacity int `yaml:"capacity"` // open tickets an engineer handles at once where nothing else is said for him; 0 = 20
}

// Check refuses values that mean nothing.
func (q Queue) Check() error {
	if q.Capacity < 0 || q.Capacity > 1000 {
		return errors.New("queue.capacity is 1 to 1000, 0 for the default")
	}
	return nil
}

// WithDefaults fills in what is not set.
func (q Queue) WithDefaults() Queue {
	if q.Capacity == 0 {
		q.Capacity = 20
	}
	return q
}
