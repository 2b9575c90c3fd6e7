// Who queues, and what fills memory and disk.
import { useState } from 'preact/hooks';
import { ask, askAll } from '../control.js';
import { figures, sampled } from '../figures.js';
import { ago, bytes, duration, milliseconds, number, time, who } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, Card, confirm, Pairs, perform, View } from '../parts.js';
import { href } from '../route.js';
import { Search, search, Table } from '../table.js';
import { useAnswer } from '../use.js';

const sessions = (again) => [
	{ key: 'client_id', label: 'Client', wide: true, show: (row) => html`<a href=${href('clients', [row.client_id], { user: row.user ?? '' })}>${row.client_id}</a>` },
	{ key: 'user', label: 'User', wide: true, show: (row) => who(row.user) },
	{ key: 'connected', label: 'Connected', show: (row) => (row.connected ? html`<${Badge} kind="good">yes<//>` : html`<${Badge}>no<//>`) },
	{ key: 'queued', label: 'Queued', number: true, show: (row) => number(row.queued) },
	{ key: 'queued_bytes', label: 'Size', number: true, show: (row) => bytes(row.queued_bytes) },
	{ key: 'in_flight', label: 'In flight', number: true, show: (row) => number(row.in_flight) },
	{ key: 'dropped', label: 'Dropped', number: true, show: (row) => number(row.dropped) },
	{ key: 'ends_in_s', label: 'Ends in', number: true, show: (row) => (row.ends_in_s === null ? '–' : duration(row.ends_in_s)) },
	{ key: 'delete', label: 'Delete', plain: true, show: (row) => html`<button type="button" class="small danger" aria-label=${`Delete the session of ${row.client_id}`} onClick=${() => remove(row, again)}>Delete</button>` },
];

async function remove(row, again) {
	const sure = await confirm('Delete this session?', `${row.client_id}, user ${who(row.user)}: its subscriptions and ${number(row.queued)} queued messages are lost${row.connected ? ', and the client is disconnected' : ''}.`, 'Delete');
	if (sure && await perform(() => ask('delete-session', { id: row.client_id, user: row.user ?? '' }), 'The session was deleted.')) again();
}

const usage = [
	{ key: 'name', label: 'User or address', wide: true, show: (row) => row.name ?? '(anonymous)' },
	{ key: 'kind', label: 'Kind', wide: true },
	{ key: 'memory_bytes', label: 'Memory', number: true, show: (row) => bytes(row.memory_bytes) },
	{ key: 'retained_bytes', label: 'of it retained', number: true, show: (row) => bytes(row.retained_bytes) },
	{ key: 'store_bytes', label: 'Store', number: true, show: (row) => bytes(row.store_bytes) },
	{ key: 'connections', label: 'Connections', number: true, show: (row) => number(row.connections) },
];

const losses = [
	{ key: 'time', label: 'Last', show: (row) => html`<time title=${time(row.time)}>${ago(row.time)}</time>` },
	{ key: 'count', label: 'Times', number: true, show: (row) => number(row.count) },
	{ key: 'client_id', label: 'Client', wide: true, show: (row) => html`<a href=${href('clients', [row.client_id], { user: row.user ?? '' })}>${row.client_id}</a>` },
	{ key: 'user', label: 'User', wide: true, show: (row) => who(row.user) },
	{ key: 'cause', label: 'Why', wide: true },
];

function Store() {
	sampled.value;
	const now = figures.value;
	return html`
		<${Card} title="Store and memory">
			<${Pairs} rows=${[
				['State', now.store, 'store', now.store],
				['Last error', now.store_error ?? undefined],
				['In use', now.store_used_bytes === undefined ? undefined : `${bytes(now.store_used_bytes)} of at most ${bytes(now.store_max_bytes)}`],
				['Commit', now.store_commit_mean_us === undefined ? undefined : `${milliseconds(now.store_commit_mean_us / 1000)} on average${now.store_commit_p99_us === undefined ? '' : `, ${milliseconds(now.store_commit_p99_us / 1000)} for 99 of 100`}`],
				['Waiting for the next commit', now.store_pending_bytes === undefined ? undefined : bytes(now.store_pending_bytes)],
				['Queued or in flight', `${number(now.queued)} messages, ${bytes(now.queued_bytes)}`, 'queued', now.queued],
				['of it on disk only', bytes(now.queued_disk_bytes), 'queued_disk_bytes', now.queued_disk_bytes],
				['Counted against limits.memory', bytes(now.memory_counted_bytes), 'memory_counted_bytes', now.memory_counted_bytes],
				['Memory of the process', bytes(now.memory_bytes)],
			]} />
		<//>`;
}

export function Queues() {
	const [text, setText] = useState('');
	const kept = useAnswer(() => askAll('sessions'), 'sessions', 5);
	const used = useAnswer(() => ask('usage'), 'usage', 10);
	const lost = useAnswer(() => askAll('losses', { limit: '200' }, 1000, (row) => row.key), 'losses', 10);
	return html`
		<${View} title="Queues and usage" about="What waits for whom, and what fills memory and disk.">
			<div class="cards"><${Store} /></div>
			<${Card} wide title="By user and address"><${Answer} of=${used} command="usage">${(rows) => html`
				<${Table} caption="Usage" columns=${usage} rows=${rows} keyOf=${(row) => `${row.kind} ${row.name}`} sort="memory_bytes" down empty="Nobody uses anything." />`}<//><//>
			<${Card} wide title="Sessions" tools=${html`<${Search} label="Client or user" value=${text} onChange=${setText} />`}><${Answer} of=${kept} command="sessions">${(rows) => html`
				<${Table} caption="Sessions" columns=${sessions(kept.again)} rows=${search(rows, text, ['client_id', 'user'])} keyOf=${(row) => `${row.user ?? ''} ${row.client_id} ${row.set_aside}`} sort="queued_bytes" down empty="There is no session." />`}<//><//>
			<${Card} wide title="What was lost, and why"><${Answer} of=${lost} command="losses">${(rows) => html`
				<${Table} caption="Losses" columns=${losses} rows=${search(rows, text, ['client_id', 'user', 'cause'])} keyOf=${(row) => row.key} sort="time" down empty="Nothing that is remembered." />`}<//><//>
		<//>`;
}
