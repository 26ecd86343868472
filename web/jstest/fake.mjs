// A clock, a storage and a server that do only what a test says.

import { Client } from '../static/core/client.js';

export class FakeClock {
	time = 1_800_000_000_000;
	#timers = new Map();
	#next = 1;

	now() {
		return this.time;
	}

	set(fn, ms) {
		const handle = this.#next++;
		this.#timers.set(handle, { fn, at: this.time + Math.max(0, ms) });
		return handle;
	}

	clear(handle) {
		this.#timers.delete(handle);
	}

	get waiting() {
		return this.#timers.size;
	}

	/** pass lets ms go by and runs what is due, in order. */
	pass(ms) {
		const end = this.time + ms;
		for (;;) {
			let due = null;
			for (const [handle, t] of this.#timers) {
				if (t.at <= end && (!due || t.at < due.at)) due = { handle, ...t };
			}
			if (!due) break;
			this.#timers.delete(due.handle);
			this.time = Math.max(this.time, due.at);
			due.fn();
		}
		this.time = end;
	}
}

export class FakeStorage {
	map = new Map();
	full = false;

	get length() {
		return this.map.size;
	}

	key(i) {
		return [...this.map.keys()][i];
	}

	getItem(key) {
		return this.map.get(key) ?? null;
	}

	setItem(key, value) {
		if (this.full) throw new Error('QuotaExceededError');
		this.map.set(key, value);
	}

	removeItem(key) {
		this.map.delete(key);
	}
}

export class FakeSocket {
	sent = []; // what the client said and the test has not taken
	closed = null;

	send(text) {
		this.sent.push(JSON.parse(text));
	}

	close(code) {
		this.closed = code;
	}

	say(message) {
		this.onmessage?.({ data: JSON.stringify(message) });
	}

	end(code) {
		this.onclose?.({ code });
	}
}

/** World is one page, one server side, and the time between them. */
export class World {
	clock = new FakeClock();
	sockets = [];
	changes = [];
	notices = [];
	errors = [];
	alive = new Set();

	constructor({ storage = new FakeStorage(), tab = 'tab1', user = 'me' } = {}) {
		this.storage = storage;
		this.user = user;
		let n = 0;
		this.client = new Client({
			url: () => 'ws://test/ws',
			open: () => {
				const socket = new FakeSocket();
				this.sockets.push(socket);
				return socket;
			},
			clock: this.clock,
			random: () => 0.5,
			storage,
			tab,
			randomText: () => `${tab}r${n++}`.padEnd(10, 'x'),
			alive: async () => this.alive,
			onChange: (kind, detail) => {
				this.changes.push([kind, detail]);
				if (kind === 'error') this.errors.push(detail);
			},
			onNotice: (room, news) => this.notices.push([room, news]),
		});
	}

	get socket() {
		return this.sockets.at(-1);
	}

	/** welcome dials if needed and says welcome. */
	async welcome(more = {}) {
		if (this.client.connection.state === 'stopped') this.client.start();
		this.socket.say({
			type: 'welcome', user: this.user, name: 'Me', node: 'n', version: 'v', heartbeat_ms: 25000,
			limits: { text_bytes: 4096, frame_bytes: 32768, rooms: 100, rate: 10, burst: 20 }, ...more,
		});
		await this.settle();
	}

	async settle() {
		for (let i = 0; i < 10; i++) await Promise.resolve();
	}

	/** take returns the frames of type that the client sent, and forgets them. */
	take(type) {
		const found = this.socket.sent.filter((m) => m.type === type);
		this.socket.sent = this.socket.sent.filter((m) => m.type !== type);
		return found;
	}

	joined(room, { epoch = 'e1', messages = [], seq = messages.at(-1)?.seq ?? 0, complete = true, users = [], count = users.length } = {}) {
		this.socket.say({ type: 'joined', room, epoch, seq, users, count, messages: messages.map((m) => ({ ...m })), complete });
	}

	live(room, m) {
		this.socket.say({ type: 'message', room, ...m });
	}

	ack(room, id, seq) {
		this.socket.say({ type: 'ack', room, id, seq, time: this.clock.now() });
	}

	error(code, more = {}) {
		this.socket.say({ type: 'error', code, message: 'a sentence', ...more });
	}

	seqs(room) {
		return this.client.room(room).messages.map((m) => m.seq);
	}

	/** view is what a person sees: "seq text state", state only of own ones. */
	view(room) {
		return this.client.view(room).map((m) => [m.seq, m.text, m.state].filter((x) => x !== undefined).join(' '));
	}
}

/** msg is a message of somebody. */
export function msg(seq, { user = 'you', id = `id${seq}`, text = `t${seq}` } = {}) {
	return { seq, id, user, name: user, text, time: 1000 + seq };
}

export function msgs(from, to, more) {
	const list = [];
	for (let seq = from; seq <= to; seq++) list.push(msg(seq, more));
	return list;
}
