// Joins the socket, the rooms and the outbox. The page talks to this and to
// nothing below it: it calls the verbs, reads the fields, and redraws what
// onChange(kind, room) names:
//
//	'state'     connection.state, status()
//	'me'        me, limits
//	'rooms'     the list of rooms
//	'room'      one room: joined, failed, messages, outbox, gap
//	'people'    one room: people, and notices through onNotice
//	'typing'    one room: typing(room)
//	'error'     one sentence, for people, in the second argument

import { Backoff } from './backoff.js';
import { Connection } from './connection.js';
import { Outbox } from './outbox.js';
import { People } from './people.js';
import { Pace } from './pace.js';
import { RETRYABLE, roomName, sentence } from './protocol.js';
import { Room } from './room.js';

const ANSWER_WITHIN = 8_000; // the server promises 5 s
const TYPING_EVERY = 3_000;
const TYPING_FOR = 5_000;
const HEAL_AFTER = 3_000;
const RETURN_WITHIN = 20_000; // others come back too: the longest waiting time, and the dial
const KEEP = 2_000; // messages kept of a room that is read at its end
const KEEP_AT_MOST = 20_000; // and of one that is scrolled up
const JOIN_ATTEMPTS = 3; // for one message that finds itself not joined

/** What the client keeps about a room beside its messages. */
class Entry {
	people = new People();
	typing = new Map(); // user -> {name, until}
	typed = 0; // when we last said that we type
	flight = null; // {id, timer}: the one message that is not answered yet
	retryAt = 0; // no message before this time
	backoff;
	timers = new Set();
	pumping = null;
	healing = null;
	returning = null;
	joinTimer = null;
	rejoined = 0;

	constructor(name, random) {
		this.room = new Room(name);
		this.backoff = new Backoff({ base: 500, max: 10_000, random });
	}
}

export class Client {
	me = { user: '', name: '' };
	limits = { text_bytes: 4096, rooms: 100 };
	server = { node: '', version: '' };
	connection;
	outbox;

	#clock;
	#random;
	#alive;
	#onChange;
	#onNotice;
	#rooms = new Map(); // name -> Entry
	#pace; // rate limits count for all rooms

	/** See Connection and Outbox for url, open, clock, random, storage, tab and randomText.
	 * alive() resolves to the names of living tabs, or null. */
	constructor({ url, open, clock, random, storage, tab, randomText, alive, onChange, onNotice }) {
		this.#clock = clock;
		this.#random = random;
		this.#alive = alive;
		this.#onChange = onChange;
		this.#onNotice = onNotice;
		this.#pace = new Pace(clock);
		this.outbox = new Outbox({ storage, tab, clock, randomText });
		this.connection = new Connection({
			url, open, clock, random,
			onState: (state) => this.#state(state),
			onMessage: (message) => this.#receive(message),
		});
	}

	start() {
		this.connection.start();
	}

