package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"
)

// refusal is an error that a script answered with: it wrote nothing.
type refusal struct{ name, text string }

func (r *refusal) Error() string { return "bus: refused: " + r.text }

// refusedScript is how Redis says that it does not know a script.
const refusedScript = "NOSCRIPT"

// refusedBy turns what Redis answers into a refusal, if it is one; after any other
// error, whether the call was carried out is unknown.
func refusedBy(err error) error {
	if answered, ok := rueidis.IsRedisErr(err); ok {
		name, _, _ := strings.Cut(answered.Error(), " ")
		return &refusal{name: name, text: answered.Error()}
	}
	return fmt.Errorf("bus: call Redis: %w", err)
}

// asRefusal returns the refusal that err is, or nil.
func asRefusal(err error) *refusal {
	var refused *refusal
	if errors.As(err, &refused) {
		return refused
	}
	return nil
}
