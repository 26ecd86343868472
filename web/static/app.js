// Puts the page together: the client below, the views above, the address bar beside.

import { Client } from './core/client.js';
import { Notices } from './core/notices.js';
import { roomName, sentence } from './core/protocol.js';
import { Composer } from './ui/composer.js';
import { $, setText, soon } from './ui/dom.js';
import { typingText } from './ui/format.js';
import { IdentityView, rename, whoAmI } from './ui/identity.js';
import { LogView } from './ui/log.js';
import { PeopleList } from './ui/people.js';
import { Prefs, usable } from './ui/prefs.js';
import { RoomList } from './ui/rooms.js';
import { Shell } from './ui/shell.js';
import { Status } from './ui/status.js';

const HEIRS_EVERY = 15_000;

const lasting = usable('localStorage');
const prefs = new Prefs(lasting, usable('sessionStorage'));
const notices = new Map(); // room -> Notices
let active = '';

const randomText = () => [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, '0')).join('');
const tab = randomText();

const drawRooms = soon(showRooms);
const drawPeople = soon(showPeople);

const client = new Client({
	url: () => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`,
	open: (url, protocol) => new WebSocket(url, protocol),
	clock: { now: () => Date.now(), set: (fn, ms) => setTimeout(fn, ms), clear: (handle) => clearTimeout(handle) },
	random: Math.random,
	storage: lasting,
	tab,
	randomText,
	alive: async () => (navigator.locks ? new Set(await livingTabs()) : null),
	onChange: changed,
	onNotice: (room, news) => {
		noticesOf(room).add(client.room(room).last, Date.now(), news);
		log.changed(room);
	},
});

const log = new LogView(client, { notices: (room) => noticesOf(room).lines, onRead: markRead });
const composer = new Composer(client, prefs, { onSend: () => log.toEnd() });
const status = new Status(client);
const people = new PeopleList();
const identity = new IdentityView({ onRenamed: renamed });
const rooms = new RoomList({
	onOpen: (name) => {
		go(name);
		shell.close();
		focusComposer();
	},
	onLeave: leave,
	onJoin: (text) => {
		const name = join(text);
		if (name) focusComposer();
		return name ? '' : sentence('bad_room');
	},
});
const shell = new Shell(lasting, { up: () => step(-1), down: () => step(1), escape: () => log.toEnd() });

// A tab holds a lock of its own name for as long as it lives.
const LOCK = 'nebula.tab.';

/** livingTabs names the tabs that live. */
async function livingTabs() {
	const { held } = await navigator.locks.query();
	const own = held.filter(({ name, mode }) => name.startsWith(LOCK) && mode === 'exclusive'); // shared: see heirs
	return own.map(({ name }) => name.slice(LOCK.length));
}

const watched = new Set([tab]);

/** heirs has this tab take over what living ones leave unsent when they end. */
async function heirs() {
	if (navigator.locks) {
		for (const name of await livingTabs()) {
			if (watched.has(name)) continue;
			watched.add(name);
			void navigator.locks.request(LOCK + name, { mode: 'shared' }, () => {}).then(() => {
				watched.delete(name);
				return client.adopt();
			});
		}
	}
	await client.adopt();
}

function noticesOf(room) {
	if (!notices.has(room)) notices.set(room, new Notices());
	return notices.get(room);
}

// --- what the client says

function changed(kind, detail) {
	switch (kind) {
		case 'state':
			status.show();
			log.changed(active);
			drawPeople(); // nobody is known to type on a connection that is gone
			break;
		case 'me':
			identity.show(client.me);
			break;
		case 'rooms':
			prefs.rooms = client.rooms();
			break;
		case 'room':
			firstSeen(detail);
			log.changed(detail);
			break;
		case 'people':
		case 'typing':
			drawPeople();
			return;
		case 'error':
			shell.toast(detail);
			return;
	}
	drawRooms();
}

/** firstSeen: a room never read before has nothing unread but what comes now; one that counts anew is no further than its end. */
function firstSeen(name) {
	const room = client.room(name);
	if (room?.status !== 'joined') return;
	const readTo = prefs.readTo(name);
	if (readTo === undefined || readTo > room.last) prefs.setReadTo(name, room.last);
}

function markRead(name) {
	const room = client.room(name);
	if (room?.status !== 'joined') return;
	prefs.setReadTo(name, room.last);
	drawRooms();
}

// --- rooms and the address

function join(text) {
	const name = client.join(text);
	if (name) go(name);
	return name;
}

function leave(name) {
	const list = client.rooms();
	const at = list.indexOf(name);
	client.leave(name);
	notices.delete(name);
	if (name === active) go(list[at + 1] ?? list[at - 1] ?? '');
	showRooms();
	if (document.activeElement === document.body) rooms.focus(); // the button went with its room
}

function step(by) {
	const list = client.rooms();
	if (list.length > 0) go(list[(list.indexOf(active) + by + list.length) % list.length]);
}

/** go shows a room that is joined, or the welcome. */
function go(name) {
	const address = addressOf(name);
	if (location.hash !== address) history.pushState(null, '', address);
	open(name);
}

const addressOf = (name) => (name ? `#/${encodeURIComponent(name)}` : '#/');

function open(name) {
	if (name && name === active) return;
	active = name;
	$('welcome').hidden = Boolean(name);
	$('conversation').hidden = !name;
	shell.roomOpen(Boolean(name));
	if (name) {
		const readTo = prefs.readTo(name);
		log.show(name, unread(name).count > 0 ? readTo : null);
		composer.show(name);
	} else if (hovers()) {
		$('welcome-name').focus();
		$('welcome-name').select();
	}
	showRooms();
	showPeople();
}

function fromAddress() {
	const match = /^#\/(.+)$/.exec(location.hash);
	if (!match) return '';
	try {
		return roomName(decodeURIComponent(match[1]));
	} catch {
		return '';
	}
}

function unread(name) {
	const room = client.room(name);
	const readTo = prefs.readTo(name);
	return room && readTo !== undefined ? room.unread(readTo, client.me.user) : { count: 0, more: false };
}

// --- drawing

function showRooms() {
	let total = 0;
	const list = client.rooms().map((name) => {
		const { status: state, failure } = client.room(name);
		const { count, more } = unread(name);
		total += count;
		return { name, active: name === active, status: state, failure, count, more };
	});
	rooms.show(list);
	setText($('room-title'), active ? `#${active}` : 'Nebula');
	const badge = $('unread-total');
	badge.hidden = total === 0;
	setText(badge, total > 99 ? '99+' : String(total));
	document.title = `${total > 0 ? `(${total > 99 ? '99+' : total}) ` : ''}${active ? `#${active} · ` : ''}Nebula`;
	if (!active && list.length === 0) $('welcome').hidden = false;
	status.show();
}

function showPeople() {
	const here = client.people(active);
	if (!here) {
		setText($('room-info'), '');
		return;
	}
	people.show(here.list(client.me.user), here.count, client.me.user);
	const { count } = here;
	setText($('room-info'), count === 0 ? '' : count === 1 ? 'Only you are here' : `${count.toLocaleString()} people are here`);
	const text = typingText(client.typing(active));
	setText($('typing-text'), text);
	$('typing').toggleAttribute('data-shown', text !== '');
}

/** On a touch screen the keyboard would cover half of what one wants to read. */
function focusComposer() {
	if (hovers()) composer.focus();
}

const hovers = () => matchMedia('(hover: hover)').matches;

// --- deeds

function renamed() {
	client.connection.restart(); // the server reads the name from the cookie, at the handshake
	try {
		lasting.setItem('nebula.renamed', String(Date.now())); // other tabs do the same
	} catch {
		// refused: they have the new name when they next connect
	}
}

$('messages').addEventListener('nebula:act', ({ detail: { act, id } }) => {
	if (act === 'retry') client.retry(id);
	if (act === 'discard') client.discard(id);
	if (act === 'edit') composer.put(client.discard(id));
	if (act === 'rejoin') client.join(active);
	if (act !== 'edit') focusComposer();
});
// What these buttons do hides them, and the focus must not go with them.
for (const id of ['jump', 'status-retry']) $(id).addEventListener('click', focusComposer);

$('welcome-form').addEventListener('submit', async (event) => {
	event.preventDefault();
	const name = $('welcome-name').value.trim();
	const room = roomName($('welcome-room').value);
	const fault = room ? '' : sentence('bad_room');
	setText($('welcome-error'), fault);
	if (fault) return;
	if (name && name !== client.me.name) {
		$('welcome-go').disabled = true;
		const refused = await rename(name);
		$('welcome-go').disabled = false;
		setText($('welcome-error'), refused);
		if (refused) return;
		renamed();
	}
	join(room);
	focusComposer();
});

addEventListener('popstate', () => {
	const name = fromAddress();
	if (name) client.join(name);
	open(name);
});
addEventListener('storage', (event) => {
	if (event.key === 'nebula.renamed') client.connection.restart();
});
addEventListener('online', () => client.connection.nudge());
addEventListener('offline', () => client.connection.nudge());
document.addEventListener('visibilitychange', () => {
	if (document.hidden) {
		if (active) log.markNew(client.room(active)?.last ?? 0);
		return;
	}
	client.connection.nudge();
	log.changed(active);
});

async function main() {
	if (navigator.locks) void navigator.locks.request(LOCK + tab, () => new Promise(() => {})); // held until the tab ends
	const wanted = fromAddress();
	for (const name of prefs.rooms) client.join(name);
	if (wanted) client.join(wanted);
	const first = wanted || client.rooms()[0] || '';
	if (first) history.replaceState(null, '', addressOf(first));
	open(first);
	const me = await whoAmI();
	if (me) identity.show(me);
	client.start();
	void heirs();
	setInterval(() => void heirs(), HEIRS_EVERY);
}

void main();
