// Rooms over connections: order, doubles, holes, resume, epochs, gaps.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { msg, msgs, World } from './fake.mjs';

async function inRoom(answer) {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby', answer);
	return w;
}

/** lose ends the connection and has the client back and welcomed. */
async function lose(w) {
	w.socket.end(1006);
	w.clock.pass(20_000);
	await w.welcome();
}

test('a first join asks for the newest page, nothing more', async () => {
	const w = new World();
	await w.welcome();
	assert.equal(w.client.join('#lobby '), 'lobby');
	assert.deepEqual(w.take('join'), [{ type: 'join', room: 'lobby' }]);
	w.joined('lobby', { messages: msgs(5, 9), complete: false });
	assert.deepEqual(w.seqs('lobby'), [5, 6, 7, 8, 9]);
	assert.equal(w.client.room('lobby').older, true);
	assert.deepEqual(w.take('history'), []);
});

test('a name that is none is not joined', async () => {
	const w = new World();
	await w.welcome();
	for (const bad of ['', '  ', 'a b', 'x'.repeat(65), '\u0301a', 'a/b']) assert.equal(w.client.join(bad), '', bad);
	for (const good of ['a', 'Ünï-1', 'क्षि', 'x'.repeat(64), '漢字', 'a:b.c_d']) assert.equal(w.client.join(good), good.normalize('NFC'), good);
	assert.equal(w.client.join('e\u0301'), '\u00e9');
});

test('live messages come once and in order', async () => {
	const w = await inRoom({ messages: msgs(1, 2) });
	w.live('lobby', msg(3));
	w.live('lobby', msg(3));
	w.live('lobby', msg(2));
	w.live('lobby', msg(4));
	assert.deepEqual(w.seqs('lobby'), [1, 2, 3, 4]);
});

test('a hole is noticed and closed by joining again', async () => {
	const w = await inRoom({ messages: msgs(1, 2) });
	w.take('join');
	w.live('lobby', msg(4));
	assert.deepEqual(w.take('join'), [{ type: 'join', room: 'lobby', epoch: 'e1', after: 2 }]);
	w.live('lobby', msg(5)); // before the answer: the answer holds it
	assert.deepEqual(w.seqs('lobby'), [1, 2]);
	w.joined('lobby', { messages: msgs(3, 5) });
	w.live('lobby', msg(6));
	assert.deepEqual(w.seqs('lobby'), [1, 2, 3, 4, 5, 6]);
});

test('messages before the joined of a new room are not shown twice', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.live('lobby', msg(3));
	w.joined('lobby', { messages: msgs(1, 3) });
	assert.deepEqual(w.seqs('lobby'), [1, 2, 3]);
});

test('resume takes up where it was', async () => {
	const w = await inRoom({ messages: msgs(1, 3) });
	await lose(w);
	assert.deepEqual(w.take('join'), [{ type: 'join', room: 'lobby', epoch: 'e1', after: 3 }]);
	w.joined('lobby', { messages: msgs(4, 6) });
	w.live('lobby', msg(7));
	assert.deepEqual(w.seqs('lobby'), [1, 2, 3, 4, 5, 6, 7]);
});

test('resume of a room that was empty', async () => {
	const w = await inRoom({ messages: [] });
	await lose(w);
	assert.deepEqual(w.take('join'), [{ type: 'join', room: 'lobby', epoch: 'e1', after: 0 }]);
	w.joined('lobby', { messages: msgs(1, 2) });
	assert.deepEqual(w.seqs('lobby'), [1, 2]);
});

test('more than a page was missed: the rest is fetched, page by page', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(501, 700), complete: false });
	assert.deepEqual(w.client.room('lobby').gap, { below: 10, above: 501, verify: false });
	assert.deepEqual(w.take('history'), [{ type: 'history', room: 'lobby', before: 501, limit: 200 }]);
	w.live('lobby', msg(701)); // goes on meanwhile
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(301, 500), more: true });
	assert.deepEqual(w.take('history'), [{ type: 'history', room: 'lobby', before: 301, limit: 200 }]);
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(101, 300), more: true });
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(11, 100), more: true }); // fewer than asked for
	assert.equal(w.client.room('lobby').gap, null);
	assert.deepEqual(w.seqs('lobby'), msgs(1, 701).map((m) => m.seq));
});

test('a fill that overlaps what we have ends there', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(100, 120), complete: false });
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(5, 99), more: true });
	assert.equal(w.client.room('lobby').gap, null);
	assert.deepEqual(w.seqs('lobby'), msgs(1, 120).map((m) => m.seq));
});

