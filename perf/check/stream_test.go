package check

import (
	"math/rand/v2"
	"testing"
)

// feed starts a stream after 10 and gives it live numbers.
func feed(seqs ...uint64) (Stream, Tally) {
	var s Stream
	var got Tally
	s.Start(10)
	for _, seq := range seqs {
		s.Take(seq, &got)
	}
	return s, got
}

func TestStream_SeesEveryFault(t *testing.T) {
	for name, c := range map[string]struct {
		seqs []uint64
		want Tally
	}{
		"good":                  {[]uint64{11, 12, 13}, Tally{Taken: 3}},
		"one lost":              {[]uint64{11, 13}, Tally{Taken: 2, Lost: 1}},
		"the first lost":        {[]uint64{12}, Tally{Taken: 1, Lost: 1}},
		"many lost":             {[]uint64{11, 31}, Tally{Taken: 2, Lost: 19}},
		"doubled at once":       {[]uint64{11, 11, 12}, Tally{Taken: 2, Doubled: 1}},
		"doubled later":         {[]uint64{11, 12, 13, 11}, Tally{Taken: 3, Doubled: 1}},
		"from before the join":  {[]uint64{10, 11}, Tally{Taken: 1, Doubled: 1}},
		"swapped":               {[]uint64{12, 11, 13}, Tally{Taken: 2, Misordered: 1}},
		"swapped, then doubled": {[]uint64{12, 11, 11}, Tally{Taken: 1, Misordered: 1, Doubled: 1}},
		"far too late":          {[]uint64{11, 15, 13}, Tally{Taken: 2, Lost: 2, Misordered: 1}},
	} {
		if _, got := feed(c.seqs...); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestStream_HistoryFillsHoles(t *testing.T) {
	s, got := feed(11, 20, 30)
	if end, open := s.Hole(); !open || end != 30 {
		t.Fatalf("got hole up to %d %v, want 30", end, open)
	}
	for seq := uint64(35); seq >= 5; seq-- { // pages run backwards, and overlap what was seen
		s.Fill(seq, &got)
	}
	if want := (Tally{Taken: 3, Recovered: 17}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, open := s.Hole(); open {
		t.Error("a hole is left")
	}
	if s.Take(31, &got); got.Taken != 4 {
		t.Errorf("after the fill: got %+v", got)
	}
}

// Whatever comes in whatever order: nothing is lost if everything came, and every repetition is counted.
func TestStream_AnyOrder(t *testing.T) {
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 1))
		var seqs []uint64
		for seq := uint64(11); seq < 60; seq++ {
			seqs = append(seqs, seq)
		}
		chance.Shuffle(len(seqs), func(i, j int) { seqs[i], seqs[j] = seqs[j], seqs[i] })
		again := chance.IntN(20)
		seqs = append(seqs, seqs[:again]...)
		_, got := feed(seqs...)
		if got.Lost != 0 || got.Doubled != again || got.Taken+got.Misordered != 49 {
			t.Fatalf("seed %d: got %+v, want %d doubled of 49", seed, got, again)
		}
	}
}
