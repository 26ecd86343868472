// Messages on their way: order, resending, refusals, tabs, restarts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_WAITING } from '../static/core/outbox.js';
import { FakeStorage, msg, msgs, World } from './fake.mjs';

async function inRoom(options, answer = {}) {
	const w = new World(options);
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby', answer);
	return w;
}

async function lose(w) {
	w.socket.end(1006);
	w.clock.pass(20_000);
	await w.welcome();
}

const texts = (list) => list.map((m) => m.text);

test('pending, then acked when the ack comes before the message', async () => {
	const w = await inRoom();
	assert.equal(w.client.say('lobby', 'hello'), true);
	const [{ id }] = w.take('message');
	assert.match(id, /^[A-Za-z0-9_-]{1,64}$/);
	assert.deepEqual(w.view('lobby'), ['0 hello pending']);
	w.ack('lobby', id, 1);
	assert.deepEqual(w.view('lobby'), ['1 hello acked']);
	w.live('lobby', msg(1, { user: 'me', id, text: 'hello' }));
	assert.deepEqual(w.view('lobby'), ['1 hello acked']);
	assert.equal(w.storage.length, 0);
});

test('pending, then acked when the message comes before the ack', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'hello');
	const [{ id }] = w.take('message');
	w.live('lobby', msg(1, { user: 'me', id, text: 'hello' }));
	assert.deepEqual(w.view('lobby'), ['1 hello pending']);
	assert.equal(w.storage.length, 1);
	w.ack('lobby', id, 1);
	assert.deepEqual(w.view('lobby'), ['1 hello acked']);
});

test("another user's message with our id is not ours", async () => {
	const w = await inRoom();
	w.client.say('lobby', 'hello');
	const [{ id }] = w.take('message');
	w.live('lobby', msg(1, { user: 'you', id, text: 'theirs' }));
	assert.deepEqual(w.view('lobby'), ['1 theirs', '0 hello pending']);
});

test('one message of a room is on its way at a time; rooms do not wait for each other', async () => {
	const w = await inRoom();
	w.client.join('other');
	w.joined('other');
	for (const text of ['a', 'b', 'c']) w.client.say('lobby', text);
	w.client.say('other', 'x');
	const first = w.take('message');
	assert.deepEqual(texts(first), ['a', 'x']);
	w.ack('lobby', first[0].id, 1);
	assert.deepEqual(texts(w.take('message')), ['b']);
});

test('ids sort in the order of writing', async () => {
	const w = await inRoom();
	for (let i = 0; i < 50; i++) {
		w.client.say('lobby', `m${i}`);
		if (i % 7 === 0) w.clock.time -= 500; // a clock that is set back
		if (i % 5 === 0) w.clock.time += 3;
	}
	const ids = w.client.outbox.of('lobby').map((item) => item.id);
	assert.deepEqual(ids, [...ids].sort());
	assert.equal(new Set(ids).size, 50);
});

test('typed while offline: sent in order with the same ids once back', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	const [{ id }] = w.take('message');
	w.socket.end(1006);
	w.client.say('lobby', 'b');
	w.client.say('lobby', 'c');
	assert.deepEqual(w.view('lobby'), ['0 a pending', '0 b pending', '0 c pending']);
	w.clock.pass(1_000);
	await w.welcome();
	assert.deepEqual(w.take('message'), []); // not before the room is joined
	w.joined('lobby');
	const order = [];
	for (let seq = 1; seq <= 3; seq++) {
		const [m] = w.take('message');
		order.push(m.text);
		if (seq === 1) assert.equal(m.id, id);
		w.ack('lobby', m.id, seq);
	}
	assert.deepEqual(order, ['a', 'b', 'c']);
	assert.equal(w.client.outbox.size, 0);
});