test('a page that meets ours leaves no gap', async () => {
	for (const first of [8, 11]) {
		const w = await inRoom({ messages: msgs(1, 10) });
		await lose(w);
		w.joined('lobby', { messages: msgs(first, 20), complete: false });
		assert.equal(w.client.room('lobby').gap, null);
		assert.deepEqual(w.seqs('lobby'), msgs(1, 20).map((m) => m.seq));
	}
});

test('a connection lost while a gap is open goes on with the gap', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(501, 510), complete: false });
	await lose(w);
	assert.deepEqual(w.take('join')[0].after, 510);
	w.joined('lobby', { messages: msgs(511, 512) });
	assert.deepEqual(w.take('history'), [{ type: 'history', room: 'lobby', before: 501, limit: 200 }]);
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(11, 500), more: true });
	assert.deepEqual(w.seqs('lobby'), msgs(1, 512).map((m) => m.seq));
});

test('a second gap gives up the older part, which can be scrolled to', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(501, 510), complete: false });
	await lose(w);
	w.joined('lobby', { messages: msgs(901, 910), complete: false });
	const room = w.client.room('lobby');
	assert.deepEqual(room.gap, { below: 510, above: 901, verify: false });
	assert.equal(room.messages[0].seq, 501);
	assert.equal(room.older, true);
});

test('a newest page that reaches over an open gap leaves no hidden hole', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(501, 510), complete: false });
	await lose(w);
	w.joined('lobby', { messages: msgs(400, 600), complete: false });
	assert.equal(w.client.room('lobby').gap, null);
	assert.deepEqual(w.seqs('lobby'), msgs(400, 600).map((m) => m.seq));
	assert.equal(w.client.room('lobby').older, true);
});

test('a message before the answer to a resuming join is not believed: the epoch may be another', async () => {
	const w = await inRoom({ messages: msgs(1, 3) });
	await lose(w);
	w.live('lobby', msg(4, { id: 'of another epoch' }));
	assert.deepEqual(w.seqs('lobby'), [1, 2, 3]);
});

test('older messages that come too late for what is shown are dropped', async () => {
	const w = await inRoom({ messages: msgs(1, 2100), complete: false });
	w.client.loadOlder('lobby');
	w.client.settle('lobby'); // forgets 1 to 100 meanwhile
	w.socket.say({ type: 'history', room: 'lobby', messages: [], more: false });
	assert.equal(w.client.room('lobby').older, true);
	assert.equal(w.seqs('lobby')[0], 101);
});

test('a gap too wide is not filled', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(5001, 5010), complete: false });
	assert.deepEqual(w.take('history'), []);
	assert.deepEqual(w.seqs('lobby'), msgs(5001, 5010).map((m) => m.seq));
	assert.equal(w.client.room('lobby').older, true);
});

test('a restart: what was seen but never stored vanishes, and seq may be used again', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	w.live('lobby', msg(11, { id: 'lost', text: 'never stored' }));
	w.live('lobby', msg(12, { id: 'lost2', text: 'never stored' }));
	await lose(w);
	assert.equal(w.take('join')[0].after, 12);
	// after 12 is beyond the end of e1, so the server sends its newest page.
	w.joined('lobby', { epoch: 'e2', messages: [...msgs(1, 10), msg(11, { id: 'new' })], complete: false });
	assert.deepEqual(w.view('lobby').slice(-2), ['10 t10', '11 t11']);
	assert.equal(w.client.room('lobby').messages.at(-1).id, 'new');
	assert.equal(w.client.room('lobby').gap, null);
	w.live('lobby', msg(12, { id: 'new2' }));
	assert.deepEqual(w.seqs('lobby'), msgs(1, 12).map((m) => m.seq));
});

test('a restart with more than a page since: what is below counts only once it was seen again', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	w.live('lobby', msg(11, { id: 'lost' }));
	await lose(w);
	w.joined('lobby', { epoch: 'e2', messages: msgs(300, 320, { user: 'new' }), complete: false });
	assert.equal(w.client.room('lobby').gap.verify, true);
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(12, 299, { user: 'new' }), more: true });
	// It borders on ours, and ours there is the lost one: one page more tells.
	assert.deepEqual(w.take('history').at(-1).before, 12);
	w.socket.say({ type: 'history', room: 'lobby', messages: [...msgs(9, 10), msg(11, { user: 'new' })], more: true });
	const room = w.client.room('lobby');
	assert.equal(room.gap, null);
	assert.equal(room.messages.find((m) => m.seq === 11).user, 'new');
	assert.deepEqual(w.seqs('lobby'), msgs(1, 320).map((m) => m.seq));
});

