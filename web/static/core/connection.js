// The life of the socket: dial, welcome, heartbeat, goodbye, and again. It knows
// nothing of rooms. Everything it needs from the world is given to it.

import { Backoff } from './backoff.js';
import { decode, SUBPROTOCOL } from './protocol.js';

const DIAL_FOR = 10_000; // the server drops a handshake after this time too
const ANSWER_WITHIN = 10_000; // a ping's answer
const PROBE_WITHIN = 4_000; // the same, when there is reason to doubt
const STEADY_AFTER = 10_000; // a connection that lived this long starts the waiting times anew

export class Connection {
	/** 'stopped', 'connecting', 'online', 'leaving' (goodbye was said), 'waiting' */
	state = 'stopped';
	/** code of the last close */
	code = 0;
	/** when the next attempt starts, by the clock, while 'waiting' */
	retryAt = 0;
	/** attempts since the last welcome */
	attempts = 0;

	#url;
	#open;
	#clock;
	#random;
	#onState;
	#onMessage;
	#backoff;
	#socket = null;
	#timer = null; // one at a time: dial, heartbeat, farewell or retry
	#heartbeat = 25_000;
	#heard = 0; // when the last frame came
	#frames = 0; // how many came
	#since = 0;
	#goodbye = null;

	/**
	 * url() is the address; open(url, protocol) a WebSocket or what behaves like
	 * one; clock has now(), set(fn, ms) and clear(handle).
	 */
	constructor({ url, open, clock, random, onState, onMessage }) {
		this.#url = url;
		this.#open = open;
		this.#clock = clock;
		this.#random = random;
		this.#onState = onState;
		this.#onMessage = onMessage;
		this.#backoff = new Backoff({ random });
	}

	start() {
		if (this.state === 'stopped') this.#dial();
	}

	stop() {
		this.#drop();
		this.#become('stopped');
	}

	/** restart leaves the present connection for a new one at once: another name, say. */
	restart() {
		this.#drop();
		this.#dial();
	}

	/** nudge: the machine woke up or the network came back, so waiting on makes no sense. */
	nudge() {
		if (this.state === 'waiting') this.#dial();
		else if (this.state === 'online') this.#probe(PROBE_WITHIN);
	}

	/** send returns false when there is nobody to send to. */
	send(message) {
		if (this.state !== 'online') return false;
		this.#socket.send(JSON.stringify(message));
		return true;
	}

	#become(state) {
		this.state = state;
		this.#onState(state);
	}

	#after(ms, fn) {
		this.#clock.clear(this.#timer);
		this.#timer = this.#clock.set(fn, ms);
	}

	#dial() {
		this.#goodbye = null;
		this.#since = 0;
		this.attempts++;
		let socket;
		try {
			socket = this.#open(this.#url(), SUBPROTOCOL);
		} catch {
			this.#lost(1006);
			return;
		}
		this.#socket = socket;
		const mine = (fn) => (event) => {
			if (socket === this.#socket) fn(event);
		};
		socket.onmessage = mine((event) => this.#receive(event.data));
		socket.onclose = mine((event) => this.#lost(event.code));
		socket.onerror = null; // a close follows
		this.#after(DIAL_FOR, () => this.#lost(1006));
		this.#become('connecting');
	}

	#receive(data) {
		this.#heard = this.#clock.now();
		this.#frames++;
		const message = decode(data);
		if (!message) return;
		if (message.type === 'welcome') {
			this.#heartbeat = Math.max(1000, message.heartbeat_ms || 25_000);
			this.#since = this.#heard;
			this.attempts = 0;
			this.#watch();
			this.state = 'online'; // so that what the welcome starts can be sent
			this.#onMessage(message);
			if (this.state === 'online') this.#onState('online');
			return;
		}
		if (message.type === 'goodbye') {
			this.#goodbye = message;
			this.#after(ANSWER_WITHIN + (message.retry_ms || 0), () => this.#lost(1012));
			this.#become('leaving');
		}
		if (message.type !== 'pong') this.#onMessage(message);
	}

	/** #watch looks once a heartbeat whether anything was heard, and asks if not. */
	#watch() {
		this.#after(this.#heartbeat, () => {
			if (this.#clock.now() - this.#heard < this.#heartbeat) this.#watch();
			else this.#probe(ANSWER_WITHIN);
		});
	}

	#probe(within) {
		const before = this.#frames;
		this.send({ type: 'ping', t: this.#clock.now() });
		this.#after(within, () => {
			if (this.#frames > before) this.#watch();
			else this.#lost(1006);
		});
	}

	/** #drop lets go of the socket; what it still says is not listened to. */
	#drop() {
		this.#clock.clear(this.#timer);
		const socket = this.#socket;
		this.#socket = null;
		if (!socket) return;
		try {
			socket.close(1000);
		} catch {
			// not open yet: it is closed when it would open
		}
	}

	#lost(code) {
		const lived = this.#since > 0 ? this.#clock.now() - this.#since : 0;
		this.#drop();
		if (lived >= STEADY_AFTER) this.#backoff.reset();
		this.code = code;
		const wait = this.#wait(code);
		this.retryAt = this.#clock.now() + wait;
		this.#after(wait, () => this.#dial());
		this.#become('waiting');
	}

	/** #wait is how long to stay away, by what the server said on leaving. */
	#wait(code) {
		if (this.#goodbye) return Math.round(this.#random() * (this.#goodbye.retry_ms || 1000));
		if (this.#since === 0) return this.#backoff.next(); // never welcomed
		switch (code) {
			case 1012: // restart
				return Math.round(this.#random() * 2000);
			case 1013: // we read too slowly
				return Math.round(500 + this.#random() * 2500);
			case 1008: // too fast for too long
				return Math.round(10_000 + this.#random() * 10_000);
		}
		return this.#backoff.next();
	}
}