	/** rooms lists the names of the rooms on this page, in the order of joining. */
	rooms() {
		return [...this.#rooms.keys()];
	}

	room(name) {
		return this.#rooms.get(name)?.room;
	}

	people(name) {
		return this.#rooms.get(name)?.people;
	}

	/** typing lists who types in a room just now. */
	typing(name) {
		const entry = this.#rooms.get(name);
		if (!entry) return [];
		const now = this.#clock.now();
		for (const [user, t] of entry.typing) if (t.until <= now) entry.typing.delete(user);
		return [...entry.typing.values()].map((t) => t.name);
	}

	/** join adds a room; it returns its name as the server spells it, '' if it is none. */
	join(wanted) {
		const name = roomName(wanted);
		if (!name) return '';
		if (!this.#rooms.has(name)) {
			this.#rooms.set(name, new Entry(name, this.#random));
			this.#onChange('rooms');
		}
		const entry = this.#rooms.get(name);
		if (entry.room.status === '' || entry.room.status === 'failed') this.#join(entry);
		return name;
	}

	/** leave forgets a room. What still waits for it in the outbox goes too. */
	leave(name) {
		const entry = this.#rooms.get(name);
		if (!entry) return;
		for (const item of this.outbox.of(name)) this.outbox.remove(item.id);
		this.#forgetTimers(entry);
		this.#rooms.delete(name);
		this.connection.send({ type: 'leave', room: name });
		this.#onChange('rooms');
	}

	/** say puts text into the outbox; false if too much waits there. */
	say(name, text) {
		const item = this.outbox.add(name, text);
		if (!item) return false;
		this.#onChange('room', name);
		const entry = this.#rooms.get(name);
		if (entry) this.#pump(entry);
		return true;
	}

	/** retry sends a failed message again. */
	retry(id) {
		const item = this.outbox.get(id);
		if (!item) return;
		this.outbox.retry(item);
		this.#onChange('room', item.room);
		const entry = this.#rooms.get(item.room);
		if (entry) this.#pump(entry);
	}

	/** discard takes a failed message out of the outbox and returns its text. */
	discard(id) {
		const item = this.outbox.remove(id);
		if (item) this.#onChange('room', item.room);
		return item?.text ?? '';
	}

	/** type tells the others that we are typing, no more often than the server passes on. */
	type(name) {
		const entry = this.#rooms.get(name);
		const now = this.#clock.now();
		if (entry?.room.status !== 'joined' || now - entry.typed < TYPING_EVERY) return;
		if (this.connection.send({ type: 'typing', room: name })) entry.typed = now;
	}

	/** loadOlder asks for the page before the oldest message; the answer changes 'room'. */
	loadOlder(name) {
		const entry = this.#rooms.get(name);
		if (entry && entry.room.messages.length < KEEP_AT_MOST) this.#askHistory(entry, true);
	}

	/** settle tells that a room is read at its end: old messages need not be kept. */
	settle(name) {
		this.#rooms.get(name)?.room.trim(KEEP);
	}

	/** view lists what a room shows: messages, then acked ones on their way, then waiting ones. */
	view(name) {
		const entry = this.#rooms.get(name);
		if (!entry) return [];
		const { room } = entry;
		const rows = room.messages.map((m) => (m.user === this.me.user ? { ...m, state: this.outbox.get(m.id) ? 'pending' : 'acked' } : m));
		const shown = new Set();
		for (const m of room.messages) if (m.user === this.me.user) shown.add(m.id);
		for (const echo of room.echoes.values()) if (!shown.has(echo.id)) rows.push(this.#ownRow(echo, 'acked', echo.seq));
		for (const item of this.outbox.of(name)) {
			if (!shown.has(item.id)) rows.push(this.#ownRow(item, item.failed ? 'failed' : 'pending', 0));
		}
		return rows;
	}

	#ownRow(item, state, seq) {
		const { id, text, failed } = item;
		return { id, text, failed, state, seq, time: item.time ?? item.at, ...this.me };
	}

	/** adopt takes over what tabs that are gone left in the outbox, and opens its rooms. */
	async adopt() {
		if (!this.me.user) return;
		const alive = await this.#alive();
		this.outbox.adopt(alive);
		for (const name of this.outbox.rooms()) {
			if (!this.join(name)) continue;
			this.#onChange('room', name);
			this.#pump(this.#rooms.get(name));
		}
	}

	// --- what the connection says

	#state(state) {
		if (state !== 'online') {
			for (const entry of this.#rooms.values()) {
				if (state === 'leaving') continue; // what was sent may still be answered
				this.#forgetTimers(entry);
				entry.flight = null;
				entry.room.asked = null;
				entry.typing.clear();
				if (entry.room.status === 'joined') entry.people.lost();
				if (entry.room.status !== 'failed') entry.room.status = '';
			}
		}
		this.#onChange('state');
	}

	#receive(message) {
		switch (message.type) {
			case 'welcome':
				this.#welcome(message);
				return;
			case 'ack':
				this.#ack(message);
				return;
			case 'error':
				this.#error(message);
				return;
		}
		const entry = this.#rooms.get(message.room);
		if (!entry) return; // left meanwhile
		switch (message.type) {
			case 'joined':
				this.#joined(entry, message);
				break;
			case 'message':
				this.#message(entry, message);
				break;
			case 'history':
				entry.room.history(message);
				this.#onChange('room', message.room);
				this.#askHistory(entry, false);
				break;
			case 'presence':
				this.#presence(entry, message);
				break;
			case 'users':
				entry.people.page(message.offset, message.users, message.count);
				this.#askUsers(entry);
				this.#onChange('people', message.room);
				break;
			case 'typing':
				this.#typing(entry, message);
				break;
		}
	}