test('a restart where the cursor was stored resumes exactly', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { epoch: 'e2', messages: msgs(11, 13) });
	assert.deepEqual(w.seqs('lobby'), msgs(1, 13).map((m) => m.seq));
	await lose(w);
	assert.deepEqual(w.take('join')[0], { type: 'join', room: 'lobby', epoch: 'e2', after: 13 });
});

test('a restart that kept nothing empties the room', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { epoch: 'e2', messages: [], seq: 0, complete: false });
	assert.deepEqual(w.seqs('lobby'), []);
	w.live('lobby', msg(1, { id: 'fresh' }));
	assert.deepEqual(w.seqs('lobby'), [1]);
});

test('what we have below a gap and the server has not any more goes', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { epoch: 'e2', messages: msgs(300, 320), complete: false });
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(250, 299), more: false });
	assert.deepEqual(w.seqs('lobby'), msgs(250, 320).map((m) => m.seq));
	assert.equal(w.client.room('lobby').older, false);
});

test('scrolling up asks once, and for what is before the oldest', async () => {
	const w = await inRoom({ messages: msgs(101, 150), complete: false });
	w.client.loadOlder('lobby');
	w.client.loadOlder('lobby');
	assert.deepEqual(w.take('history'), [{ type: 'history', room: 'lobby', before: 101, limit: 50 }]);
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(51, 100), more: true });
	w.client.loadOlder('lobby');
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(1, 50), more: false });
	assert.deepEqual(w.seqs('lobby'), msgs(1, 150).map((m) => m.seq));
	w.client.loadOlder('lobby');
	assert.equal(w.take('history').length, 1); // the second one above; there is nothing older now
});

test('a history answer that never comes is asked for again', async () => {
	const w = await inRoom({ messages: msgs(101, 150), complete: false });
	w.client.loadOlder('lobby');
	w.take('history');
	w.clock.pass(8_000);
	assert.deepEqual(w.take('history'), [{ type: 'history', room: 'lobby', before: 101, limit: 50 }]);
});

test('the late answer to a request that was repeated is not taken for the answer to the next one', async () => {
	const w = await inRoom({ messages: msgs(1, 10) });
	await lose(w);
	w.joined('lobby', { messages: msgs(501, 510), complete: false });
	w.take('history');
	w.clock.pass(8_000);
	assert.equal(w.take('history')[0].before, 501); // asked again
	const first = { type: 'history', room: 'lobby', messages: msgs(301, 500), more: true };
	w.socket.say(first);
	assert.equal(w.take('history')[0].before, 301);
	w.socket.say(first); // the other answer
	assert.equal(w.take('history')[0].before, 301);
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(11, 300), more: true });
	assert.deepEqual(w.seqs('lobby'), msgs(1, 510).map((m) => m.seq));

	w.client.room('lobby').older = true;
	w.client.loadOlder('lobby');
	w.socket.say({ type: 'history', room: 'lobby', messages: msgs(1, 5), more: true });
	assert.deepEqual(w.seqs('lobby'), msgs(1, 510).map((m) => m.seq));
	assert.equal(w.client.room('lobby').older, true);
});

test('a join that is not answered or not possible now is tried again', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.take('join');
	w.clock.pass(8_000);
	assert.equal(w.take('join').length, 1);
	w.error('unavailable', { room: 'lobby', retry_ms: 700 });
	w.clock.pass(699);
	assert.equal(w.take('join').length, 0);
	w.clock.pass(1);
	assert.equal(w.take('join').length, 1);
});

test('a join that was refused says why and is not repeated', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.take('join');
	w.error('too_many_rooms', { room: 'lobby' });
	w.clock.pass(20_000);
	assert.equal(w.client.room('lobby').status, 'failed');
	assert.equal(w.client.room('lobby').failure, 'too_many_rooms');
	assert.deepEqual(w.take('join'), []);
	w.client.join('lobby'); // by hand
	assert.equal(w.take('join').length, 1);
});

test('what comes for a room that was left is ignored', async () => {
	const w = await inRoom({ messages: msgs(1, 2) });
	w.client.leave('lobby');
	assert.deepEqual(w.take('leave'), [{ type: 'leave', room: 'lobby' }]);
	w.live('lobby', msg(3));
	w.socket.say({ type: 'left', room: 'lobby' });
	assert.deepEqual(w.client.rooms(), []);
});

