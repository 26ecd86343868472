// The scrolling messages of one room. However long the room, no more than
// MOST elements stand in the document; scrolling moves that window.

import { sentence } from '../core/protocol.js';
import { $, arrange, h, soon } from './dom.js';
import { entries } from './entries.js';
import { clockTime, fullTime, hue, initials, onlyEmoji, parts } from './format.js';

const BASE = 100; // rows shown at the end of a room
const STEP = 60; // rows added on scrolling
const MOST = 300; // rows in the document
const EDGE = 500; // px from an end where more is put on
const AT_END = 48; // px from the end that still count as being there

export class LogView {
	/** whether the latest message is in view and stays there */
	following = true;

	#client;
	#notices;
	#onRead;
	#log = $('log');
	#list = $('messages');
	#jump = $('jump');
	#room = '';
	#from = 0; // seq of the first row shown; 0: as many as BASE, from the end
	#to = Infinity; // seq of the last one
	#seen = 0; // newest seq when the end was last in view
	#newAfter = null;
	#loaded = false; // whether the first page of the room is there
	#nodes = new Map(); // key -> {el, signature}
	#quiet = null;
	#draw = soon(() => this.#render());

	/** notices(room) gives the lines about people; onRead(room) is told when the end is in view. */
	constructor(client, { notices, onRead }) {
		this.#client = client;
		this.#notices = notices;
		this.#onRead = onRead;
		this.#log.addEventListener('scroll', () => this.#scrolled(), { passive: true });
		this.#list.addEventListener('click', (event) => this.#clicked(event));
		this.#jump.addEventListener('click', () => this.toEnd());
		new ResizeObserver(() => this.following && this.#stick()).observe(this.#log);
	}

	/** show changes the room. newAfter is the seq up to which it was read, null for all. */
	show(room, newAfter) {
		this.#room = room;
		this.#log.dataset.room = room;
		this.#newAfter = newAfter;
		this.#reset();
		this.#loaded = false;
		this.#nodes.clear();
		this.#list.replaceChildren();
		this.#render();
	}

	/** changed tells that room may look different now. */
	changed(room) {
		if (room === this.#room) this.#draw();
	}

	/** toEnd goes to the latest message. */
	toEnd() {
		this.#reset();
		this.#render();
	}

	/** markNew moves the line "New": what comes from now on is new. */
	markNew(seq) {
		this.#newAfter = seq;
	}

	#reset() {
		this.#from = 0;
		this.#to = Infinity;
		this.following = true;
	}

	/** #hush keeps a screen reader from reading old messages that come in as if they were news. */
	#hush() {
		this.#log.setAttribute('aria-live', 'off');
		clearTimeout(this.#quiet);
		this.#quiet = setTimeout(() => this.#log.setAttribute('aria-live', 'polite'), 500);
	}

	#render() {
		const room = this.#client.room(this.#room);
		if (!room) {
			this.#list.replaceChildren();
			return;
		}
		const rows = this.#client.view(this.#room);
		const [start, end] = this.#window(rows);
		const list = entries({
			rows: rows.slice(start, end), lines: end === rows.length ? [...this.#notices(this.#room)] : [], gap: room.gap,
			first: start === 0, older: room.older, newAfter: this.#newAfter, room: this.#room, me: this.#client.me.user, now: Date.now(),
		});
		const loading = room.status !== 'joined' && room.epoch === '';
		const failed = room.status === 'failed' && { kind: 'failed', key: `failed${room.failure}`, failure: room.failure };
		const shown = failed && rows.length === 0 ? [failed] : loading ? list.filter((e) => e.kind === 'message') : list;
		if (!this.#loaded) this.#hush(); // what is there already is no news
		this.#loaded = !loading;
		this.#place(shown);
		this.#settle(room, end === rows.length);
	}

	/** #window chooses the rows to show. */
	#window(rows) {
		let end = rows.length;
		if (this.#to !== Infinity) while (end > 0 && (rows[end - 1].seq === 0 || rows[end - 1].seq > this.#to)) end--;
		let start = Math.max(0, end - BASE);
		if (this.#from > 0) {
			start = 0;
			while (start < end && rows[start].seq > 0 && rows[start].seq < this.#from) start++;
		}
		if (end - start > MOST) {
			if (this.following) {
				start = end - BASE;
				this.#from = 0;
			} else {
				end = start + MOST;
				this.#to = rows[end - 1].seq || Infinity;
			}
		}
		return [start, end];
	}

	/** #place puts the entries into the document without moving what is being read. */
	#place(list) {
		const anchor = this.following ? null : this.#anchor();
		const nodes = new Map();
		for (const entry of list) nodes.set(entry.key, this.#node(entry));
		this.#nodes = nodes;
		arrange(this.#list, [...nodes.values()].map((n) => n.el));
		if (this.following) this.#stick();
		else if (anchor?.el.isConnected) this.#log.scrollTop += anchor.el.getBoundingClientRect().top - anchor.top;
	}

	/** #anchor is the first message in view, and where it stands. */
	#anchor() {
		const top = this.#log.getBoundingClientRect().top;
		for (const el of this.#list.children) {
			const box = el.getBoundingClientRect();
			if (box.bottom > top && el.classList.contains('message')) return { el, top: box.top };
		}
		return null;
	}

	#stick() {
		this.#log.scrollTop = this.#log.scrollHeight;
	}

	#settle(room, atLast) {
		const end = this.following && atLast;
		if (end) {
			this.#seen = room.last;
			this.#client.settle(this.#room);
			if (!document.hidden) this.#onRead(this.#room);
		}
		const fresh = this.following ? 0 : room.unread(this.#seen, this.#client.me.user).count;
		this.#jump.hidden = this.following;
		this.#jump.dataset.new = fresh > 0;
		$('jump-label').textContent = fresh > 0 ? `${fresh > 99 ? '99+' : fresh} new` : 'Latest';
		if (!this.following) this.#edge();
	}

	#scrolled() {
		const fromEnd = this.#log.scrollHeight - this.#log.clientHeight - this.#log.scrollTop;
		const follows = fromEnd < AT_END && this.#to === Infinity;
		if (follows !== this.following) {
			this.following = follows;
			if (!follows) this.#from ||= this.#shownSeq(true);
			this.#draw();
		}
		if (!follows || this.#log.scrollTop < EDGE) this.#edge();
	}

	/** #edge puts on more rows where the view comes near the end of what is shown. */
	#edge() {
		const { scrollTop, scrollHeight, clientHeight } = this.#log;
		if (scrollTop < EDGE) this.#up();
		else if (this.#to !== Infinity && scrollHeight - clientHeight - scrollTop < EDGE) this.#down();
	}

	#up() {
		const room = this.#client.room(this.#room);
		if (!room || room.messages.length === 0) return;
		const first = this.#shownSeq(true);
		const at = first ? room.messages.findIndex((m) => m.seq >= first) : -1;
		if (at > 0) {
			if (this.following) return; // a short room that is read at its end
			this.#from = room.messages[Math.max(0, at - STEP)].seq;
			this.#hush();
			this.#draw();
		} else if (room.older) {
			if (this.following && this.#log.scrollHeight > this.#log.clientHeight + EDGE) return;
			this.#from ||= first;
			if (this.following) this.#from = 0;
			this.#hush();
			this.#client.loadOlder(this.#room);
		}
	}

	#down() {
		const { messages } = this.#client.room(this.#room);
		const at = messages.findIndex((m) => m.seq > this.#to);
		if (at < 0 || at + STEP >= messages.length) this.#to = Infinity;
		else this.#to = messages[at + STEP].seq;
		const end = this.#to === Infinity ? messages.length : at + STEP + 1;
		this.#from = messages[Math.max(0, end - MOST + STEP)].seq;
		this.#hush();
		this.#draw();
	}

	#shownSeq(first) {
		const all = this.#list.querySelectorAll('.message[data-seq]:not([data-seq=""])');
		const el = first ? all[0] : all[all.length - 1];
		return el ? Number(el.dataset.seq) : 0;
	}

	#clicked(event) {
		const button = event.target.closest('button[data-do]');
		if (!button) return;
		const id = button.closest('.message')?.dataset.id;
		this.#list.dispatchEvent(new CustomEvent('nebula:act', { bubbles: true, detail: { act: button.dataset.do, id } }));
	}

