// Waiting times between attempts: doubling, with jitter, so that the clients of
// a server that fell do not all come back at the same moment.

export class Backoff {
	#attempt = 0;
	#base;
	#max;
	#random;

	constructor({ base = 500, max = 15000, random = Math.random } = {}) {
		this.#base = base;
		this.#max = max;
		this.#random = random;
	}

	/** next is the time to wait in ms: between half and all of what the attempt allows. */
	next() {
		const cap = Math.min(this.#max, this.#base * 2 ** Math.min(this.#attempt, 20));
		this.#attempt++;
		return Math.round(cap / 2 + (this.#random() * cap) / 2);
	}

	reset() {
		this.#attempt = 0;
	}
}
