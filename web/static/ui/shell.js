// Around the views: drawers, theme, keys, help, toasts.

import { $, setText } from './dom.js';

const THEMES = { system: ['auto', 'System'], light: ['sun', 'Light'], dark: ['moon', 'Dark'] };
const TOAST_FOR = 6000;

export class Shell {
	#app = $('app');
	#narrow = matchMedia('(max-width: 759px)');
	#medium = matchMedia('(max-width: 1099px)');
	#opener = null;
	#toastTimer = null;
	#peopleWanted = true;

	/** keys: {up, down, join, escape}, what the keys do. */
	constructor(storage, keys) {
		$('open-rooms').addEventListener('click', (event) => this.#toggle('rooms', event.currentTarget));
		$('open-people').addEventListener('click', (event) => this.#people(event.currentTarget));
		$('close-drawer').addEventListener('click', () => this.close());
		$('backdrop').addEventListener('click', () => this.close());
		for (const media of [this.#narrow, this.#medium]) media.addEventListener('change', () => this.close());
		$('skip').addEventListener('click', (event) => {
			event.preventDefault(); // the address names a room
			($('conversation').hidden ? $('welcome-name') : $('composer-input')).focus();
		});
		$('help').addEventListener('click', () => $('help-dialog').showModal());
		document.addEventListener('keydown', (event) => this.#key(event, keys));
		this.#theme(storage);
		this.#inert();
	}

	/** close closes the open drawer and gives the focus back. */
	close() {
		delete this.#app.dataset.drawer;
		this.#inert(); // first: what is inert takes no focus
		this.#opener?.focus();
		this.#opener = null;
	}

	/** roomOpen tells whether a room is shown: then there are people to show. */
	roomOpen(open) {
		$('open-people').hidden = !open;
		$('people-panel').dataset.room = open;
		this.#inert();
	}

	toast(sentence) {
		setText($('toast'), sentence);
		clearTimeout(this.#toastTimer);
		this.#toastTimer = setTimeout(() => setText($('toast'), ''), TOAST_FOR);
	}

	#people(opener) {
		if (this.#medium.matches) {
			this.#toggle('people', opener);
			return;
		}
		this.#peopleWanted = !this.#peopleWanted;
		this.#inert();
	}

	#toggle(name, opener) {
		const open = this.#app.dataset.drawer !== name;
		this.close();
		if (!open) return;
		this.#app.dataset.drawer = name;
		this.#opener = opener;
		this.#inert();
		(name === 'rooms' ? $('room-input') : $('close-drawer')).focus({ preventScroll: true });
	}

	/** #inert takes what is not to be seen out of the way of keys and screen readers. */
	#inert() {
		const { drawer } = this.#app.dataset;
		const panel = $('people-panel');
		const room = panel.dataset.room === 'true';
		panel.hidden = !room || (!this.#medium.matches && !this.#peopleWanted);
		panel.inert = this.#medium.matches && drawer !== 'people';
		$('side').inert = this.#narrow.matches ? drawer !== 'rooms' : drawer === 'people';
		for (const id of ['main', 'skip']) $(id).inert = Boolean(drawer);
		$('open-rooms').setAttribute('aria-expanded', String(drawer === 'rooms'));
		$('open-people').setAttribute('aria-expanded', String(this.#medium.matches ? drawer === 'people' : room && this.#peopleWanted));
	}

	#key(event, keys) {
		const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
		if (event.altKey && !event.ctrlKey && !event.metaKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
			event.preventDefault();
			keys[event.key === 'ArrowUp' ? 'up' : 'down']();
		} else if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'k') {
			event.preventDefault();
			if (this.#narrow.matches && this.#app.dataset.drawer !== 'rooms') this.#toggle('rooms', $('open-rooms'));
			$('room-input').focus();
		} else if (event.key === 'Escape') {
			if (this.#app.dataset.drawer) this.close();
			else if (!$('help-dialog').open) keys.escape();
		} else if (event.key === '?' && !typing && !event.ctrlKey && !event.metaKey) {
			$('help-dialog').showModal();
		}
	}

	#theme(storage) {
		const button = $('theme');
		const show = () => {
			const [symbol, label] = THEMES[document.documentElement.dataset.themeChoice] ?? THEMES.system;
			button.querySelector('use').setAttribute('href', `#i-${symbol}`);
			setText($('theme-label'), label);
			button.setAttribute('aria-label', `Colours: ${label}`);
		};
		button.addEventListener('click', () => {
			const names = Object.keys(THEMES);
			const now = names.indexOf(document.documentElement.dataset.themeChoice);
			try {
				storage.setItem('nebula.theme', names[(now + 1) % names.length]);
			} catch {
				// refused: the choice lasts until the next page
			}
			dispatchEvent(new Event('nebula:theme'));
			show();
		});
		show();
	}
}
