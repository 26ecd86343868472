// Who we are: the name, and the form to change it.

import { $, setText } from './dom.js';
import { hue, initials } from './format.js';

/** whoAmI makes sure that there is a cookie before the socket needs one. Tabs ask one after another, or each would get a user of its own. */
export async function whoAmI() {
	const ask = async () => {
		const answer = await fetch('/session', { headers: { Accept: 'application/json' }, cache: 'no-store', signal: AbortSignal.timeout(5000) });
		return answer.ok ? answer.json() : null;
	};
	try {
		return await (navigator.locks ? navigator.locks.request('nebula.session', ask) : ask());
	} catch {
		return null; // not reachable now; the socket's own handshake brings a cookie too
	}
}

/** rename tells the server a new name. It returns a sentence if that failed, '' if not. */
export async function rename(name) {
	try {
		const answer = await fetch('/session', {
			method: 'POST',
			headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
			body: JSON.stringify({ name }),
		});
		if (answer.ok) return '';
		if (answer.status === 400) return 'A name has 1 to 32 characters, none of them invisible.';
		return 'The server did not take this name. Try again later.';
	} catch {
		return 'The server cannot be reached. Try again when you are connected.';
	}
}

export class IdentityView {
	#form = $('name-form');
	#input = $('name-input');
	#onRenamed;

	/** onRenamed() is called when the server has taken a new name. */
	constructor({ onRenamed }) {
		this.#onRenamed = onRenamed;
		$('rename').addEventListener('click', () => (this.#form.hidden ? this.open() : this.#close()));
		this.#form.addEventListener('submit', (event) => {
			event.preventDefault();
			void this.#save();
		});
		this.#form.addEventListener('keydown', (event) => {
			if (event.key !== 'Escape') return;
			event.stopPropagation();
			this.#close();
		});
	}

	show({ user, name }) {
		setText($('me-name'), name);
		$('me-name').dataset.user = user;
		setText($('me-avatar'), name ? initials(name) : '');
		$('me-avatar').style.setProperty('--hue', hue(user));
		const field = $('welcome-name');
		if (field.value) return;
		field.value = name;
		if (document.activeElement === field) field.select(); // typing replaces what we made up
	}

	open() {
		this.#form.hidden = false;
		$('rename').setAttribute('aria-expanded', 'true');
		setText($('name-error'), '');
		this.#input.value = $('me-name').textContent;
		this.#input.focus();
		this.#input.select();
	}

	#close() {
		this.#form.hidden = true;
		$('rename').setAttribute('aria-expanded', 'false');
		$('rename').focus();
	}

	async #save() {
		const name = this.#input.value.trim();
		if (name === $('me-name').textContent) {
			this.#close();
			return;
		}
		$('name-save').disabled = true;
		const fault = await rename(name);
		$('name-save').disabled = false;
		setText($('name-error'), fault);
		if (fault) return;
		this.#close();
		this.#onRenamed();
	}
}
