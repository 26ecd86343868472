package web

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// maxNameRunes is the longest name in characters (protocol.md section 6).
const maxNameRunes = 32

// ErrBadName tells that a name breaks the rule of protocol.md section 6.
var ErrBadName = errors.New("web: a name has 1 to 32 characters and no control or format characters")

// CleanName trims name and returns it, or ErrBadName. Line and paragraph
// separators count as control characters; U+FFFD is what broken text decodes to
// and is refused.
func CleanName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", ErrBadName
	}
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n == 0 || n > maxNameRunes {
		return "", ErrBadName
	}
	for _, r := range name {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return "", ErrBadName
		}
	}
	return name, nil
}

// The words of friendly names: 64 of each, so that one byte chooses evenly.
const (
	adjectives = `Amber Ancient Autumn Azure Bold Brave Bright Calm Clever Copper Coral Cosmic Crimson Crystal
		Dapper Daring Dawn Distant Eager Early Electric Emerald Fabled Fleet Gentle Gilded Golden Grand Happy
		Hidden Honest Indigo Ivory Jade Jolly Keen Kind Lively Lucky Lunar Mellow Merry Misty Nimble Noble
		Northern Opal Patient Polar Quick Quiet Radiant Rapid Scarlet Silent Silver Solar Starry Sunny Swift
		Velvet Vivid Wandering Winter`
	animals = `Albatross Antelope Badger Beaver Bison Bobcat Capybara Caribou Cheetah Condor Coyote Crane
		Cricket Dolphin Dragonfly Eagle Egret Falcon Ferret Finch Firefly Fox Gazelle Gecko Gibbon Goldfinch
		Hare Hawk Hedgehog Heron Hummingbird Ibex Ibis Jackdaw Jaguar Kestrel Kingfisher Koala Lark Lemur
		Leopard Lynx Magpie Marmot Marten Meerkat Moose Narwhal Nightingale Ocelot Orca Osprey Otter Owl
		Panther Pelican Penguin Puffin Quokka Raven Robin Salamander Sparrow Wombat`
)

// friendlyName chooses two words by the random tail of user.
func friendlyName(user uuid.UUID) string {
	first, second := strings.Fields(adjectives), strings.Fields(animals)
	return first[int(user[14])%len(first)] + " " + second[int(user[15])%len(second)]
}
