// What this browser remembers. Storage may be refused; then nothing is remembered and nothing breaks.

const READ_AT_MOST = 200;

/** A Storage that lives as long as the page, for browsers that refuse a real one. */
export class MemoryStorage {
	#map = new Map();
	get length() { return this.#map.size; }
	key(i) { return [...this.#map.keys()][i] ?? null; }
	getItem(key) { return this.#map.get(key) ?? null; }
	setItem(key, value) { this.#map.set(key, String(value)); }
	removeItem(key) { this.#map.delete(key); }
}

/** usable returns localStorage or sessionStorage if they can be written. */
export function usable(name) {
	try {
		const storage = globalThis[name];
		storage.setItem('nebula.probe', '1');
		storage.removeItem('nebula.probe');
		return storage;
	} catch {
		return new MemoryStorage();
	}
}

export class Prefs {
	#lasting;
	#tab;
	#read;

	constructor(lasting, tab) {
		this.#lasting = lasting;
		this.#tab = tab;
		this.#read = load(lasting, 'nebula.read', {});
	}

	/** rooms are those of this tab, or of the last one for a new tab. */
	get rooms() {
		const list = load(this.#tab, 'nebula.rooms', null) ?? load(this.#lasting, 'nebula.rooms', []);
		return Array.isArray(list) ? list.filter((name) => typeof name === 'string').slice(0, 100) : [];
	}

	set rooms(list) {
		save(this.#tab, 'nebula.rooms', list);
		save(this.#lasting, 'nebula.rooms', list);
	}

	/** readTo is the seq up to which a room was read, undefined if never. */
	readTo(room) {
		const seq = Object.hasOwn(this.#read, room) ? this.#read[room] : undefined;
		return Number.isSafeInteger(seq) ? seq : undefined;
	}

	setReadTo(room, seq) {
		if (this.readTo(room) === seq) return;
		delete this.#read[room]; // the last one read stands last
		this.#read[room] = seq;
		const names = Object.keys(this.#read);
		if (names.length > READ_AT_MOST) delete this.#read[names[0]];
		save(this.#lasting, 'nebula.read', this.#read);
	}

	draft(room) {
		const drafts = load(this.#tab, 'nebula.drafts', {});
		return typeof drafts[room] === 'string' ? drafts[room] : '';
	}

	setDraft(room, text) {
		const drafts = load(this.#tab, 'nebula.drafts', {});
		if (text) drafts[room] = text;
		else delete drafts[room];
		save(this.#tab, 'nebula.drafts', drafts);
	}
}

function load(storage, key, fallback) {
	try {
		return JSON.parse(storage.getItem(key)) ?? fallback;
	} catch {
		return fallback;
	}
}

function save(storage, key, value) {
	try {
		storage.setItem(key, JSON.stringify(value));
	} catch {
		// full or refused: it is not remembered
	}
}
