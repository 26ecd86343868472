// What goes over the socket, and what its error codes mean for people.

export const SUBPROTOCOL = 'nebula.v1.json';

/** Largest limits that the protocol itself allows; the welcome may say less. */
export const MAX_ROOM = 64;
export const MAX_NAME = 32;
export const PAGE = 50; // messages asked for on scrolling up
export const FILL_PAGE = 200; // messages asked for to close a gap
export const USERS_PAGE = 1000;

/** Codes after which the same message may be sent again, with its id. */
export const RETRYABLE = new Set(['rate_limited', 'busy', 'unavailable', 'internal']);

const SENTENCES = {
	bad_json: 'The server did not understand this page. Reloading it may help.',
	bad_request: 'The server did not understand this page. Reloading it may help.',
	unknown_type: 'The server does not know what this page asked for. Reloading it may help.',
	bad_room: 'A room name has 1 to 64 letters, digits or - _ . : and no spaces.',
	bad_text: 'This text holds characters that cannot be sent.',
	too_long: 'This message is too long.',
	not_joined: 'You are not in this room any more.',
	too_many_rooms: 'You have joined as many rooms as the server allows. Leave one first.',
	rate_limited: 'A little fast. It goes out by itself in a moment.',
	busy: 'The server is very busy. It goes out by itself in a moment.',
	unavailable: 'The server cannot take messages right now. It is sent again by itself.',
	internal: 'Something went wrong on the server. It is sent again by itself.',
	new_user: 'The server knows you as someone new, so it is not certain whether this was sent.',
};

/** sentence says in one sentence what an error means. */
export function sentence(code, fromServer) {
	return SENTENCES[code] ?? (fromServer || 'The server refused this.');
}

/** decode returns the object in a text frame, or null if it is none of ours. */
export function decode(data) {
	if (typeof data !== 'string') return null;
	try {
		const o = JSON.parse(data);
		return o !== null && typeof o === 'object' && typeof o.type === 'string' ? o : null;
	} catch {
		return null;
	}
}

const ROOM = /^[\p{L}\p{Nd}\-_.:][\p{L}\p{Nd}\p{M}\-_.:]*$/u;

/** roomName returns name as the server will spell it, or '' if it is none. */
export function roomName(name) {
	const room = name.trim().replace(/^#+/, '').normalize('NFC');
	return ROOM.test(room) && [...room].length <= MAX_ROOM ? room : '';
}

/** cleanText returns text as it can be sent: no U+0000, no lone surrogates, no blank ends. */
export function cleanText(text) {
	return text
		.replace(/\r\n?/g, '\n')
		.replace(/\0/g, '')
		.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD')
		.replace(/^[ \t]*\n+/, '')
		.trimEnd();
}

const encoder = new TextEncoder();

/** textBytes is the length that the server's limit counts. */
export function textBytes(text) {
	return encoder.encode(text).length;
}