test('unread counts what others wrote since', async () => {
	const w = await inRoom({ messages: msgs(1, 4), complete: false });
	w.live('lobby', msg(5, { user: 'me' }));
	w.live('lobby', msg(6));
	assert.deepEqual(w.client.room('lobby').unread(3, 'me'), { count: 2, more: false });
	assert.deepEqual(w.client.room('lobby').unread(6, 'me'), { count: 0, more: false });
	assert.deepEqual(w.client.room('lobby').unread(0, 'me'), { count: 5, more: true });
});

test('a room read at its end keeps a bounded number of messages', async () => {
	const w = await inRoom({ messages: msgs(1, 2500) });
	w.client.settle('lobby');
	assert.deepEqual(w.seqs('lobby'), msgs(501, 2500).map((m) => m.seq));
	assert.equal(w.client.room('lobby').older, true);
	w.client.loadOlder('lobby');
	assert.equal(w.take('history')[0].before, 501);
});

test('a seeded storm of losses, restarts and holes never shows anything twice or out of order', async () => {
	for (let seed = 1; seed <= 60; seed++) await storm(seed);
});

/** storm plays one random history: the server stores a list; the client must end with exactly it. */
async function storm(seed) {
	let state = seed * 2654435761;
	const random = (n) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state % n;
	};
	const stored = []; // the truth
	let unstored = []; // sent live, lost at a restart
	let epoch = 1;
	let name = 0;
	const w = await inRoom({ epoch: 'e1', messages: [] });
	const online = () => w.client.connection.state === 'online';
	const next = () => (stored.at(-1)?.seq ?? 0) + unstored.length + 1;
	const ends = new Map(); // epoch -> last stored seq in it
	const answer = () => {
		for (const { type, epoch: e, after, before, limit } of w.socket.sent.splice(0)) {
			if (type === 'history') {
				const old = stored.filter((m) => m.seq < before);
				const page = old.slice(-Math.min(limit, 1 + random(limit)));
				w.socket.say({ type: 'history', room: 'lobby', messages: page, more: page.length < old.length });
			} else if (type === 'join') {
				const all = [...stored, ...unstored];
				const known = e === undefined ? false : e === `e${epoch}` ? after <= (all.at(-1)?.seq ?? 0) : ends.has(e) && after <= ends.get(e);
				const rest = known ? all.filter((m) => m.seq > after) : all;
				const complete = known ? rest.length <= 20 : all.length <= 20;
				w.joined('lobby', { epoch: `e${epoch}`, seq: all.at(-1)?.seq ?? 0, messages: complete && known ? rest : all.slice(-20), complete: known ? complete : complete && e === undefined });
			}
		}
	};
	for (let step = 0; step < 150; step++) {
		const what = random(12);
		if (what < 7) {
			const m = msg(next(), { id: `m${name++}` });
			if (random(3) === 0) unstored.push(m);
			else {
				stored.push(...unstored, m);
				unstored = [];
			}
			if (online() && random(10) > 0) w.live('lobby', m); // one in ten is lost on the way
		} else if (what < 9) {
			for (let i = random(60); i > 0; i--) {
				stored.push(...unstored, msg(next(), { id: `m${name++}` }));
				unstored = [];
			}
			if (online()) w.socket.end(1006);
		} else if (what === 9) {
			ends.set(`e${epoch}`, stored.at(-1)?.seq ?? 0);
			unstored = [];
			epoch++;
			if (online()) w.socket.end(1006);
		} else if (!online()) {
			w.clock.pass(16_000);
			await w.welcome();
		}
		if (online() && random(2) === 0) answer();
		const seqs = w.seqs('lobby');
		for (let i = 1; i < seqs.length; i++) assert.ok(seqs[i] > seqs[i - 1], `seed ${seed}: ${seqs}`);
	}
	if (online()) w.socket.end(1006);
	w.clock.pass(16_000);
	await w.welcome();
	stored.push(...unstored);
	unstored = [];
	for (let i = 0; i < 200 && w.socket.sent.length > 0; i++) answer();
	const got = w.client.room('lobby').messages.map((m) => `${m.seq}:${m.id}`);
	const want = stored.slice(stored.length - got.length).map((m) => `${m.seq}:${m.id}`);
	assert.deepEqual(got, want, `seed ${seed}`);
	assert.ok(got.length === stored.length || w.client.room('lobby').older, `seed ${seed}: the rest cannot be reached`);
}
