// Rate limits: announced, met all the same, and never so often that the server closes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from '../static/core/pace.js';
import { FakeClock, World } from './fake.mjs';

/** A server's bucket, as the user's limit on one node. */
class Bucket {
	constructor(clock, rate, burst) {
		Object.assign(this, { clock, rate, burst, tokens: burst, at: clock.now() });
	}

	take() {
		const now = this.clock.now();
		this.tokens = Math.min(this.burst, this.tokens + ((now - this.at) * this.rate) / 1000);
		this.at = now;
		if (this.tokens < 1) return Math.ceil(((1 - this.tokens) * 1000) / this.rate);
		this.tokens--;
		return 0;
	}
}

/** serve lets pages send through one bucket until all is acked; it returns the times of refusals by page. */
async function serve(pages, rate, burst) {
	const clock = pages[0].clock;
	const bucket = new Bucket(clock, rate, burst);
	const refusals = pages.map(() => []);
	let seq = 0;
	for (let ms = 0; ms < 120_000 && pages.some((w) => w.client.outbox.size > 0); ms += 5) {
		for (const [i, w] of pages.entries()) {
			for (const m of w.take('message')) {
				const retry = bucket.take();
				if (retry === 0) w.ack(m.room, m.id, ++seq);
				else {
					refusals[i].push(clock.now());
					w.error('rate_limited', { room: m.room, id: m.id, retry_ms: retry });
				}
			}
		}
		clock.pass(5);
		for (const w of pages) if (w.clock !== clock) w.clock.pass(5);
	}
	assert.ok(pages.every((w) => w.client.outbox.size === 0), 'all of it went out');
	return refusals;
}

/** most is the largest number of times within any 10 s. */
const most = (times) => Math.max(0, ...times.map((t) => times.filter((u) => u >= t && u < t + 10_000).length));

async function queued(rooms, each) {
	const w = new World();
	await w.welcome();
	for (let r = 0; r < rooms; r++) {
		w.client.join(`room${r}`);
		for (let i = 0; i < each; i++) w.client.say(`room${r}`, `m${i}`);
	}
	for (let r = 0; r < rooms; r++) w.joined(`room${r}`);
	return w;
}

test('what waited for long goes out at the announced rate, without a refusal', async () => {
	const w = await queued(1, 150);
	const began = w.clock.now();
	assert.deepEqual(await serve([w], 10, 20), [[]]);
	assert.ok(w.clock.now() - began < 14_000, `${w.clock.now() - began} ms for 150 messages`);
});

test('many rooms share the rate', async () => {
	assert.deepEqual(await serve([await queued(12, 10)], 10, 20), [[]]);
});

test('two tabs of one user meet the limit, but never so often that they are closed', async () => {
	const pages = [await queued(4, 30), await queued(4, 30)];
	for (const times of await serve(pages, 10, 20)) assert.ok(times.length > 0 && most(times) < 17, `${most(times)} refusals in 10 s`);
});

test('a server stricter than it says is met once a second', async () => {
	const [times] = await serve([await queued(3, 10)], 1, 1);
	assert.ok(most(times) <= 13, `${most(times)} refusals in 10 s`);
});

test('no limit, no wait; a refusal holds all the same', () => {
	const clock = new FakeClock();
	const pace = new Pace(clock);
	pace.limit({ rate: 0, burst: 0 });
	for (let i = 0; i < 1000; i++) {
		assert.equal(pace.wait(), 0);
		pace.sent();
	}
	pace.refused(0);
	assert.equal(pace.wait(), 1000);
	clock.pass(1000);
	assert.equal(pace.wait(), 0);
});

test('another connection does not fill the bucket again', () => {
	const clock = new FakeClock();
	const pace = new Pace(clock);
	pace.limit({ rate: 10, burst: 2 });
	pace.sent();
	pace.sent();
	pace.limit({ rate: 10, burst: 2 });
	assert.equal(pace.wait(), 100);
});