test('taken, but the ack was lost: the resend is acked with the first seq and shown once', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	const [{ id }] = w.take('message');
	await lose(w);
	w.joined('lobby', { messages: [msg(1, { user: 'me', id, text: 'a' }), msg(2)] });
	assert.deepEqual(w.view('lobby'), ['1 a pending', '2 t2']);
	assert.equal(w.take('message')[0].id, id);
	w.ack('lobby', id, 1);
	assert.deepEqual(w.view('lobby'), ['1 a acked', '2 t2']);
});

test('a restart: seen but never acked vanishes from its place, is sent again and comes anew', async () => {
	const w = await inRoom({}, { messages: msgs(1, 5) });
	w.client.say('lobby', 'mine');
	const [{ id }] = w.take('message');
	w.live('lobby', msg(6, { user: 'me', id, text: 'mine' }));
	assert.equal(w.view('lobby').at(-1), '6 mine pending');
	await lose(w);
	w.joined('lobby', { epoch: 'e2', messages: [...msgs(1, 5), msg(6, { id: 'someone', text: 'other' })], complete: false });
	assert.deepEqual(w.view('lobby').slice(-2), ['6 other', '0 mine pending']);
	assert.equal(w.take('message')[0].id, id);
	w.live('lobby', msg(7, { user: 'me', id, text: 'mine' }));
	w.ack('lobby', id, 7);
	assert.deepEqual(w.view('lobby').slice(-2), ['6 other', '7 mine acked']);
});

test('an ack whose message never came live is not shown twice after a resume', async () => {
	const w = await inRoom({}, { messages: msgs(1, 2) });
	w.client.say('lobby', 'mine');
	const [{ id }] = w.take('message');
	w.ack('lobby', id, 3);
	await lose(w);
	w.joined('lobby', { messages: [msg(3, { user: 'me', id, text: 'mine' })] });
	assert.deepEqual(w.view('lobby'), ['1 t1', '2 t2', '3 mine acked']);
});

test('rate_limited and busy: the same message again, not before retry_ms, nothing overtakes it', async () => {
	for (const code of ['rate_limited', 'busy']) {
		const w = await inRoom();
		w.client.say('lobby', 'a');
		w.client.say('lobby', 'b');
		const [{ id }] = w.take('message');
		w.error(code, { room: 'lobby', id, retry_ms: 3_000 });
		w.clock.pass(2_999);
		assert.deepEqual(w.take('message'), [], code);
		assert.equal(w.view('lobby')[0], '0 a pending');
		w.clock.pass(1);
		assert.deepEqual(w.take('message').map((m) => m.id), [id], code);
		assert.deepEqual(w.errors, []);
	}
});

test('a rate limit holds all rooms back', async () => {
	const w = await inRoom();
	w.client.join('other');
	w.joined('other');
	w.client.say('lobby', 'a');
	const [{ id }] = w.take('message');
	w.error('rate_limited', { room: 'lobby', id, retry_ms: 3_000 });
	w.client.say('other', 'x');
	assert.deepEqual(w.take('message'), []);
	w.clock.pass(2_999);
	assert.deepEqual(w.take('message'), []);
	w.clock.pass(1 + 100); // one tries, the other follows at the rate of the welcome
	assert.deepEqual(texts(w.take('message')).sort(), ['a', 'x']);
});

test('unavailable, internal and silence: the same id again, for as long as it takes', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	const [{ id }] = w.take('message');
	for (let i = 0; i < 12; i++) {
		if (i % 3 === 0) w.error('unavailable', { room: 'lobby', id, retry_ms: 100 });
		if (i % 3 === 1) w.error('internal', { room: 'lobby', id });
		w.clock.pass(i % 3 === 2 ? 20_000 : 11_000); // silence: 8 s, then the waiting time
		w.socket.say({ type: 'pong' });
		const again = w.take('message');
		assert.ok(again.length >= 1 && again.every((m) => m.id === id), `attempt ${i}: ${JSON.stringify(again)}`);
	}
	assert.equal(w.view('lobby')[0], '0 a pending');
});

