// The dashboard's arithmetic.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, Readings, Sample, seconds, short, span } from '../admin/metrics.js';
import { GROUPS } from '../admin/tiles.js';

const text = (n, { began = 100 } = {}) => `# HELP x Something.
# TYPE x counter
x_total{reason="a \\"quoted\\" {name}",b="2"} ${n}
x_total{reason="other"} 1.5e+1
plain 7 1700000000000
inf +Inf
h_bucket{le="0.1"} ${n}
h_bucket{le="+Inf"} ${2 * n}
h_bucket{le="0.5"} ${2 * n}
process_start_time_seconds ${began}
`;

test('the text format: labels with quotes and braces, exponents, infinity, times', () => {
	const s = new Sample(text(3), 0);
	assert.deepEqual(s.all('x_total')[0], { labels: { reason: 'a "quoted" {name}', b: '2' }, value: 3 });
	assert.equal(s.sum('x_total'), 18);
	assert.equal(s.sum('x_total', { reason: 'other' }), 15);
	assert.equal(s.sum('x_total', { reason: 'none' }), undefined);
	assert.equal(s.sum('missing'), undefined);
	assert.equal(s.max('plain'), 7);
	assert.equal(s.sum('inf'), Infinity);
	assert.deepEqual(s.buckets('h'), [[0.1, 3], [0.5, 6], [Infinity, 6]]);
});

test('rates are of the time between two readings', () => {
	const r = new Readings(10);
	r.add(new Sample(text(10), 0));
	assert.equal(r.rate('x_total'), undefined);
	r.add(new Sample(text(30), 4000));
	assert.equal(r.rate('x_total'), 5);
	r.add(new Sample(text(30), 6000));
	assert.equal(r.rate('x_total'), 0);
	assert.equal(r.rate('missing'), undefined);
});

test('another process counts anew', () => {
	const r = new Readings(10);
	r.add(new Sample(text(1000), 0));
	r.add(new Sample(text(5, { began: 200 }), 2000));
	assert.equal(r.rate('x_total'), undefined);
	assert.ok(r.quantile('h', 0.5, 30_000) > 0);
	r.add(new Sample(text(7, { began: 200 }), 4000));
	assert.equal(r.rate('x_total'), 1);
});

test('percentiles are of the last time only', () => {
	const r = new Readings(10);
	const one = (low, high, at) => r.add(new Sample(`h_bucket{le="1"} ${low}\nh_bucket{le="2"} ${low + high}\nh_bucket{le="+Inf"} ${low + high}\n`, at));
	one(1000, 0, 0);
	assert.equal(r.quantile('h', 0.5, 5000), 0.5); // all that there is
	one(1000, 100, 10_000);
	assert.equal(r.quantile('h', 0.5, 5000), 1.5); // the old ones do not count
	one(1000, 100, 20_000);
	assert.equal(r.quantile('h', 0.5, 5000), undefined);
	assert.equal(r.quantile('h', 0.5, 15_000), 1.5);
});

test('readings are forgotten past their number', () => {
	const r = new Readings(3);
	for (let i = 0; i < 10; i++) r.add(new Sample(text(i), i * 1000));
	assert.equal(r.before(1e9).at, 7000);
});

test('a quantile is interpolated in its bucket, and never above what is told apart', () => {
	const b = [[1, 10], [2, 20], [4, 20], [Infinity, 21]];
	assert.equal(quantile(b, 0), 0);
	assert.equal(quantile(b, 10 / 21), 1);
	assert.equal(quantile(b, 15 / 21), 1.5);
	assert.equal(quantile(b, 1), 4);
	assert.equal(quantile([], 0.5), undefined);
	assert.equal(quantile([[1, 0], [Infinity, 0]], 0.5), undefined);
});

test('numbers for people', () => {
	assert.deepEqual([0, 7, 999, 1204, 31_200, 410_000, 2.5e6, 0.125].map((v) => short(v)), ['0', '7', '999', '1.20\u202fk', '31.2\u202fk', '410\u202fk', '2.50\u202fM', '0.13']);
	assert.equal(short(48_000, 1024), '46.9\u202fk');
	assert.deepEqual([2, 0.0125, 0.000051, 1.5e-7].map(seconds), ['2 s', '12.5 ms', '51 µs', '0.15 µs']);
	assert.deepEqual([0, 59, 61, 7200, 90_061, 400_000].map(span), ['0 s', '59 s', '1 min 1 s', '2 h 0 min', '1 d 1 h', '4 d 15 h']);
});

test('every tile can be drawn from a server that says nothing yet', () => {
	const r = new Readings(2);
	r.add(new Sample('', 0));
	for (const tile of GROUPS.flatMap((g) => g.tiles)) {
		for (const { of } of tile.series) assert.equal(of(r), undefined, tile.id);
		assert.deepEqual(tile.list?.(r) ?? [], []);
	}
	const ids = GROUPS.flatMap((g) => g.tiles.map((t) => t.id));
	assert.equal(new Set(ids).size, ids.length);
});
