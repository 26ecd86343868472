// What stands in the log, line by line, made of what the client knows. No DOM:
// log.js turns entries into elements and keeps them by key.

import { noticeText } from '../core/notices.js';
import { dayKey, dayName } from './format.js';

/** Messages of one person that follow each other this closely stand under one name. */
const GROUP_WITHIN = 5 * 60_000;

const EMPTY = 'Nobody has written here yet. Say hello, or send somebody the address of this page: it opens this room.';

/**
 * entries lists {kind, key, ...} for rows (a part of client.view). first: rows
 * starts with the first one known; older: the server has more before that.
 * newAfter is the seq after which the line "New" stands, null for none.
 */
export function entries({ rows, lines, gap, first, older, newAfter, room, me, now }) {
	const out = [];
	const used = new Set();
	let pending = lines.filter((line) => !first || rows.length === 0 || line.after >= 0);
	if (rows.length > 0 && rows[0].seq > 0 && !first) pending = pending.filter((line) => line.after >= rows[0].seq);
	if (first && older && rows.length > 0) out.push({ kind: 'more', key: 'more' });
	if (first && !older) out.push({ kind: 'beginning', key: 'beginning', room, text: rows.length > 0 ? 'This is where the room begins.' : EMPTY });
	let previous = null;
	let marked = false;
	let day = 0;
	const notice = (upTo) => {
		while (pending.length > 0 && pending[0].after < upTo) {
			const line = pending.shift();
			out.push({ kind: 'notice', key: line.key, text: noticeText(line), time: line.time });
			previous = null;
		}
	};
	for (const row of rows) {
		if (row.seq > 0) notice(row.seq);
		else notice(Infinity);
		if (dayKey(row.time) !== day) {
			day = dayKey(row.time);
			out.push({ kind: 'day', key: `d${day}${used.has(day) ? row.id : ''}`, text: dayName(row.time, now) });
			used.add(day);
			previous = null;
		}
		if (!marked && newAfter !== null && row.seq > newAfter && row.user !== me) {
			marked = true;
			out.push({ kind: 'new', key: 'new' });
			previous = null;
		}
		let key = `m${row.user}:${row.id}`;
		if (used.has(key)) key += `:${row.seq}`; // an id may come again, long after
		used.add(key);
		out.push({ kind: 'message', key, row, first: !follows(previous, row), mine: row.user === me });
		previous = row;
		if (gap && row.seq === gap.below) {
			out.push({ kind: 'gap', key: 'gap' });
			previous = null;
		}
	}
	notice(Infinity);
	return out;
}

function follows(previous, row) {
	return previous !== null && previous.user === row.user && previous.name === row.name &&
		previous.state !== 'failed' && row.time - previous.time < GROUP_WITHIN;
}
