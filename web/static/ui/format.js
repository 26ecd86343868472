// How times, people and text look. No DOM.

const HOUR = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_YEAR = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });

export const clockTime = (ms) => HOUR.format(ms);
export const fullTime = (ms) => FULL.format(ms);

/** dayKey is the same for two times of one local day. */
export function dayKey(ms) {
	const d = new Date(ms);
	return d.getFullYear() * 10000 + (d.getMonth() + 1) * 100 + d.getDate();
}

export function dayName(ms, now) {
	const key = dayKey(ms);
	if (key === dayKey(now)) return 'Today';
	const yesterday = new Date(now);
	yesterday.setDate(yesterday.getDate() - 1);
	if (key === dayKey(yesterday)) return 'Yesterday';
	return (new Date(ms).getFullYear() === new Date(now).getFullYear() ? DAY : DAY_YEAR).format(ms);
}

/** initials are the first characters of the first two words. */
export function initials(name) {
	const words = name.split(/[\s\-_.]+/u).filter(Boolean);
	const first = (word) => {
		if (!Intl.Segmenter) return [...word][0];
		for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(word)) return segment;
		return '';
	};
	return words.slice(0, 2).map(first).join('').toLocaleUpperCase() || '?';
}

/** hue is a colour's angle that stays the same for a user. */
export function hue(user) {
	let sum = 2166136261;
	for (let i = 0; i < user.length; i++) sum = Math.imul(sum ^ user.charCodeAt(i), 16777619);
	sum ^= sum >>> 15;
	return (Math.imul(sum, 2246822519) >>> 8) % 360;
}

const LINK = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/giu;

/** parts splits text into {text} and {text, href}; an href is always an http or https address. */
export function parts(text) {
	const found = [];
	let at = 0;
	for (const match of text.matchAll(LINK)) {
		const link = trimLink(match[0]);
		const href = address(link);
		if (!href) continue;
		if (match.index > at) found.push({ text: text.slice(at, match.index) });
		found.push({ text: link, href });
		at = match.index + link.length;
	}
	if (at < text.length) found.push({ text: text.slice(at) });
	return found;
}

/** trimLink drops what ends a sentence rather than an address. */
function trimLink(link) {
	for (;;) {
		const last = link.at(-1);
		const unopened = last === ')' && link.split('(').length < link.split(')').length;
		if (!unopened && !/[.,;:!?*_~\]}]/.test(last)) return link;
		link = link.slice(0, -1);
	}
}

function address(link) {
	try {
		const url = new URL(link);
		const plain = (url.protocol === 'http:' || url.protocol === 'https:') && !url.username && !url.password;
		return plain ? url.href : '';
	} catch {
		return '';
	}
}

const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}|\s){1,24}$/u;

/** onlyEmoji tells that text is a few emoji and nothing else. */
export function onlyEmoji(text) {
	return EMOJI.test(text) && /\p{Extended_Pictographic}/u.test(text);
}

/** typingText says who types. */
export function typingText(list) {
	switch (list.length) {
		case 0: return '';
		case 1: return `${list[0]} is typing`;
		case 2: return `${list[0]} and ${list[1]} are typing`;
		default: return 'Several people are typing';
	}
}
