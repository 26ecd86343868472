// The life of the socket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../static/core/backoff.js';
import { cleanText, decode, sentence, textBytes } from '../static/core/protocol.js';
import { Notices, noticeText } from '../static/core/notices.js';
import { msg, World } from './fake.mjs';

const state = (w) => w.client.connection.state;

test('waiting times double up to the limit, with jitter', () => {
	const low = new Backoff({ base: 500, max: 15000, random: () => 0 });
	assert.deepEqual(Array.from({ length: 7 }, () => low.next()), [250, 500, 1000, 2000, 4000, 7500, 7500]);
	const high = new Backoff({ base: 500, max: 15000, random: () => 1 });
	assert.deepEqual(Array.from({ length: 6 }, () => high.next()), [500, 1000, 2000, 4000, 8000, 15000]);
	high.reset();
	assert.equal(high.next(), 500);
});

test('it dials until it is welcomed, each time later', async () => {
	const w = new World();
	w.client.start();
	const waits = [];
	for (let i = 0; i < 5; i++) {
		w.socket.end(1006);
		assert.equal(state(w), 'waiting');
		const wait = w.client.connection.retryAt - w.clock.now();
		waits.push(wait);
		w.clock.pass(wait);
		assert.equal(state(w), 'connecting');
	}
	assert.deepEqual(waits, [375, 750, 1500, 3000, 6000]);
	await w.welcome();
	assert.equal(state(w), 'online');
});

test('a dial that hangs is given up', async () => {
	const w = new World();
	w.client.start();
	w.clock.pass(10_000);
	assert.equal(state(w), 'waiting');
	assert.equal(w.sockets[0].closed, 1000);
});

test('a server that falls right after every welcome is not hammered', async () => {
	const w = new World();
	let last = 0;
	for (let i = 0; i < 5; i++) {
		await w.welcome();
		w.socket.end(1006);
		const wait = w.client.connection.retryAt - w.clock.now();
		assert.ok(wait > last, `${wait} after ${last}`);
		last = wait;
		w.clock.pass(wait);
	}
	await w.welcome();
	w.clock.pass(10_000);
	w.socket.end(1006);
	assert.ok(w.client.connection.retryAt - w.clock.now() <= 500); // it had stood for a while
});

test('a silent connection is asked, and left when it stays silent', async () => {
	const w = new World();
	await w.welcome();
	w.clock.pass(24_999);
	assert.equal(w.take('ping').length, 0);
	w.clock.pass(1);
	assert.equal(w.take('ping').length, 1);
	w.socket.say({ type: 'pong', t: 1 });
	w.clock.pass(10_000);
	assert.equal(state(w), 'online');
	w.clock.pass(25_000);
	assert.equal(w.take('ping').length, 1);
	w.clock.pass(10_000);
	assert.equal(state(w), 'waiting');
});

test('a busy connection is not asked', async () => {
	const w = new World();
	await w.welcome();
	for (let i = 0; i < 20; i++) {
		w.clock.pass(5_000);
		w.live('lobby', msg(i + 1));
	}
	assert.equal(w.take('ping').length, 0);
	assert.equal(state(w), 'online');
});

test('goodbye: leaves with the server and comes back within retry_ms', async () => {
	const w = new World();
	await w.welcome();
	w.socket.say({ type: 'goodbye', reason: 'restart', retry_ms: 1000 });
	assert.equal(state(w), 'leaving');
	w.socket.end(1012);
	assert.equal(w.client.connection.retryAt - w.clock.now(), 500); // random is a half
	w.clock.pass(500);
	w.socket.end(1006); // not there yet: from here on as ever
	assert.equal(w.client.connection.retryAt - w.clock.now(), 375);
});

test('goodbye without a close ends too', async () => {
	const w = new World();
	await w.welcome();
	w.socket.say({ type: 'goodbye', reason: 'restart', retry_ms: 1000 });
	w.clock.pass(11_000);
	assert.equal(state(w), 'waiting');
	w.clock.pass(500);
	assert.equal(state(w), 'connecting');
});

test('closing codes say how long to stay away', async () => {
	for (const [code, wait] of [[1012, 1000], [1013, 1750], [1008, 15_000], [1001, 375], [1006, 375]]) {
		const w = new World();
		await w.welcome();
		w.socket.end(code);
		assert.equal(w.client.connection.retryAt - w.clock.now(), wait, `code ${code}`);
	}
});

test('a nudge ends the waiting, or asks whether the line still lives', async () => {
	const w = new World();
	await w.welcome();
	w.client.connection.nudge();
	assert.equal(w.take('ping').length, 1);
	w.clock.pass(4_000);
	assert.equal(state(w), 'waiting');
	w.client.connection.nudge();
	assert.equal(state(w), 'connecting');
});

test('a restart leaves the old socket and what it still says', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby');
	const old = w.socket;
	w.client.connection.restart();
	assert.notEqual(w.socket, old);
	assert.equal(old.closed, 1000);
	old.say({ type: 'message', room: 'lobby', ...msg(1) });
	old.end(1006);
	assert.equal(state(w), 'connecting');
	await w.welcome({ name: 'New name' });
	assert.equal(w.client.me.name, 'New name');
	assert.deepEqual(w.take('join'), [{ type: 'join', room: 'lobby', epoch: 'e1', after: 0 }]);
});

