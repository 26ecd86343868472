// Messages that are not acked yet. Each is written to storage before it is sent
// and stays there until its ack, so that it survives the tab; the id makes a
// second sending, by this tab or another one, the same message.

const PREFIX = 'nebula.outbox.';

/** More than this many waiting messages are not taken: storage is small. */
export const MAX_WAITING = 200;

export class Outbox {
	/** false once storage refused: then pending messages do not survive the tab. */
	saved = true;

	#storage;
	#tab;
	#clock;
	#randomText;
	#user = '';
	#items = new Map(); // id -> item, in the order of ids
	#lastMs = 0;
	#count = 0;

	/**
	 * storage is a Storage; tab names this page load; randomText returns 10 or
	 * more random characters of A-Za-z0-9.
	 */
	constructor({ storage, tab, clock, randomText }) {
		this.#storage = storage;
		this.#tab = tab;
		this.#clock = clock;
		this.#randomText = randomText;
	}

	get size() {
		return this.#items.size;
	}

	/** waiting is how many will be sent by themselves. */
	get waiting() {
		return [...this.#items.values()].filter((item) => !item.failed).length;
	}

	/**
	 * open makes the outbox that of user. What waits under another user's name in
	 * this tab comes along: a message that was never sent as it is; of one that
	 * was sent nobody knows whether it was taken, so people have to decide.
	 */
	open(user) {
		if (user === this.#user) return;
		const before = [...this.#items.values()];
		const moved = this.#user !== '';
		if (moved) for (const item of before) this.#erase(item);
		this.#user = user;
		for (const item of before) {
			if (moved && item.sent) item.failed = 'new_user';
			this.#write(item);
		}
	}

	/**
	 * adopt takes over what tabs that are no more left in storage. alive holds the
	 * names of the tabs that live; null if that cannot be known, and then everything
	 * is taken over, which at worst sends a message twice under one id.
	 */
	adopt(alive) {
		const found = [];
		for (const [id, item] of this.#stored()) {
			if (this.#items.has(id) || (alive && alive.has(item.tab))) continue;
			item.tab = this.#tab;
			found.push(item);
			this.#items.set(id, item);
			this.#write(item);
		}
		if (found.length > 0) {
			this.#items = new Map([...this.#items].sort(([a], [b]) => (a < b ? -1 : 1)));
		}
		return found;
	}

	/** add returns the new item, or null when too many wait. */
	add(room, text) {
		if (this.#items.size >= MAX_WAITING) return null;
		const item = { id: this.#newId(), room, text, at: this.#clock.now(), tab: this.#tab, sent: false, failed: '' };
		this.#items.set(item.id, item);
		this.#write(item);
		return item;
	}

	get(id) {
		return this.#items.get(id);
	}

	/** of lists the items of room, oldest first. */
	of(room) {
		return [...this.#items.values()].filter((item) => item.room === room);
	}

	rooms() {
		return new Set([...this.#items.values()].map((item) => item.room));
	}

	/** next is the oldest item of room that may be sent. */
	next(room) {
		for (const item of this.#items.values()) {
			if (item.room === room && !item.failed) return item;
		}
		return null;
	}

	/** sent must be called before the bytes go out. */
	sent(item) {
		if (item.sent) return;
		item.sent = true;
		this.#write(item);
	}

	fail(item, code) {
		item.failed = code;
		this.#write(item);
	}

	/** retry makes a failed item one that may be sent again, under its id. */
	retry(item) {
		item.failed = '';
		this.#write(item);
	}

	remove(id) {
		const item = this.#items.get(id);
		if (!item) return null;
		this.#items.delete(id);
		this.#erase(item);
		return item;
	}

	/** Ids sort by the time they were made, within one tab strictly. */
	#newId() {
		const now = Math.max(this.#clock.now(), this.#lastMs);
		this.#count = now === this.#lastMs ? this.#count + 1 : 0;
		this.#lastMs = now;
		const time = now.toString(36).padStart(9, '0');
		const count = this.#count.toString(36).padStart(4, '0');
		return `${time}-${count}-${this.#randomText().slice(0, 16)}`;
	}

	#key(item) {
		return `${PREFIX}${this.#user}.${item.id}`;
	}

	#write(item) {
		if (!this.#user) return; // written by open, once the server has said who we are
		try {
			this.#storage.setItem(this.#key(item), JSON.stringify(item));
		} catch {
			this.saved = false;
		}
	}

	#erase(item) {
		try {
			this.#storage.removeItem(this.#key(item));
		} catch {
			this.saved = false;
		}
	}

	#stored() {
		const found = [];
		const prefix = `${PREFIX}${this.#user}.`;
		try {
			for (let i = 0; i < this.#storage.length; i++) {
				const key = this.#storage.key(i);
				if (!key.startsWith(prefix)) continue;
				const item = parse(this.#storage.getItem(key));
				if (item && key === prefix + item.id) found.push([item.id, item]);
			}
		} catch {
			this.saved = false;
		}
		return found.sort(([a], [b]) => (a < b ? -1 : 1));
	}
}

function parse(json) {
	try {
		const o = JSON.parse(json);
		const whole = typeof o.id === 'string' && typeof o.room === 'string' && typeof o.text === 'string';
		return whole ? { at: 0, tab: '', sent: true, failed: '', ...o } : null;
	} catch {
		return null;
	}
}
