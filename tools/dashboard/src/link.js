// The connection to the broker that served the page: one MQTT 5 client over WebSocket. The password is only in memory.
import { batch, signal } from '@preact/signals';
import Client from 'mqtt/lib/client';
import { browserStreamBuilder } from 'mqtt/lib/connect/ws';

const NOT_AUTHORIZED = 0x87;
const KICKED = 0x98;

/** out: nobody is logged in; connecting: for the first time; on; lost: it is being made again. */
export const state = signal('out');
export const user = signal('');
/** Why the last login failed or the connection ended, in words. */
export const trouble = signal('');
/** Grows with each connection. */
export const generation = signal(0);

let client = null;
let identifier = 0;
let said = ''; // by the broker, in CONNACK or DISCONNECT
const subscriptions = new Map(); // filter: { id, qos, listeners, refused }
const byIdentifier = new Map();

export const clientId = () => client?.options.clientId;

export class Refused extends Error {
	/** rule: what would allow it, where it is not the topic that was asked for. */
	constructor(message, code, rule) {
		super(message);
		this.code = code;
		this.rule = rule;
		this.denied = code === NOT_AUTHORIZED;
	}
}

/** Beside the page: /mqtt of the listener that served it. */
function address() {
	const { hostname, port, pathname } = new URL('mqtt', location.href);
	return { protocol: 'wss', hostname, port: Number(port) || 443, path: pathname };
}

const CONNACK_WORDS = {
	0x86: 'The broker does not accept this user name and password.',
	0x87: 'This user may not connect here.',
	0x88: 'The broker cannot do its work at the moment. Its log says why.',
	0x89: 'The broker is busy. Try again in a moment.',
	0x9f: 'There were too many failed logins. Wait a moment, then try again.',
};

function end(why) {
	const ended = client;
	client = null;
	ended?.end(true);
	subscriptions.clear();
	byIdentifier.clear();
	batch(() => {
		state.value = 'out';
		trouble.value = why;
	});
}

export function logOut() {
	const ended = client;
	if (ended === null) return;
	ended.end();
	client = null;
	end('');
}

export function logIn(name, password) {
	said = '';
	identifier = 0;
	batch(() => {
		state.value = 'connecting';
		trouble.value = '';
		user.value = name;
	});
	const made = new Client((of) => browserStreamBuilder(of, of.options), {
		...address(),
		protocolVersion: 5,
		clientId: `dashboard-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`,
		username: name,
		password,
		clean: true,
		keepalive: 30,
		connectTimeout: 10000,
		reconnectPeriod: 1000,
		resubscribe: false,
		queueQoSZero: false,
		timerVariant: 'native', // the other one makes a worker of a blob:, which the page's policy forbids
	});
	client = made;
	const mine = (handle) => (...given) => {
		if (client === made) handle(...given);
	};
	made.on('connect', mine(onConnect));
	made.on('close', mine(onClose));
	made.on('error', mine(onError));
	made.on('message', mine(onMessage));
	made.on('packetreceive', mine((packet) => {
		if (packet.cmd === 'connack' || packet.cmd === 'disconnect') said = packet.properties?.reasonString ?? '';
		if (packet.cmd === 'disconnect' && packet.reasonCode === KICKED) end(`This connection was ended by an administrator. ${said}`.trim());
	}));
}

function onConnect() {
	for (const [filter, subscription] of subscriptions) send(filter, subscription);
	batch(() => {
		state.value = 'on';
		trouble.value = '';
		generation.value++;
	});
}

function onClose() {
	for (const subscription of subscriptions.values()) subscription.sent = null;
	if (state.value === 'connecting') end('The broker could not be reached. Is it running, and does its listener serve "websocket" at the path /mqtt?');
	else if (state.value === 'on') state.value = 'lost';
}

function onError(error) {
	if (!(error.code > 0x7f)) return; // of the network: 'close' follows
	end(CONNACK_WORDS[error.code] ?? `The broker refused the connection: ${said || error.message}.`);
}

function onMessage(topic, payload, packet) {
	const ids = packet.properties?.subscriptionIdentifier;
	for (const id of Array.isArray(ids) ? ids : [ids]) {
		for (const listener of byIdentifier.get(id)?.listeners ?? []) listener(topic, payload, packet);
	}
}

// --- subscriptions ---

function send(filter, subscription) {
	const asked = client;
	const done = new Promise((resolve, reject) => {
		asked.subscribe(filter, { qos: subscription.qos, properties: { subscriptionIdentifier: subscription.id } }, (error, asked_for, packet) => {
			if (error) reject(new Refused(packet?.properties?.reasonString ?? error.message, packet?.granted?.[0]));
			else resolve();
		});
	});
	done.catch(() => {});
	subscription.sent = done;
	return done;
}

/** Calls listener(topic, payload, packet) for what the filter matches, also after a new connection.
 * Answers { granted, stop }: granted is a promise that fails with Refused. */
export function subscribe(filter, listener, qos = 0) {
	let subscription = subscriptions.get(filter);
	if (subscription === undefined) {
		subscription = { id: ++identifier, qos, listeners: new Set(), sent: null };
		subscriptions.set(filter, subscription);
		byIdentifier.set(subscription.id, subscription);
		if (state.value === 'on') send(filter, subscription);
	}
	const from = client;
	const own = (...message) => listener(...message);
	subscription.listeners.add(own);
	const stop = () => {
		subscription.listeners.delete(own);
		if (subscription.listeners.size > 0 || client !== from || subscriptions.get(filter) !== subscription) return;
		subscriptions.delete(filter);
		byIdentifier.delete(subscription.id);
		if (state.value === 'on') client.unsubscribe(filter);
	};
	return { granted: subscription.sent ?? Promise.resolve(), stop };
}

// --- publishing ---

/** Fails with Refused, whose message is what the broker said. */
export function publish(topic, payload, { qos = 1, retain = false, properties } = {}) {
	const by = client;
	if (state.value !== 'on') return Promise.reject(new Error('The connection to the broker is lost at the moment.'));
	return new Promise((resolve, reject) => {
		const onLost = () => {
			if (id !== undefined) by.removeOutgoingMessage(id); // it must not be carried out later
			reject(new Error('The connection was lost before the broker answered.'));
		};
		by.once('close', onLost);
		by.publish(topic, payload, { qos, retain, properties }, (error, packet) => {
			by.off('close', onLost);
			if (error) reject(new Refused(packet?.properties?.reasonString ?? error.message, error.code));
			else resolve(packet);
		});
		const id = qos > 0 ? by.getLastMessageId() : undefined;
	});
}
