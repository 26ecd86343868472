// Who is in a room, over a server's restart, and what people are told of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { People } from '../static/core/people.js';
import { entries } from '../static/ui/entries.js';
import { initials, onlyEmoji, parts, typingText } from '../static/ui/format.js';
import { msg, World } from './fake.mjs';

const me = { user: 'me', name: 'Me' };
const who = (name) => ({ user: name.toLowerCase(), name });

async function inRoom(users) {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby', { users });
	return w;
}

async function restart(w, users) {
	w.socket.say({ type: 'goodbye', reason: 'restart', retry_ms: 1000 });
	w.socket.end(1012);
	w.clock.pass(1000);
	await w.welcome();
	w.joined('lobby', { epoch: 'e2', users });
}

const presence = (w, more) => w.socket.say({ type: 'presence', room: 'lobby', ...more });

test('a restart: who comes back is no news, who does not has left', async () => {
	const w = await inRoom([who('Ada'), who('Bob'), who('Cy'), me]);
	await restart(w, [who('Ada'), me]);
	assert.deepEqual(w.client.people('lobby').list('me').map((p) => p.name), ['Me', 'Ada']);
	presence(w, { count: 3, joined: [who('Bob')] });
	assert.equal(w.client.people('lobby').count, 3);
	presence(w, { count: 4, joined: [who('Dan')] });
	assert.deepEqual(w.notices.splice(0), [['lobby', { joined: [who('Dan')], left: [] }]]);
	w.clock.pass(20_000);
	assert.deepEqual(w.notices.splice(0), [['lobby', { joined: [], left: [who('Cy')] }]]);
	presence(w, { count: 5, joined: [who('Cy')] });
	assert.deepEqual(w.notices.splice(0), [['lobby', { joined: [who('Cy')], left: [] }]]);
});

test('a restart: who came back and leaves again is told of once', async () => {
	const w = await inRoom([who('Ada'), me]);
	await restart(w, [who('Ada'), me]);
	presence(w, { count: 1, left: [who('Ada')] });
	w.clock.pass(20_000);
	assert.deepEqual(w.notices, [['lobby', { joined: [], left: [who('Ada')] }]]);
});

test('a connection lost again while others come back', async () => {
	const w = await inRoom([who('Ada'), who('Bob'), me]);
	await restart(w, [me]);
	await restart(w, [me]);
	presence(w, { count: 3, joined: [who('Ada'), who('Bob')] });
	w.clock.pass(30_000);
	assert.deepEqual(w.notices, []);
});

test('of a room too large to be known by name nobody is said to have left', () => {
	const p = new People();
	p.page(0, [who('Ada')], 5000);
	p.lost();
	p.page(0, [], 4000);
	assert.deepEqual(p.settled(), []);
});

test('on a connection that is gone nobody is typing, and the page is told', async () => {
	const w = await inRoom([who('Ada'), me]);
	w.socket.say({ type: 'typing', room: 'lobby', ...who('Ada') });
	w.changes.length = 0;
	w.socket.end(1006);
	assert.deepEqual(w.client.typing('lobby'), []);
	assert.ok(w.changes.some(([kind]) => kind === 'state'));
});

test('what the log shows: order of lines, the new ones, nothing between failed and next', () => {
	const base = { lines: [], gap: null, first: true, older: false, newAfter: null, room: 'r', me: 'me', now: 2000 };
	const kinds = (more) => entries({ ...base, ...more }).map((e) => e.kind).join(' ');
	assert.equal(kinds({ rows: [] }), 'beginning');
	assert.match(entries({ ...base, rows: [] })[0].text, /Nobody/);
	assert.equal(kinds({ rows: [msg(1), msg(2)], older: true }), 'more day message message');
	assert.equal(kinds({ rows: [msg(1), msg(2)], newAfter: 0 }), 'beginning day new message message');
	assert.equal(kinds({ rows: [msg(1, { user: 'me' }), msg(2)], newAfter: 0 }), 'beginning day message new message');
	assert.equal(kinds({ rows: [msg(1), msg(9)], gap: { below: 1, above: 9 } }), 'beginning day message gap message');
	const line = { key: 'n1', after: 1, time: 0, people: new Map([['a', { name: 'A', came: true }]]) };
	assert.equal(kinds({ rows: [msg(1), msg(2)], lines: [line] }), 'beginning day message notice message');
});

test('links are http addresses, everything else is text', () => {
	const links = (text) => parts(text).filter((p) => p.href).map((p) => p.text);
	assert.deepEqual(links('see https://a.example/x?y=1#z, (http://b.example/(c)). javascript:alert(1) data:text/html,x'), ['https://a.example/x?y=1#z', 'http://b.example/(c)']);
	assert.deepEqual(links('https://user:secret@a.example/ https:// ftp://x'), []);
	const text = 'a https://b.example/ c https://d.example.';
	assert.equal(parts(text).map((p) => p.text).join(''), text);
});

test('small things that people see', () => {
	assert.deepEqual(['Ada Lovelace', 'grace', '李 小龙', '', '👩‍👩‍👧 x'].map(initials), ['AL', 'G', '李小', '?', '👩‍👩‍👧X']);
	assert.deepEqual(['🎉🚀', 'a🎉', '123', ''].map(onlyEmoji), [true, false, false, false]);
	assert.deepEqual([[], ['A'], ['A', 'B'], ['A', 'B', 'C']].map(typingText), ['', 'A is typing', 'A and B are typing', 'Several people are typing']);
});