test('a refusal for good: failed, the next goes on, retry keeps the id, discard gives the text back', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	w.client.say('lobby', 'b');
	const [{ id }] = w.take('message');
	w.error('bad_text', { room: 'lobby', id });
	assert.deepEqual(w.view('lobby'), ['0 a failed', '0 b pending']);
	assert.equal(w.client.outbox.waiting, 1);
	assert.equal(w.client.view('lobby')[0].failed, 'bad_text');
	const [b] = w.take('message');
	assert.equal(b.text, 'b');
	w.ack('lobby', b.id, 1);
	w.client.retry(id);
	assert.equal(w.take('message')[0].id, id);
	w.error('too_long', { room: 'lobby', id });
	assert.equal(w.client.discard(id), 'a');
	assert.equal(w.client.outbox.size, 0);
	assert.equal(w.storage.length, 0);
});

test('not joined any more: joins again and sends again, and gives up in the end', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	w.take('join');
	for (let i = 0; i < 2; i++) {
		const [{ id }] = w.take('message');
		w.error('not_joined', { room: 'lobby', id });
		assert.equal(w.take('join').length, 1);
		w.joined('lobby');
	}
	const [{ id }] = w.take('message');
	w.error('not_joined', { room: 'lobby', id });
	assert.equal(w.view('lobby')[0], '0 a failed');
});

test('while the server says goodbye nothing is sent; what was sent may still be acked', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	const [{ id }] = w.take('message');
	w.socket.say({ type: 'goodbye', reason: 'restart', retry_ms: 1000 });
	w.client.say('lobby', 'b');
	w.ack('lobby', id, 1);
	assert.deepEqual(w.take('message'), []);
	assert.equal(w.client.outbox.size, 1);
});

test('the outbox survives the tab: the next one opens the room and sends with the same ids, in order', async () => {
	const storage = new FakeStorage();
	const w = await inRoom({ storage, tab: 'old' });
	w.client.say('lobby', 'a');
	w.client.say('lobby', 'b');
	const [{ id }] = w.take('message');
	const w2 = new World({ storage, tab: 'new' });
	w2.alive = new Set(['new']);
	await w2.welcome();
	assert.deepEqual(w2.client.rooms(), ['lobby']);
	w2.joined('lobby');
	assert.deepEqual(w2.view('lobby'), ['0 a pending', '0 b pending']);
	const [first] = w2.take('message');
	assert.deepEqual([first.id, first.text], [id, 'a']);
	w2.ack('lobby', first.id, 1);
	const [second] = w2.take('message');
	assert.equal(second.text, 'b');
	w2.ack('lobby', second.id, 2);
	assert.equal(storage.length, 0);
});

test('what a living tab has to send is left to it, until it is gone', async () => {
	const storage = new FakeStorage();
	const w = await inRoom({ storage, tab: 'old' });
	w.client.say('lobby', 'a');
	const w2 = await inRoom({ storage, tab: 'new' });
	w2.alive = new Set(['old', 'new']);
	await w2.client.adopt();
	assert.equal(w2.client.outbox.size, 1); // taken before alive was known to hold old
	const w3 = new World({ storage, tab: 'third' });
	w3.alive = new Set(['old', 'new', 'third']);
	await w3.welcome();
	assert.equal(w3.client.outbox.size, 0);
	w3.alive = new Set(['third']);
	await w3.client.adopt();
	assert.equal(w3.client.outbox.size, 1);
});

test('two tabs that send the same item show it once each', async () => {
	const storage = new FakeStorage();
	const w = await inRoom({ storage, tab: 'one' });
	w.client.say('lobby', 'a');
	const [{ id }] = w.take('message');
	const w2 = await inRoom({ storage, tab: 'two' });
	w2.alive = null; // nothing is known about other tabs
	await w2.client.adopt();
	assert.equal(w2.take('message')[0].id, id);
	for (const each of [w, w2]) {
		each.live('lobby', msg(1, { user: 'me', id, text: 'a' }));
		each.ack('lobby', id, 1);
		assert.deepEqual(each.view('lobby'), ['1 a acked']);
	}
	assert.equal(storage.length, 0);
});

