// How fast messages may go out: by the limit that the server announced. It
// counts a user's messages of all tabs, so it can be met all the same; then one
// message a second tries, or the server would close the connection, which it
// does after 20 refusals in 10 s.

const AFTER_REFUSAL = 1_000;

export class Pace {
	#clock;
	#rate = 0; // messages a second; 0: as many as one likes
	#burst = 0;
	#tokens = 0; // messages that may go out now; below 1: how long to wait
	#at = 0; // when that was so

	constructor(clock) {
		this.#clock = clock;
	}

	/** limit takes what a welcome says. */
	limit({ rate = 0, burst = 0 }) {
		if (rate === this.#rate && burst === this.#burst) return; // another connection does not fill the bucket
		this.#rate = rate;
		this.#burst = Math.max(1, burst);
		this.#tokens = this.#burst;
		this.#at = this.#clock.now();
	}

	/** wait is how long in ms no message may be sent. */
	wait() {
		if (this.#rate === 0) return Math.max(0, this.#at - this.#clock.now());
		const now = this.#clock.now();
		this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) * this.#rate) / 1000);
		this.#at = now;
		return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1000) / this.#rate);
	}

	sent() {
		this.#tokens--;
	}

	/** refused: there was no room for a message. retryMs is what the server says. */
	refused(retryMs) {
		const hold = Math.max(retryMs, AFTER_REFUSAL);
		if (this.#rate > 0) this.#tokens = 1 - (hold * this.#rate) / 1000; // one message at the end of it
		this.#at = this.#clock.now() + (this.#rate > 0 ? 0 : hold);
	}
}
