// Questions to the broker, and their answers: commands are the rows of `broker-ctl`, members are those of its JSON lines.
import { effect } from '@preact/signals';
import { clientId, generation, publish, Refused, state, subscribe } from './link.js';

const COMMANDS = '$CONTROL/vakt/v1/';
const ANSWER_MS = 20000;

let asked = 0;
let answers = null; // the subscription of this login
const waiting = new Map(); // correlation: { rows, onRow, resolve, reject, timer, tail }
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The topic that a rule has to allow. */
export const commandTopic = (command) => COMMANDS + command;

const answerTopic = () => `${COMMANDS}answer/${clientId()}`;

function finish(key, error) {
	const question = waiting.get(key);
	if (question === undefined) return;
	waiting.delete(key);
	clearTimeout(question.timer);
	if (error) question.reject(Object.assign(error, { rows: question.rows })); // what came before it
	else question.resolve(question.rows);
}

function takeLine(key, question, line) {
	const row = JSON.parse(line);
	if (row.done === true) finish(key);
	else if (typeof row.error === 'string' && Object.keys(row).length === 1) finish(key, new Error(row.error));
	else if (question.onRow) question.onRow(row);
	else question.rows.push(row);
}

function onAnswer(topic, payload, packet) {
	const key = packet.properties?.correlationData && decoder.decode(packet.properties.correlationData);
	const question = waiting.get(key);
	if (question === undefined) return;
	clearTimeout(question.timer);
	if (!question.onRow) question.timer = setTimeout(() => finish(key, late()), ANSWER_MS);
	for (const line of decoder.decode(payload).split('\n')) {
		if (line !== '' && waiting.has(key)) takeLine(key, question, line);
	}
}

const late = () => new Error('The broker did not answer in time.');

effect(() => {
	if (state.value === 'on') return;
	for (const key of [...waiting.keys()]) finish(key, new Error('The connection was lost before the broker answered.'));
	if (state.value === 'out') answers = null;
});

function send(command, members, key) {
	return publish(COMMANDS + command, JSON.stringify(members), {
		qos: 1,
		properties: { responseTopic: answerTopic(), correlationData: encoder.encode(key) },
	});
}

function begin(command, members, onRow) {
	const key = `${generation.value}.${++asked}`;
	const rows = [];
	const answer = new Promise((resolve, reject) => {
		waiting.set(key, { rows, onRow, resolve, reject, timer: onRow ? 0 : setTimeout(() => finish(key, late()), ANSWER_MS) });
	});
	answers ??= subscribe(answerTopic(), onAnswer);
	answers.granted.then(() => waiting.has(key) && send(command, members, key), (error) => {
		throw new Refused(error.message, error.code, `allow subscribe ${COMMANDS}answer/#`);
	}).catch((error) => finish(key, error));
	return { key, answer };
}

/** The rows of an answer. */
export const ask = (command, members = {}) => begin(command, members, null).answer;

/** All rows of a list that is asked for in windows; `most` bounds them. */
export async function askAll(command, members = {}, most = 5000, keyOf = (row) => row.client_id) {
	const rows = [];
	for (;;) {
		const more = await ask(command, rows.length > 0 ? { ...members, after: keyOf(rows[rows.length - 1]) } : members);
		rows.push(...more);
		if (more.length < Number(members.limit ?? Infinity) || rows.length >= most) return rows;
	}
}

/** An answer that runs on: onRow gets each row. Returns { stop, ended }. */
export function follow(command, members, onRow) {
	const { key, answer } = begin(command, members, onRow);
	answer.catch(() => {});
	return {
		ended: answer,
		stop() {
			if (!waiting.has(key)) return;
			finish(key);
			if (state.value === 'on') send('stop', {}, key).catch(() => {});
		},
	};
}