test("another user's outbox is not touched", async () => {
	const storage = new FakeStorage();
	const w = await inRoom({ storage, tab: 'one', user: 'ada' });
	w.client.say('lobby', 'a');
	const w2 = await inRoom({ storage, tab: 'two', user: 'ada2' });
	await w2.client.adopt();
	assert.equal(w2.client.outbox.size, 0);
	assert.equal(storage.length, 1);
});

test('the server knows us as someone new: unsent goes along, what was sent is for people to decide', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'sent');
	w.client.say('lobby', 'unsent');
	w.user = 'other';
	await lose(w);
	w.joined('lobby');
	assert.deepEqual(w.view('lobby'), ['0 sent failed', '0 unsent pending']);
	assert.equal(w.client.view('lobby')[0].failed, 'new_user');
	assert.deepEqual(texts(w.take('message')), ['unsent']);
	assert.ok([...w.storage.map.keys()].every((key) => key.startsWith('nebula.outbox.other.')));
});

test('failed items are still failed in the next tab', async () => {
	const storage = new FakeStorage();
	const w = await inRoom({ storage, tab: 'old' });
	w.client.say('lobby', 'a');
	w.error('bad_text', { room: 'lobby', id: w.take('message')[0].id });
	const w2 = await inRoom({ storage, tab: 'new' });
	await w2.client.adopt();
	assert.deepEqual(w2.view('lobby'), ['0 a failed']);
	assert.deepEqual(w2.take('message'), []);
});

test('storage that refuses or holds rubbish loses nothing that is in memory', async () => {
	const storage = new FakeStorage();
	storage.setItem('nebula.outbox.me.x', '{"id":');
	storage.setItem('nebula.outbox.me.y', 'null');
	storage.setItem('nebula.outbox.me.z', '{"id":"other","room":"lobby","text":"t"}');
	storage.full = true;
	const w = await inRoom({ storage });
	assert.equal(w.client.say('lobby', 'a'), true);
	assert.equal(w.client.outbox.saved, false);
	assert.deepEqual(texts(w.take('message')), ['a']);
	assert.deepEqual(w.view('lobby'), ['0 a pending']);
});

test('too many waiting messages are not taken', async () => {
	const w = await inRoom();
	for (let i = 0; i < MAX_WAITING; i++) assert.equal(w.client.say('lobby', `m${i}`), true);
	assert.equal(w.client.say('lobby', 'one more'), false);
	w.ack('lobby', w.take('message')[0].id, 1);
	assert.equal(w.client.say('lobby', 'one more'), true);
});

test('leaving a room takes its waiting messages along', async () => {
	const w = await inRoom();
	w.client.say('lobby', 'a');
	w.client.leave('lobby');
	assert.equal(w.storage.length, 0);
	await lose(w);
	assert.deepEqual(w.client.rooms(), []);
});

test('an ack of something older than what is shown adds nothing at the end', async () => {
	const w = await inRoom({}, { messages: msgs(900, 950), complete: false });
	w.client.say('lobby', 'taken long ago');
	w.ack('lobby', w.take('message')[0].id, 12);
	assert.equal(w.view('lobby').at(-1), '950 t950');
});

test('what is taken over from another tab goes out before what was written later', async () => {
	const storage = new FakeStorage();
	const old = await inRoom({ storage, tab: 'old' });
	old.client.say('lobby', 'first');
	old.clock.pass(1_000);
	const w = await inRoom({ storage: new FakeStorage(), tab: 'new' });
	w.clock.pass(1_000);
	w.client.say('lobby', 'on its way');
	w.client.say('lobby', 'last');
	for (const [key, value] of storage.map) w.storage.setItem(key, value);
	await w.client.adopt();
	w.ack('lobby', w.take('message')[0].id, 1);
	assert.deepEqual(texts(w.take('message')), ['first']);
});
