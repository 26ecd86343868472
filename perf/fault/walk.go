package main

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
)

// points are the failpoints, each with the most times that it is passed before it
// acts; persist's doc.go says where each lies.
func points() map[string]int {
	return map[string]int{
		"before-append": 300, "after-append": 300,
		"before-commit": 30, "after-commit": 30,
		"before-ack": 30, "after-ack": 30,
		"before-checkpoint": 2, "after-checkpoint": 2,
	}
}

// walk visits every failpoint a few times, in any order: it kills itself there, or
// the step fails or takes long.
func walk(chance *rand.Rand) []Strike {
	const visits = 2
	var strikes []Strike
	visit := func(blow Blow, point, action string, most int) {
		strikes = append(strikes, Strike{
			Blow: blow, After: between(chance, minLife, maxLife/3), For: between(chance, maxLife/2, maxLife),
			Point: point + ":" + action + ":" + strconv.Itoa(1+chance.IntN(most)),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(points())) {
		most := points()[name]
		for range visits {
			visit(Failpoint, name, "kill", most)
		}
		visit(Trouble, name, "error", most)
		visit(Trouble, name, "sleep=300ms", most)
	}
	// Killed in a commit that takes long: many have seen what is gone then, and in
	// quiet rooms their cursors are soon overtaken by other messages.
	for range 3 * visits {
		visit(Trouble, "before-commit", "sleep=10s", 20)
	}
	chance.Shuffle(len(strikes), func(i, j int) { strikes[i], strikes[j] = strikes[j], strikes[i] })
	return strikes
}
