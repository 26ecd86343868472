// The line that says whether we are connected, and the dot.

import { $, setText } from './dom.js';

const GOOD_NEWS_FOR = 2500;
const PATIENCE = 600; // a connection that is there sooner is not worth a line

export class Status {
	#client;
	#el = $('status');
	#timer = null;
	#tick = null;
	#away = false; // a line was shown that good news should follow
	#shown = ''; // what it was drawn from

	constructor(client) {
		this.#client = client;
		$('status-retry').addEventListener('click', () => client.connection.nudge());
	}

	show() {
		const { connection, outbox } = this.#client;
		const { state, code, retryAt, attempts } = connection;
		const drawn = [state, code, retryAt, attempts, outbox.waiting, outbox.saved, navigator.onLine].join();
		if (drawn === this.#shown) return;
		this.#shown = drawn;
		if (state === 'online' && this.#el.dataset.state === 'online') return; // another message waits: no news
		this.#el.dataset.state = state;
		$('dot').dataset.state = state;
		clearTimeout(this.#timer);
		clearInterval(this.#tick);
		$('status-retry').hidden = state !== 'waiting';
		setText($('status-count'), '');
		if (state === 'online') {
			this.#online();
			return;
		}
		const waiting = outbox.waiting > 0 ? ` ${kept(outbox)}` : '';
		if ((state === 'stopped' || state === 'connecting') && !this.#away) {
			setText($('status-text'), 'Connecting…');
			this.#timer = setTimeout(() => (this.#el.dataset.shown = ''), PATIENCE);
			return;
		}
		setText($('status-text'), sentence(connection) + waiting);
		this.#away = true;
		this.#el.dataset.shown = '';
		if (state === 'waiting') {
			this.#countdown();
			this.#tick = setInterval(() => this.#countdown(), 500);
		}
	}

	#online() {
		if (!this.#away) {
			delete this.#el.dataset.shown;
			setText($('status-text'), ''); // "Connecting…" that nobody saw
			return;
		}
		this.#away = false;
		setText($('status-text'), 'Connected.');
		this.#timer = setTimeout(() => {
			delete this.#el.dataset.shown;
			setText($('status-text'), '');
		}, GOOD_NEWS_FOR);
	}

	#countdown() {
		const seconds = Math.ceil((this.#client.connection.retryAt - Date.now()) / 1000);
		setText($('status-count'), seconds > 1 ? `Next try in ${seconds} s.` : '');
	}
}

function sentence({ state, code, attempts }) {
	if (state === 'leaving' || code === 1012) return 'The server restarts. You will be back in a moment.';
	if (navigator.onLine === false) return 'You are offline.';
	if (state === 'connecting') return attempts > 1 ? 'Trying to reach the server…' : 'Connecting…';
	if (code === 1008) return 'That was too much at once. A short pause, then it goes on.';
	if (code === 1013) return 'This connection was too slow. What was missed is fetched.';
	return attempts > 2 ? 'The server cannot be reached.' : 'The connection was lost.';
}

function kept(outbox) {
	const n = outbox.waiting;
	const what = n === 1 ? 'Your message is' : `Your ${n} messages are`;
	if (outbox.saved) return `${what} kept and sent when you are back.`;
	return `${what} sent when you are back: this browser keeps nothing, so leave the page open.`;
}
