// The broker's figures, from $SYS and from `status`, and their course over the last minutes.
import { batch, effect, signal, untracked } from '@preact/signals';
import { ask } from './control.js';
import { generation, state, subscribe } from './link.js';
import { paced } from './pace.js';
import { Ring } from './ring.js';

const STATUS_MS = 2000;
const SAMPLES = 450; // 15 minutes
const PREFIX = '$SYS/broker/';

// Topic below $SYS/broker/: name in the answer of `status`, or one of our own where it has none.
const topics = {
	version: 'version_text',
	uptime: 'uptime_s',
	'clients/connected': 'clients',
	'clients/maximum': 'clients_most',
	'clients/total': 'sessions',
	'subscriptions/count': 'subscriptions',
	'retained messages/count': 'retained',
	'publish/messages/received': 'messages_received',
	'publish/messages/sent': 'messages_sent',
	'publish/messages/dropped': 'messages_dropped',
	'bytes/received': 'bytes_received',
	'bytes/sent': 'bytes_sent',
	'store/state': 'store',
	'store/error': 'store_error',
	'store/commits/mean': 'store_commit_mean_us',
	'store/bytes/used': 'store_used_bytes',
	'store/bytes/max': 'store_max_bytes',
};

/** Name: value, as last heard. */
export const figures = signal({});
/** What this user may read: null while that is not known. */
export const rights = signal({ sys: null, status: null });
/** Grows when a course has a new sample. */
export const sampled = signal(0);

/** Each has { at, ...values }; at in seconds since 1970. */
export const courses = {
	messages: new Ring(SAMPLES),
	bytes: new Ring(SAMPLES),
	clients: new Ring(SAMPLES),
	latency: new Ring(SAMPLES),
	losses: new Ring(SAMPLES),
};

const last = {}; // of each course: the counters, and when

function perSecond(course, counters) {
	const at = performance.now();
	const before = last[course];
	last[course] = { at, counters };
	if (before === undefined || Object.keys(counters).some((name) => counters[name] < before.counters[name])) return;
	const seconds = (at - before.at) / 1000;
	if (seconds < 0.5) return;
	const sample = { at: Date.now() / 1000 };
	for (const [name, value] of Object.entries(counters)) sample[name] = (value - before.counters[name]) / seconds;
	courses[course].push(sample);
}

function sampleStatus(row, round_trip_ms) {
	const at = Date.now() / 1000;
	perSecond('messages', { received: row.messages_received, sent: row.messages_sent });
	perSecond('losses', { dropped: row.messages_dropped, denied: row.denials });
	courses.clients.push({ at, clients: row.clients });
	courses.latency.push({ at, round_trip: round_trip_ms, commit: (row.store_commit_mean_us ?? NaN) / 1000 });
}

function sampleSys() {
	const now = figures.value;
	if (now.bytes_received !== undefined && now.bytes_sent !== undefined) perSecond('bytes', { received: now.bytes_received, sent: now.bytes_sent });
	if (rights.value.status) return;
	const at = Date.now() / 1000;
	if (now.messages_received !== undefined && now.messages_sent !== undefined) perSecond('messages', { received: now.messages_received, sent: now.messages_sent });
	if (now.messages_dropped !== undefined) perSecond('losses', { dropped: now.messages_dropped, denied: NaN });
	courses.clients.push({ at, clients: now.clients });
	courses.latency.push({ at, round_trip: NaN, commit: (now.store_commit_mean_us ?? NaN) / 1000 });
}

const heard = {};
let answered = {}; // by `status`: newer than what $SYS has, which is published every 10 seconds

const drawSys = paced(() => {
	batch(() => {
		figures.value = { ...figures.value, ...heard, ...answered };
		sampled.value++;
	});
	const round = heard.uptime_s !== undefined; // the last of them is published with each round of figures
	for (const name of Object.keys(heard)) delete heard[name];
	if (round) sampleSys();
});

function onSys(topic, payload) {
	const name = topics[topic.slice(PREFIX.length)];
	if (name === undefined) return;
	const text = new TextDecoder().decode(payload);
	const value = Number.parseFloat(text);
	heard[name] = Number.isNaN(value) || name === 'version_text' ? text : value;
	if (name === 'uptime_s' || figures.value[name] === undefined || !rights.value.status) drawSys();
}

let timer = 0;
let asking = 0;

async function askStatus(mine) {
	const began = performance.now();
	try {
		const [row, ...listeners] = await ask('status');
		if (mine !== asking) return;
		answered = row;
		sampleStatus(row, performance.now() - began);
		batch(() => {
			rights.value = { ...rights.value, status: true };
			figures.value = { ...figures.value, ...row, listeners: listeners.filter((each) => each.listener) };
			sampled.value++;
		});
	} catch (error) {
		if (mine !== asking) return;
		if (error.denied) rights.value = { ...rights.value, status: false };
		if (error.denied || state.value !== 'on') return;
	}
	timer = setTimeout(() => askStatus(mine), STATUS_MS);
}

function begin() {
	const { granted } = subscribe(`${PREFIX}#`, onSys);
	granted.then(
		() => { rights.value = { ...rights.value, sys: true }; },
		() => { rights.value = { ...rights.value, sys: false }; },
	);
}

function forget() {
	for (const course of Object.values(courses)) course.clear();
	for (const name of Object.keys(last)) delete last[name];
	answered = {};
	batch(() => {
		figures.value = {};
		rights.value = { sys: null, status: null };
	});
}

let begun = false;
effect(() => {
	const on = state.value === 'on';
	generation.value;
	clearTimeout(timer);
	const mine = ++asking;
	if (state.value === 'out' && begun) {
		begun = false;
		forget();
	}
	if (!on) return;
	untracked(() => {
		if (!begun) begin();
		begun = true;
		askStatus(mine);
	});
});
