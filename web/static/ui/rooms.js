// The list of rooms, and the form above it.

import { sentence } from '../core/protocol.js';
import { $, arrange, h, icon, setText } from './dom.js';

export class RoomList {
	#list = $('rooms');
	#nodes = new Map();
	#onOpen;
	#onLeave;

	/** onOpen(name) and onLeave(name) are what the buttons do; onJoin(text) returns a sentence if it can not. */
	constructor({ onOpen, onLeave, onJoin }) {
		this.#onOpen = onOpen;
		this.#onLeave = onLeave;
		const input = $('room-input');
		$('room-form').addEventListener('submit', (event) => {
			event.preventDefault();
			const fault = onJoin(input.value);
			setText($('room-error'), fault);
			input.setAttribute('aria-invalid', String(Boolean(fault)));
			if (!fault) input.value = '';
		});
		input.addEventListener('input', () => {
			setText($('room-error'), '');
			input.removeAttribute('aria-invalid');
		});
	}

	/** show draws rooms: {name, active, status, failure, count, more}. */
	show(rooms) {
		const nodes = new Map();
		for (const room of rooms) {
			const el = this.#nodes.get(room.name) ?? this.#make(room.name);
			this.#update(el, room);
			nodes.set(room.name, el);
		}
		this.#nodes = nodes;
		const empty = h('li', { class: 'rooms-empty' }, 'No room yet.');
		arrange(this.#list, rooms.length > 0 ? [...nodes.values()] : [empty]);
	}

	/** focus goes to the room that is open, or to where one is joined. */
	focus() {
		(this.#list.querySelector('[data-active="true"] .room-open') ?? $('room-input')).focus();
	}

	#make(name) {
		return h('li', { class: 'room', data: { room: name } },
			h('button', { type: 'button', class: 'room-open', on: { click: () => this.#onOpen(name) } },
				h('span', { class: 'room-hash', 'aria-hidden': 'true' }, '#'), h('span', { class: 'room-name' }, name)),
			h('button', { type: 'button', class: 'icon-button room-leave', title: 'Leave', 'aria-label': `Leave ${name}`, on: { click: () => this.#onLeave(name) } }, icon('close')));
	}

	#update(el, { name, active, status, failure, count, more }) {
		const label = count === 0 ? '' : `${Math.min(count, 99)}${more || count > 99 ? '+' : ''}`;
		const open = el.querySelector('.room-open');
		Object.assign(el.dataset, { active, status, unread: count });
		open.title = status === 'failed' ? sentence(failure) : name;
		if (active) open.setAttribute('aria-current', 'page');
		else open.removeAttribute('aria-current');
		const badge = el.querySelector('.room-badge');
		if (badge?.firstChild?.data === label) return;
		badge?.remove();
		if (label) open.append(h('span', { class: 'room-badge' }, label, h('span', { class: 'hidden' }, ' unread')));
	}
}