	/** #node returns the element for entry: the one that stands there, made new inside if it changed. */
	#node(entry) {
		const known = this.#nodes.get(entry.key);
		const signature = signatureOf(entry);
		if (known?.signature === signature) return known;
		if (entry.kind !== 'message') return { el: makers[entry.kind](entry), signature };
		const el = known?.el ?? h('li');
		fillMessage(el, entry);
		return { el, signature };
	}
}

function signatureOf(entry) {
	if (entry.kind !== 'message') return `${entry.kind} ${entry.text ?? ''} ${entry.room ?? ''}`;
	const { row, first, mine } = entry;
	return [row.seq, row.state, row.failed, first, mine, row.name, row.time].join('\n');
}

const makers = {
	more: () => h('li', { class: 'beginning more' }, 'Older messages come as you scroll up'),
	beginning: ({ room, text }) => h('li', { class: 'beginning' }, h('strong', {}, `#${room}`), text),
	notice: ({ text, time }) => h('li', { class: 'notice', title: fullTime(time) }, text),
	day: ({ text }) => h('li', { class: 'day' }, h('span', {}, text)),
	new: () => h('li', { class: 'new' }, 'New'),
	gap: () => h('li', { class: 'gap' }, 'Fetching the messages between…'),
	failed: ({ failure }) => h('li', { class: 'room-failed' }, h('p', {}, sentence(failure)), h('button', { type: 'button', class: 'button', data: { do: 'rejoin' } }, 'Try again')),
};

function fillMessage(el, { row, first, mine }) {
	el.className = first ? 'message first' : 'message';
	Object.assign(el.dataset, { seq: row.seq || '', id: row.id, user: row.user, state: row.state ?? 'acked' });
	el.style.setProperty('--hue', hue(row.user));
	const time = h('time', { class: 'message-time', datetime: new Date(row.time).toISOString(), title: fullTime(row.time) }, clockTime(row.time));
	const side = first
		? h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(row.name))
		: h('span', { class: 'message-side', 'aria-hidden': 'true', title: fullTime(row.time) }, clockTime(row.time));
	const head = h('div', { class: first ? 'message-head' : 'hidden' }, h('span', { class: 'message-name' }, row.name), mine && h('span', { class: 'message-you' }, 'you'), time);
	const text = h('div', { class: onlyEmoji(row.text) ? 'message-text big' : 'message-text' });
	for (const part of parts(row.text)) {
		text.append(part.href ? h('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, part.text) : part.text);
	}
	el.replaceChildren(side, h('div', { class: 'message-body' }, head, text, mine && stateOf(row)));
}

function stateOf(row) {
	if (row.state === 'pending') return h('span', { class: 'message-state' }, 'Sending…');
	if (row.state !== 'failed') return h('span', { class: 'message-state' }, 'Stored');
	const act = (name, label) => h('button', { type: 'button', class: `link-button message-${name}`, data: { do: name } }, label);
	const acts = h('span', { class: 'message-acts' }, act('retry', 'Try again'), act('edit', 'Edit'), act('discard', 'Discard'));
	return h('span', { class: 'message-state' }, `Not sent. ${sentence(row.failed)}`, acts);
}
