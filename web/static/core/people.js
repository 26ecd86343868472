// Who is in a room, and what was lately announced about it.

import { USERS_PAGE } from './protocol.js';

/** Names past this many are not fetched: count still says how many there are. */
const FETCH_AT_MOST = 2000;

export class People {
	/** everybody in the room, on all nodes; what is known by name may be less */
	count = 0;

	#names = new Map(); // user -> name
	#fetched = 0; // entries of the server's sorted list seen so far
	#away = new Map(); // user -> name: those we knew when the connection was lost, until settled
	#sorted = null;

	get known() {
		return this.#names.size;
	}

	has(user) {
		return this.#names.has(user);
	}

	/** page takes users from offset on; offset 0 starts anew. */
	page(offset, users, count) {
		if (offset === 0) this.#names.clear();
		for (const { user, name } of users) this.#names.set(user, name);
		this.#fetched = users.length === 0 ? count : offset + users.length;
		this.count = count;
		this.#sorted = null;
	}

	/**
	 * lost: the connection is gone. If the server restarts, the others lose theirs
	 * too and come back one by one, which is no news to people.
	 */
	lost() {
		if (this.#names.size !== this.count) return; // we do not know them all
		for (const [user, name] of this.#names) this.#away.set(user, name);
	}

	/** settled ends the time that others have to come back too, and returns who did not. */
	settled() {
		const gone = [...this.#away].filter(([user]) => !this.#names.has(user));
		this.#away.clear();
		return gone.map(([user, name]) => ({ user, name }));
	}

	/** delta returns who is new to this list and who has gone from the room. */
	delta({ joined = [], left = [], count }) {
		const news = joined.filter(({ user }) => !this.#names.has(user) && !this.#away.has(user));
		for (const { user } of left) this.#away.delete(user);
		for (const { user, name } of joined) this.#names.set(user, name);
		for (const { user } of left) this.#names.delete(user);
		this.count = count;
		this.#sorted = null;
		return { joined: news, left };
	}

	/** wanted is the next presence request, null when enough is known. */
	wanted() {
		const limit = Math.min(USERS_PAGE, FETCH_AT_MOST - this.#fetched);
		if (limit <= 0 || this.#fetched >= this.count) return null;
		return { offset: this.#fetched, limit };
	}

	/** drifted tells that the list does not agree with count and should be fetched again. */
	drifted() {
		return this.count <= USERS_PAGE && this.#names.size !== this.count;
	}

	/** list is sorted by name, me first. */
	list(me) {
		if (!this.#sorted) {
			const collator = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true });
			this.#sorted = [...this.#names].map(([user, name]) => ({ user, name }));
			this.#sorted.sort((a, b) => (b.user === me) - (a.user === me) || collator.compare(a.name, b.name) || (a.user < b.user ? -1 : 1));
		}
		return this.#sorted;
	}
}
