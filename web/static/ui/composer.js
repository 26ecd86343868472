// The field to write in.

import { cleanText, textBytes } from '../core/protocol.js';
import { $, setText } from './dom.js';

export class Composer {
	#client;
	#prefs;
	#input = $('composer-input');
	#send = $('composer-send');
	#note = $('composer-note');
	#room = '';
	#onSend;

	constructor(client, prefs, { onSend }) {
		this.#client = client;
		this.#prefs = prefs;
		this.#onSend = onSend;
		$('composer').addEventListener('submit', (event) => {
			event.preventDefault();
			this.#submit();
		});
		this.#input.addEventListener('keydown', (event) => {
			// While an input method composes, Enter belongs to it.
			if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
			event.preventDefault();
			this.#submit();
		});
		this.#input.addEventListener('input', () => {
			this.#prefs.setDraft(this.#room, this.#input.value);
			if (this.#input.value.trim()) this.#client.type(this.#room);
			this.#update();
		});
	}

	/** show changes the room; what was written in the last one waits there. */
	show(room) {
		this.#room = room;
		this.#input.value = this.#prefs.draft(room);
		this.#input.placeholder = `Message #${room}`;
		setText($('composer-label'), `Message to ${room}`);
		this.#update();
	}

	focus() {
		this.#input.focus();
	}

	/** put adds text to what is written, in front. */
	put(text) {
		this.#input.value = this.#input.value ? `${text}\n${this.#input.value}` : text;
		this.#prefs.setDraft(this.#room, this.#input.value);
		this.#update();
		this.focus();
	}

	#submit() {
		const text = cleanText(this.#input.value);
		if (!text || this.#over(text) > 0) {
			this.#update();
			return;
		}
		if (!this.#client.say(this.#room, text)) {
			this.#tell('Too many messages wait to be sent. This one stays here until some are.', true);
			return;
		}
		this.#input.value = '';
		this.#prefs.setDraft(this.#room, '');
		this.#update();
		this.#onSend();
	}

	#over(text) {
		return textBytes(text) - this.#limit();
	}

	#limit() {
		return this.#client.limits.text_bytes || Infinity;
	}

	#update() {
		const text = cleanText(this.#input.value);
		const over = this.#over(text);
		this.#send.setAttribute('aria-disabled', String(!text || over > 0));
		if (over > 0) this.#tell(`${over.toLocaleString()} bytes too long to be sent as one message.`, true);
		else if (-over < this.#limit() / 5) this.#tell(`${(-over).toLocaleString()} bytes left`, false);
		else this.#tell('', false);
		this.#grow();
	}

	#tell(sentence, bad) {
		setText(this.#note, sentence);
		this.#note.dataset.bad = bad;
	}

	#grow() {
		this.#input.style.height = 'auto';
		this.#input.style.height = `${this.#input.scrollHeight}px`;
	}
}
