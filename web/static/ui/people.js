// Who is in the room.

import { $, arrange, h, setText } from './dom.js';
import { hue, initials } from './format.js';

/** More names than this are a number. */
const MOST = 400;

export class PeopleList {
	#nodes = new Map(); // user -> {el, name}

	/** show draws list, the first of count people; me stands first. */
	show(list, count, me) {
		const nodes = new Map();
		for (const { user, name } of list.slice(0, MOST)) {
			const known = this.#nodes.get(user);
			nodes.set(user, known?.name === name ? known : { el: this.#make(user, name, user === me), name });
		}
		this.#nodes = nodes;
		arrange($('people'), [...nodes.values()].map((n) => n.el));
		const rest = count - nodes.size;
		setText($('people-more'), rest > 0 ? `and ${rest.toLocaleString()} more` : '');
		setText($('people-count'), String(count));
		setText($('people-button-count'), count.toLocaleString());
	}

	#make(user, name, mine) {
		const avatar = h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(name));
		avatar.style.setProperty('--hue', hue(user));
		return h('li', { class: 'person', data: { user } }, avatar, h('span', { class: 'person-name', title: name }, name), mine && h('span', { class: 'person-you' }, 'you'));
	}
}