	#welcome({ user, name, limits, node, version }) {
		this.me = { user, name };
		this.limits = { ...this.limits, ...limits };
		this.server = { node, version };
		this.#pace.limit(this.limits);
		this.outbox.open(user);
		for (const entry of this.#rooms.values()) this.#join(entry);
		this.#onChange('me');
		void this.adopt();
	}

	#join(entry) {
		const { room } = entry;
		this.#clock.clear(entry.joinTimer);
		if (!this.connection.send({ type: 'join', room: room.name, ...room.resume() })) {
			room.status = '';
			return;
		}
		room.status = 'joining';
		room.asked = null;
		entry.joinTimer = this.#timer(entry, ANSWER_WITHIN, () => this.#join(entry));
		this.#onChange('room', room.name);
	}

	#joined(entry, message) {
		const { room, people } = entry;
		this.#clock.clear(entry.joinTimer);
		room.joined(message);
		people.page(0, message.users, message.count);
		entry.backoff.reset();
		this.#clock.clear(entry.returning);
		entry.returning = this.#timer(entry, RETURN_WITHIN, () => this.#tell(entry, { joined: [], left: people.settled() }));
		this.#askUsers(entry);
		this.#askHistory(entry, false);
		this.#onChange('people', room.name);
		this.#onChange('room', room.name);
		this.#pump(entry);
	}

	#message(entry, message) {
		const { room } = entry;
		if (room.status !== 'joined') return; // the answer to our join will hold it
		const verdict = room.live(message);
		if (verdict === 'double') return;
		if (verdict === 'hole') {
			this.#join(entry);
			return;
		}
		if (room.messages.length > KEEP_AT_MOST) room.trim(KEEP);
		if (entry.typing.delete(message.user)) this.#onChange('typing', room.name);
		this.#onChange('room', room.name);
	}

	#presence(entry, message) {
		const { people, room } = entry;
		if (room.status !== 'joined') return;
		const news = people.delta(message);
		for (const { user } of news.left) entry.typing.delete(user);
		this.#tell(entry, news);
		this.#onChange('people', room.name);
		this.#heal(entry);
	}

	/** #tell gives the page what others did, if they did anything. */
	#tell(entry, { joined, left }) {
		const others = (list) => list.filter(({ user }) => user !== this.me.user);
		const news = { joined: others(joined), left: others(left) };
		if (news.joined.length + news.left.length > 0) this.#onNotice(entry.room.name, news);
	}

	/** #heal fetches the list of people again when it stays wrong. */
	#heal(entry) {
		this.#clock.clear(entry.healing);
		if (!entry.people.drifted()) return;
		entry.healing = this.#timer(entry, HEAL_AFTER, () => {
			if (entry.people.drifted()) this.connection.send({ type: 'presence', room: entry.room.name, offset: 0, limit: 1000 });
		});
	}

	#askUsers(entry) {
		const wanted = entry.people.wanted();
		if (wanted) this.connection.send({ type: 'presence', room: entry.room.name, ...wanted });
	}

	#askHistory(entry, scrolledUp) {
		const { room } = entry;
		const wanted = room.wanted(scrolledUp);
		if (!wanted) return;
		const { before, limit } = wanted;
		if (!this.connection.send({ type: 'history', room: room.name, before, limit })) return;
		room.asked = wanted;
		this.#timer(entry, ANSWER_WITHIN, () => {
			if (room.asked !== wanted) return;
			room.asked = null;
			this.#askHistory(entry, !wanted.fill);
		});
	}

	#typing(entry, { user, name, room }) {
		if (user === this.me.user) return;
		entry.typing.set(user, { name, until: this.#clock.now() + TYPING_FOR });
		this.#timer(entry, TYPING_FOR + 50, () => this.#onChange('typing', room));
		this.#onChange('typing', room);
	}

	// --- the outbox: one message of a room at a time, so that their order holds whatever happens to one

	#pump(entry) {
		const { room } = entry;
		this.#clock.clear(entry.pumping);
		if (entry.flight || room.status !== 'joined' || this.connection.state !== 'online') return;
		const item = this.outbox.next(room.name);
		if (!item) return;
		const wait = Math.max(entry.retryAt - this.#clock.now(), this.#pace.wait());
		if (wait > 0) {
			entry.pumping = this.#timer(entry, wait, () => this.#pump(entry));
			return;
		}
		this.outbox.sent(item);
		this.#pace.sent();
		this.connection.send({ type: 'message', room: room.name, id: item.id, text: item.text });
		const flight = { id: item.id };
		flight.timer = this.#timer(entry, ANSWER_WITHIN, () => {
			if (entry.flight === flight) this.#again(entry, 0);
		});
		entry.flight = flight;
	}

	/** #again sends the same message once more, later. */
	#again(entry, waitMs) {
		this.#landed(entry);
		entry.retryAt = this.#clock.now() + Math.max(waitMs, entry.backoff.next());
		this.#pump(entry);
	}

	#landed(entry) {
		if (entry.flight) this.#clock.clear(entry.flight.timer);
		entry.flight = null;
	}

	#ack({ room: name, id, seq, time }) {
		const item = this.outbox.remove(id);
		const entry = this.#rooms.get(name);
		if (!entry) return;
		if (item && seq > entry.room.last) entry.room.echoes.set(id, { ...item, seq, time });
		if (entry.flight?.id === id) {
			this.#landed(entry);
			entry.backoff.reset();
			entry.rejoined = 0;
			entry.retryAt = 0;
		}
		this.#onChange('room', name);
		this.#pump(entry);
	}

	#error({ code, room: name, id, retry_ms: retryMs = 0, message }) {
		const entry = this.#rooms.get(name);
		if (entry && id && entry.flight?.id === id) {
			this.#refused(entry, id, code, retryMs);
			return;
		}
		if (entry && !id && entry.room.status === 'joining') {
			this.#joinRefused(entry, code, retryMs);
			return;
		}
		if (entry && !id && code === 'not_joined') {
			this.#join(entry);
			return;
		}
		if (entry?.room.asked && RETRYABLE.has(code)) return; // its timer asks again
		if (id || code === 'rate_limited') return; // answered before, or typing: nothing that people wait for
		this.#onChange('error', sentence(code, message));
	}

	#refused(entry, id, code, retryMs) {
		if (RETRYABLE.has(code)) {
			if (code === 'rate_limited') this.#pace.refused(retryMs);
			this.#again(entry, retryMs);
			return;
		}
		this.#landed(entry);
		if (code === 'not_joined' && ++entry.rejoined < JOIN_ATTEMPTS) {
			this.#join(entry);
			return;
		}
		const item = this.outbox.get(id);
		if (item) this.outbox.fail(item, code);
		this.#onChange('room', entry.room.name);
		this.#pump(entry);
	}

	#joinRefused(entry, code, retryMs) {
		const { room } = entry;
		this.#clock.clear(entry.joinTimer);
		if (RETRYABLE.has(code)) {
			entry.joinTimer = this.#timer(entry, Math.max(retryMs, entry.backoff.next()), () => this.#join(entry));
			return;
		}
		room.status = 'failed';
		room.failure = code;
		this.#onChange('rooms');
		this.#onChange('room', room.name);
	}

	// --- timers that end with their room or connection

	#timer(entry, ms, fn) {
		const handle = this.#clock.set(() => {
			entry.timers.delete(handle);
			fn();
		}, ms);
		entry.timers.add(handle);
		return handle;
	}

	#forgetTimers(entry) {
		for (const handle of entry.timers) this.#clock.clear(handle);
		entry.timers.clear();
	}
}
