// Asks /metrics every 2 s and draws the tiles.

import { Readings, Sample, span } from './metrics.js';
import { GROUPS } from './tiles.js';

const EVERY = 2_000;
const POINTS = 120;
const PATIENCE = 5_000; // a server that takes longer does not answer

const $ = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

function el(tag, className, ...children) {
	const e = document.createElement(tag);
	e.className = className;
	e.append(...children);
	return e;
}

/** Curve draws the last POINTS values of a tile's series over one scale. */
class Curve {
	#lines;
	#paths;
	#most;

	constructor(series, most) {
		this.#lines = series.map(() => []);
		this.#most = most;
		this.svg = document.createElementNS(SVG, 'svg');
		this.svg.setAttribute('viewBox', `0 0 ${POINTS - 1} 40`);
		this.svg.setAttribute('preserveAspectRatio', 'none');
		this.svg.setAttribute('aria-hidden', 'true');
		this.#paths = series.map(() => document.createElementNS(SVG, 'path'));
		this.svg.append(...this.#paths);
	}

	add(values) {
		values.forEach((value, i) => {
			this.#lines[i].push(value);
			if (this.#lines[i].length > POINTS) this.#lines[i].shift();
		});
		const top = this.#most ?? Math.max(...this.#lines.flat().filter((v) => v !== undefined), 0);
		this.#lines.forEach((line, i) => this.#paths[i].setAttribute('d', this.#path(line, top || 1)));
	}

	/** #path leaves out where nothing is known. */
	#path(line, top) {
		let d = '';
		let pen = 'M';
		line.forEach((value, i) => {
			if (value === undefined) {
				pen = 'M';
				return;
			}
			const x = POINTS - line.length + i;
			const y = 38 - Math.min(1, value / top) * 36;
			d += `${pen}${x} ${y.toFixed(2)}`;
			if (pen === 'M' && line[i + 1] === undefined) d += 'h0.01'; // a single point is seen too
			pen = 'L';
		});
		return d;
	}
}

class Tile {
	#config;
	#numbers;
	#list;
	#curve;

	constructor(config) {
		this.#config = config;
		this.#numbers = config.series.map(({ label }) => [el('dt', label ? 'label' : 'label hidden', label || config.title), el('dd', 'number', '–')]);
		this.#curve = new Curve(config.series, config.most);
		const value = el('dl', 'value', ...this.#numbers.map(([dt, dd]) => el('div', '', dt, dd)));
		this.element = el('section', 'tile', el('h3', '', config.title), value, this.#curve.svg);
		this.element.dataset.tile = config.id;
		if (config.list) {
			this.#list = el('tbody', '');
			this.element.append(el('table', 'list', this.#list));
		}
	}

	show(readings) {
		const { series, show, list, bad } = this.#config;
		const values = series.map(({ of }) => of(readings));
		values.forEach((value, i) => (this.#numbers[i][1].textContent = value === undefined ? '–' : show(value)));
		this.element.toggleAttribute('data-quiet', values.every((v) => v === undefined));
		this.element.toggleAttribute('data-bad', Boolean(bad) && values.some((v) => v > 0));
		this.#curve.add(values);
		this.#list?.replaceChildren(...list(readings).map(([part, text]) => {
			const name = el('th', '', part);
			name.scope = 'row';
			return el('tr', '', name, el('td', '', text));
		}));
	}
}

class Group {
	#only;
	#tiles;

	constructor({ title, only, tiles }) {
		this.#only = only;
		this.#tiles = tiles.map((config) => new Tile(config));
		this.element = el('section', 'group', el('h2', '', title), el('div', 'tiles', ...this.#tiles.map((t) => t.element)));
	}

	show(readings) {
		this.element.hidden = Boolean(this.#only) && readings.last.all(this.#only).length === 0;
		if (!this.element.hidden) for (const tile of this.#tiles) tile.show(readings);
	}
}

const readings = new Readings(POINTS);
const groups = GROUPS.map((config) => new Group(config));
let answered = 0; // when it last did

function say(state, text) {
	$('state').dataset.state = state;
	if ($('state-text').textContent !== text) $('state-text').textContent = text;
	document.body.toggleAttribute('data-old', state === 'gone');
	document.title = `${state === 'gone' ? 'No answer · ' : ''}Nebula dashboard`;
}

async function ask(path) {
	return fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
}

async function read() {
	const answer = await ask('/metrics');
	if (!answer.ok) throw new Error(`/metrics answered ${answer.status}`);
	readings.add(new Sample(await answer.text(), Date.now()));
	answered = Date.now();
	for (const group of groups) group.show(readings);
	const [build] = readings.last.all('nebula_build_info');
	const began = readings.last.sum('process_start_time_seconds');
	$('about').textContent = [build?.labels.version, build?.labels.commit.slice(0, 12), began && `up ${span(Math.max(0, Date.now() / 1000 - began))}`].filter(Boolean).join(' · ');
}

/** ready says what keeps the server from taking traffic. */
async function ready() {
	const answer = await ask('/readyz');
	const { reasons = {} } = await answer.json();
	const text = Object.entries(reasons).map(([what, why]) => `${what}: ${why}`).join('; ');
	$('not-ready').hidden = text === '';
	$('not-ready').textContent = text && `Takes no traffic. ${text}`;
}

async function turn() {
	try {
		await read();
		say('live', 'Live');
		await ready();
	} catch {
		const since = answered ? ` since ${new Date(answered).toLocaleTimeString()}. The numbers are of then` : '';
		say('gone', `The server does not answer${since}.`);
	}
	setTimeout(turn, EVERY);
}

$('main').append(...groups.map((g) => g.element));
void turn();
