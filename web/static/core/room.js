// The messages of one room as this page has them: one rising order, nothing
// twice, and what is missing known to be missing. It asks for nothing itself;
// the client sends what resume() and wanted() say.

import { FILL_PAGE, PAGE } from './protocol.js';

/** A hole wider than this is not filled: older messages come on scrolling up. */
const FILL_AT_MOST = 2000;

export class Room {
	/** '' not asked, 'joining', 'joined', 'failed' */
	status = '';
	/** error code while status is 'failed' */
	failure = '';
	epoch = '';
	/** newest seq that was seen in epoch; a live message must be the next one */
	last = 0;
	/** known messages, by rising seq */
	messages = [];
	/** whether the server has messages before messages[0] */
	older = false;
	/**
	 * Where messages are missing: those between seq below and seq above. verify:
	 * the epoch changed, so what is below counts only once a fetched message is
	 * seen to be the same as ours.
	 */
	gap = null;
	/** the history request that is not answered yet: {before, fill} */
	asked = null;
	/** acked messages of ours whose own event has not come yet, by id */
	echoes = new Map();

	constructor(name) {
		this.name = name;
	}

	/** resume is what a join says about the messages that we have. */
	resume() {
		return this.epoch ? { epoch: this.epoch, after: this.last } : {};
	}

	/** joined takes the answer to a join. It returns the messages that are new. */
	joined(answer) {
		const known = this.epoch !== '';
		const before = this.last;
		const sameEpoch = this.epoch === answer.epoch;
		if (!known) {
			this.messages = answer.messages;
			this.older = !answer.complete;
		} else if (answer.complete) {
			this.messages.push(...answer.messages.filter((m) => m.seq > this.last));
		} else {
			this.#newestPage(answer, sameEpoch);
		}
		this.epoch = answer.epoch;
		this.last = answer.seq;
		this.status = 'joined';
		this.failure = '';
		this.asked = null;
		for (const [id, echo] of this.echoes) if (!sameEpoch || echo.seq <= this.last) this.echoes.delete(id);
		return known ? answer.messages.filter((m) => m.seq > before || !sameEpoch) : [];
	}

	/**
	 * #newestPage puts the newest page behind what we have. Of ours, everything
	 * from its first seq on is replaced: a message that was seen but never became
	 * durable is not in the page, and vanishes here.
	 */
	#newestPage({ messages: page, seq }, sameEpoch) {
		if (page.length === 0) {
			this.messages = [];
			this.gap = null;
			this.older = seq > 0;
			return;
		}
		const first = page[0].seq;
		const met = meets(this.messages, page);
		let kept = this.messages.filter((m) => m.seq < first);
		const reaches = met || (sameEpoch && kept.at(-1)?.seq === first - 1);
		if (this.gap && (this.gap.above >= first || !reaches)) {
			// Two holes are one too many: what is below the older one goes, and comes back on scrolling up.
			const { above } = this.gap;
			kept = kept.filter((m) => m.seq >= above);
			this.older = true;
			this.gap = null;
		}
		if (!reaches && kept.length > 0) {
			const below = kept.at(-1).seq;
			if (first - below > FILL_AT_MOST) kept = [];
			else this.gap = { below, above: first, verify: !sameEpoch };
		}
		if (kept.length === 0) this.older = true;
		this.messages = kept.concat(page);
	}

	/** live takes a message event: 'added', 'double', or 'hole' if some before it did not come. */
	live(m) {
		if (m.seq <= this.last) return 'double';
		if (m.seq !== this.last + 1) return 'hole';
		this.last = m.seq;
		this.messages.push(m);
		this.echoes.delete(m.id);
		return 'added';
	}

	/** wanted is the history request that should be sent now, null if none. */
	wanted(scrolledUp) {
		if (this.status !== 'joined' || this.asked) return null;
		if (this.gap) return { before: this.gap.above, limit: FILL_PAGE, fill: true };
		if (scrolledUp && this.older && this.messages.length > 0) {
			return { before: this.messages[0].seq, limit: PAGE, fill: false };
		}
		return null;
	}

	/** history takes the answer to the request in asked. */
	history(answer) {
		const asked = this.asked;
		this.asked = null;
		if (!asked) return;
		const page = answer.messages.filter((m) => m.seq < asked.before);
		if (page.length < answer.messages.length) return; // the late answer to a request that was repeated
		if (asked.fill) this.#fill(asked, page, answer.more);
		else this.#prepend(asked, page, answer.more);
	}

	#prepend(asked, page, more) {
		if (this.messages[0]?.seq !== asked.before) return; // they were replaced meanwhile
		this.messages = page.concat(this.messages);
		this.older = more && page.length > 0;
	}

	#fill(asked, page, more) {
		if (this.gap?.above !== asked.before) return;
		const upper = this.messages.filter((m) => m.seq >= asked.before);
		if (page.length === 0) {
			this.messages = upper;
			this.gap = null;
			this.older = more;
			return;
		}
		const first = page[0].seq;
		const lower = this.messages.filter((m) => m.seq < first);
		const met = meets(this.messages, page);
		const reaches = met || (!this.gap.verify && lower.at(-1)?.seq === first - 1);
		this.messages = lower.concat(page, upper);
		if (reaches) {
			this.gap = null;
		} else if (lower.length === 0) {
			this.gap = null;
			this.older = more;
		} else if (!more) {
			this.messages = page.concat(upper); // what we have below exists no more
			this.gap = null;
			this.older = false;
		} else {
			this.gap = { ...this.gap, below: lower.at(-1).seq, above: first };
		}
	}

	/** unread counts what others wrote after seq readTo; more: there may be others that we do not have. */
	unread(readTo, me) {
		let count = 0;
		for (let i = this.messages.length - 1; i >= 0; i--) {
			if (this.messages[i].seq <= readTo) return { count, more: false };
			if (this.messages[i].user !== me) count++;
		}
		return { count, more: this.older && this.messages.length > 0 };
	}

	/** trim forgets the oldest messages past max; they can be fetched again. */
	trim(max) {
		if (this.messages.length <= max) return;
		this.messages = this.messages.slice(-max);
		this.older = true;
		if (this.gap && this.messages[0].seq > this.gap.below) this.gap = null;
	}
}

/** meets tells whether a message of page is one that we have, seq and identity. */
function meets(ours, page) {
	const bySeq = new Map();
	for (let i = ours.length - 1; i >= 0 && ours[i].seq >= page[0].seq; i--) bySeq.set(ours[i].seq, ours[i]);
	return page.some((m) => {
		const mine = bySeq.get(m.seq);
		return mine !== undefined && mine.id === m.id && mine.user === m.user;
	});
}
