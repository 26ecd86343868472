// Reads the Prometheus text format, and makes rates and percentiles of what
// changed between two readings. No DOM.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** One reading of /metrics. */
export class Sample {
	#families = new Map(); // name -> [{labels, value}]

	/** at is when it was read, in ms. */
	constructor(text, at) {
		this.at = at;
		for (const line of text.split('\n')) {
			const match = LINE.exec(line);
			if (!match) continue; // a comment, or nothing
			const [, name, inner = '', number] = match;
			const labels = {};
			for (const [, key, value] of inner.matchAll(LABEL)) labels[key] = unescaped(value);
			if (!this.#families.has(name)) this.#families.set(name, []);
			this.#families.get(name).push({ labels, value: valueOf(number) });
		}
	}

	/** all lists {labels, value} of a metric; nothing if it is not there. */
	all(name) {
		return this.#families.get(name) ?? [];
	}

	/** sum adds up the values of a metric, of those that have label where it is given; undefined if there are none. */
	sum(name, label = {}) {
		const found = this.all(name).filter(({ labels }) => Object.entries(label).every(([key, value]) => labels[key] === value));
		return found.length > 0 ? found.reduce((sum, { value }) => sum + value, 0) : undefined;
	}

	max(name) {
		const found = this.all(name);
		return found.length > 0 ? Math.max(...found.map(({ value }) => value)) : undefined;
	}

	/** buckets lists [upper bound, observations up to it] of a histogram, by rising bounds. */
	buckets(name) {
		const found = this.all(`${name}_bucket`).map(({ labels, value }) => [valueOf(labels.le), value]);
		return found.sort(([a], [b]) => a - b);
	}
}

function valueOf(text) {
	if (text === '+Inf') return Infinity;
	if (text === '-Inf') return -Infinity;
	return Number(text);
}

function unescaped(text) {
	return text.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
}

/** The latest readings, oldest first. */
export class Readings {
	#samples = [];
	#most;

	constructor(most) {
		this.#most = most;
	}

	add(sample) {
		const began = (s) => s.sum('process_start_time_seconds');
		if (this.last && began(this.last) !== began(sample)) this.#samples = []; // another process: it counts anew
		this.#samples.push(sample);
		if (this.#samples.length > this.#most) this.#samples.shift();
	}

	get last() {
		return this.#samples.at(-1);
	}

	/** before is the newest reading that is at least ms older than the last one, or the oldest one. */
	before(ms) {
		const { at } = this.last;
		return this.#samples.findLast((s) => at - s.at >= ms) ?? this.#samples[0];
	}

	/** rate is by how much a counter rose a second, lately; undefined until there are two readings. */
	rate(name, label) {
		const { last } = this;
		const before = this.before(1000);
		if (!before || before === last) return undefined;
		const now = last.sum(name, label);
		if (now === undefined) return undefined;
		return ((now - (before.sum(name, label) ?? 0)) * 1000) / (last.at - before.at);
	}

	/** quantile is the value below which the share q of the observations of the last ms lies; undefined if there were none. */
	quantile(name, q, ms) {
		const { last } = this;
		const before = this.before(ms);
		const old = before === last ? new Map() : new Map(before.buckets(name));
		return quantile(last.buckets(name).map(([bound, count]) => [bound, count - (old.get(bound) ?? 0)]), q);
	}
}

/** quantile is interpolated inside its bucket, as Prometheus does it. */
export function quantile(buckets, q) {
	const total = buckets.at(-1)?.[1] ?? 0;
	if (!(total > 0)) return undefined;
	const rank = q * total;
	const i = buckets.findIndex(([, count]) => count >= rank);
	const [bound, count] = buckets[i];
	const [lower, below] = i > 0 ? buckets[i - 1] : [0, 0];
	if (bound === Infinity) return lower; // above everything that is told apart
	return lower + ((bound - lower) * (rank - below)) / (count - below);
}

const PREFIXES = ['', 'k', 'M', 'G', 'T'];

/** short writes a number in about three digits. */
export function short(value, step = 1000) {
	let i = 0;
	while (Math.abs(value) >= step && i < PREFIXES.length - 1) {
		value /= step;
		i++;
	}
	const digits = i === 0 && Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
	return value.toFixed(digits) + (PREFIXES[i] && `\u202f${PREFIXES[i]}`);
}

/** seconds writes a time in the unit that suits it. */
export function seconds(value) {
	for (const [unit, size] of [['s', 1], ['ms', 1e-3], ['µs', 1e-6]]) {
		if (value >= size || unit === 'µs') return `${short(Math.round((value / size) * 100) / 100)} ${unit}`;
	}
}

/** span writes how long something runs. */
export function span(s) {
	const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
	const i = s < 1 ? parts.length - 1 : parts.findIndex(([size]) => s >= size);
	return parts.slice(i, i + 2).map(([size, unit], j) => `${Math.floor((j > 0 ? s % parts[i][0] : s) / size)} ${unit}`).join(' ');
}
