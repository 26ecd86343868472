// What the dashboard shows: groups of tiles. A tile has series, each a curve and
// a number, and may have a list of parts. All are functions of the Readings.

import { seconds, short } from './metrics.js';

const LATELY = 30_000; // percentiles are those of this time

const count = (v) => short(v);
const rate = (v) => (v > 0 && v < 0.995 ? v.toFixed(2) : short(Math.round(v * 10) / 10));
const bytes = (v) => `${short(v, 1024)}${v < 1024 ? '\u202f' : ''}B`;
const share = (v) => `${(v * 100).toFixed(v < 0.0995 ? 1 : 0)} %`;

const gauge = (name) => (r) => r.last.sum(name);
const perSecond = (name, label) => (r) => r.rate(name, label);
const percentile = (name, q) => (r) => r.quantile(name, q, LATELY);
const percentiles = (name) => [
	{ label: 'p50', of: percentile(name, 0.5) },
	{ label: 'p99', of: percentile(name, 0.99) },
];

/** totals lists what a counter has for each value of a label, the largest first; nothing of what never happened. */
const totals = (name, label) => (r) => r.last.all(name)
	.map(({ labels, value }) => [labels[label], value])
	.filter(([, value]) => value > 0)
	.sort(([, a], [, b]) => b - a)
	.map(([part, value]) => [part.replaceAll('_', ' '), count(value)]);

const rates = (name, label) => (r) => r.last.all(name)
	.map(({ labels }) => [labels[label].replaceAll('_', ' '), r.rate(name, { [label]: labels[label] })])
	.map(([part, value]) => [part, value === undefined ? '–' : rate(value)]);

const one = (of) => [{ label: '', of }];

export const GROUPS = [
	{
		title: 'Clients',
		tiles: [
			{ id: 'connections', title: 'Connections', show: count, series: one(gauge('nebula_connections')) },
			{ id: 'rooms', title: 'Rooms', show: count, series: one(gauge('nebula_rooms')) },
			{ id: 'members', title: 'Members of rooms', show: count, series: one(gauge('nebula_members')) },
			{ id: 'connects', title: 'Connects, a second', show: rate, series: one(perSecond('nebula_connections_total')) },
			{ id: 'disconnects', title: 'Disconnects, a second', show: rate, series: one(perSecond('nebula_disconnects_total')), list: totals('nebula_disconnects_total', 'reason') },
			{ id: 'rejections', title: 'Rejections, a second', show: rate, series: one(perSecond('nebula_connections_rejected_total')), list: totals('nebula_connections_rejected_total', 'reason') },
		],
	},
	{
		title: 'Messages',
		tiles: [
			{ id: 'messages', title: 'Messages, a second', show: rate, series: one(perSecond('nebula_messages_total')), list: rates('nebula_messages_total', 'result') },
			{ id: 'deliveries', title: 'Deliveries, a second', show: rate, series: one(perSecond('nebula_deliveries_total')) },
			{ id: 'delivery', title: 'Delivery, to the kernel', show: seconds, series: percentiles('nebula_delivery_seconds') },
			{ id: 'ack', title: 'Ack, after the commit', show: seconds, series: percentiles('nebula_ack_seconds') },
		],
	},
	{
		title: 'Inside',
		tiles: [
			{ id: 'loops', title: 'Event loops, busiest', show: share, most: 1, series: one((r) => r.last.max('nebula_loop_busy_ratio')), list: (r) => r.last.all('nebula_loop_busy_ratio').map(({ labels, value }) => [`loop ${labels.loop}`, share(value)]) },
			{ id: 'shards', title: 'Longest shard queue', show: count, series: one((r) => r.last.max('nebula_shard_queue')) },
			{ id: 'send-queue', title: 'Waiting for slow sockets', show: bytes, series: one(gauge('nebula_send_queue_bytes')) },
			{ id: 'slow', title: 'Closed as too slow', show: count, series: one(gauge('nebula_slow_consumers_total')) },
			{ id: 'traffic', title: 'Bytes a second', show: bytes, series: [{ label: 'out', of: perSecond('nebula_bytes_sent_total') }, { label: 'in', of: perSecond('nebula_bytes_received_total') }] },
			{ id: 'limits', title: 'Rate-limited, a second', show: rate, series: one(perSecond('nebula_ratelimit_rejections_total')), list: totals('nebula_ratelimit_rejections_total', 'scope') },
		],
	},
	{
		title: 'Database',
		tiles: [
			{ id: 'persist-queue', title: 'Waiting for the database', show: count, series: one(gauge('nebula_persist_queue')) },
			{ id: 'commit', title: 'Commit', show: seconds, series: percentiles('nebula_persist_commit_seconds') },
			{ id: 'batch', title: 'Messages in a commit', show: count, series: percentiles('nebula_persist_batch_size') },
			{ id: 'persist-errors', title: 'Failed commits', show: count, bad: true, series: one(gauge('nebula_persist_errors_total')) },
		],
	},
	{
		title: 'Cluster',
		only: 'nebula_bus_connected',
		tiles: [
			{ id: 'bus', title: 'Bus', show: (v) => (v > 0 ? 'connected' : 'gone'), most: 1, series: one(gauge('nebula_bus_connected')) },
			{ id: 'nodes', title: 'Nodes', show: count, series: one(gauge('nebula_cluster_nodes')) },
			{ id: 'lag', title: 'Lag between nodes', show: seconds, series: percentiles('nebula_bus_lag_seconds') },
			{ id: 'gaps', title: 'Gaps, filled again', show: count, series: [{ label: 'gaps', of: gauge('nebula_bus_gaps_total') }, { label: 'entries', of: gauge('nebula_bus_refilled_total') }] },
		],
	},
	{
		title: 'Process',
		tiles: [
			{ id: 'cpu', title: 'CPU, cores', show: rate, series: one(perSecond('process_cpu_seconds_total')) },
			{ id: 'memory', title: 'Memory', show: bytes, series: one(gauge('process_resident_memory_bytes')) },
			{ id: 'goroutines', title: 'Goroutines', show: count, series: one(gauge('go_goroutines')) },
			{ id: 'files', title: 'Open files', show: count, series: one(gauge('process_open_fds')) },
		],
	},
];