test('frames that are no messages of ours change nothing', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	for (const data of ['', '{', 'null', '7', '[]', '{"type":5}', '{"type":"surprise"}', '{"type":"message","room":"nowhere"}', new ArrayBuffer(3)]) {
		w.socket.onmessage({ data });
	}
	assert.equal(state(w), 'online');
	assert.equal(decode('{"type":"x"}').type, 'x');
});

test('no timer is left once it is stopped', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby', { complete: false, messages: [msg(9)] });
	w.client.say('lobby', 'a');
	w.client.loadOlder('lobby');
	w.socket.say({ type: 'typing', room: 'lobby', user: 'you', name: 'You' });
	w.client.connection.stop();
	assert.equal(w.clock.waiting, 0);
});

test('people: pages, deltas, count, healing', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	const user = (i) => ({ user: `u${i}`, name: `Name ${i}` });
	w.joined('lobby', { users: [0, 1].map(user), count: 4 });
	assert.deepEqual(w.take('presence'), [{ type: 'presence', room: 'lobby', offset: 2, limit: 1000 }]);
	w.socket.say({ type: 'users', room: 'lobby', offset: 2, count: 4, users: [user(10), { user: 'me', name: 'Zoë' }] });
	assert.deepEqual(w.take('presence'), []);
	assert.deepEqual(w.client.people('lobby').list('me').map((p) => p.name), ['Zoë', 'Name 0', 'Name 1', 'Name 10']);
	w.socket.say({ type: 'presence', room: 'lobby', count: 4, joined: [user(3)], left: [user(0)] });
	assert.deepEqual(w.notices.at(-1), ['lobby', { joined: [user(3)], left: [user(0)] }]);
	assert.equal(w.client.people('lobby').count, 4);
	w.socket.say({ type: 'presence', room: 'lobby', count: 5, joined: [{ user: 'me', name: 'Zoë' }] });
	assert.equal(w.notices.length, 1); // about ourselves there is nothing to tell
	w.clock.pass(3_000); // four names, count five: fetched again
	assert.deepEqual(w.take('presence'), [{ type: 'presence', room: 'lobby', offset: 0, limit: 1000 }]);
});

test('a new name of somebody who is there is no arrival', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby', { users: [{ user: 'u', name: 'Old' }] });
	w.socket.say({ type: 'presence', room: 'lobby', count: 1, joined: [{ user: 'u', name: 'New' }] });
	assert.equal(w.notices.length, 0);
	assert.equal(w.client.people('lobby').list('me')[0].name, 'New');
});

test('typing: shown for a while or until the message; told at most once in 3 s', async () => {
	const w = new World();
	await w.welcome();
	w.client.join('lobby');
	w.joined('lobby');
	w.socket.say({ type: 'typing', room: 'lobby', user: 'you', name: 'You' });
	w.socket.say({ type: 'typing', room: 'lobby', user: 'me', name: 'Me' });
	assert.deepEqual(w.client.typing('lobby'), ['You']);
	w.live('lobby', msg(1));
	assert.deepEqual(w.client.typing('lobby'), []);
	w.socket.say({ type: 'typing', room: 'lobby', user: 'you', name: 'You' });
	w.clock.pass(5_000);
	assert.deepEqual(w.client.typing('lobby'), []);
	w.client.type('lobby');
	w.clock.pass(2_999);
	w.client.type('lobby');
	assert.equal(w.take('typing').length, 1);
	w.clock.pass(1);
	w.client.type('lobby');
	assert.equal(w.take('typing').length, 1);
});

test('notices: one line between two messages, the last word counts', () => {
	const n = new Notices();
	const who = (name) => ({ user: name, name });
	n.add(5, 0, { joined: [who('Ada')], left: [] });
	n.add(5, 0, { joined: [who('Bob')], left: [] });
	assert.equal(noticeText(n.lines[0]), 'Ada and Bob joined');
	n.add(5, 0, { joined: [], left: [who('Ada')] });
	assert.equal(noticeText(n.lines[0]), 'Bob joined · Ada left');
	n.add(6, 0, { joined: ['a', 'b', 'c', 'd', 'e'].map(who), left: [] });
	assert.equal(n.lines.length, 2);
	assert.equal(noticeText(n.lines[1]), 'a, b and 3 others joined');
	for (let i = 0; i < 200; i++) n.add(10 + i, 0, { joined: [who('x')], left: [] });
	assert.ok(n.lines.length <= 50);
});

test('text is made sendable', () => {
	assert.equal(cleanText('  a \r\nb\rc \n\n'), '  a \nb\nc');
	assert.equal(cleanText('\n\n  indented'), '  indented');
	assert.equal(cleanText(' \n\t '), '');
	assert.equal(cleanText('a\0b\ud800c\udc00d😀'), 'ab\ufffdc\ufffdd😀');
	assert.equal(textBytes('aé漢😀'), 10);
});

test('every error code of the protocol has its sentence', () => {
	const codes = ['bad_json', 'bad_request', 'unknown_type', 'bad_room', 'bad_text', 'too_long', 'not_joined', 'too_many_rooms', 'rate_limited', 'busy', 'unavailable', 'internal'];
	for (const code of codes) assert.ok(sentence(code, 'X') !== 'X', code);
	assert.equal(sentence('new_one', 'From the server.'), 'From the server.');
	assert.ok(sentence('new_one', '').length > 0);
});
