package main

import "math/rand/v2"

// points are the places where a server built with -tags nebulafault kills itself;
// persist's doc.go says where each lies.
func points() []string {
	return []string{}
}

// walk visits every failpoint a few times, in any order.
func walk(chance *rand.Rand) []Strike {
	const visits = 3
	var strikes []Strike
	for range visits {
		for _, name := range points() {
			strikes = append(strikes, Strike{Blow: Failpoint, After: between(chance, minLife, maxLife), Point: name})
		}
	}
	chance.Shuffle(len(strikes), func(i, j int) { strikes[i], strikes[j] = strikes[j], strikes[i] })
	return strikes
}
