// Who is connected; and everything about one of them.
import { useState } from 'preact/hooks';
import { ask, askAll } from '../control.js';
import { ago, amount, bytes, duration, number, time, who } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, Card, confirm, Empty, Pairs, perform, View } from '../parts.js';
import { href, route } from '../route.js';
import { Search, search, Table } from '../table.js';
import { useAnswer } from '../use.js';

const MOST = 5000;
const keyOf = (row) => `${row.user ?? ''} ${row.client_id}`;
const address = (row) => href('clients', [row.client_id], { user: row.user ?? '' });

const columns = [
	{ key: 'client_id', label: 'Client', wide: true, show: (row) => html`<a href=${address(row)}>${row.client_id}</a>` },
	{ key: 'user', label: 'User', show: (row) => who(row.user) },
	{ key: 'peer', label: 'Address' },
	{ key: 'version', label: 'MQTT' },
	{ key: 'since', label: 'Connected', show: (row) => ago(row.since) },
	{ key: 'subscriptions', label: 'Subscriptions', number: true, show: (row) => number(row.subscriptions) },
	{ key: 'queued', label: 'Queued', number: true, show: (row) => number(row.queued) },
	{ key: 'in_flight', label: 'In flight', number: true, show: (row) => number(row.in_flight) },
	{ key: 'dropped', label: 'Dropped', number: true, show: (row) => (row.dropped > 0 ? html`<${Badge} kind="warn">${number(row.dropped)}<//>` : '0') },
];

export async function disconnect(row) {
	const sure = await confirm('Disconnect this client?', `${row.client_id}, user ${who(row.user)}. Its session stays, and it may connect again at once.`, 'Disconnect');
	return sure && perform(() => ask('kick', { id: row.client_id, user: row.user ?? '' }), `${row.client_id} was disconnected.`);
}

function List() {
	const [text, setText] = useState('');
	const of = useAnswer(() => askAll('clients', {}, MOST), 'clients', 5);
	return html`
		<${View} title="Clients" about="Who is connected at this moment." tools=${html`<${Search} label="Client, user or address" value=${text} onChange=${setText} />`}>
			<${Answer} of=${of} command="clients">${(rows) => {
				const found = search(rows, text, ['client_id', 'user', 'peer']);
				return html`
					<p class="note" data-figure="clients" data-value=${rows.length}>${text ? `${number(found.length)} of ${number(rows.length)} clients` : amount(rows.length, 'client')}${rows.length >= MOST ? ', and perhaps more: search to see them' : ''}</p>
					<${Table} caption="Connected clients" columns=${columns} rows=${found} keyOf=${keyOf} sort="client_id" empty=${text ? 'No client has this text in its id, user or address.' : 'No client is connected.'} />`;
			}}<//>
		<//>`;
}

const now = (row) => [
	['User', who(row.user)],
	['Address', row.peer],
	['Protocol', row.version && `MQTT ${row.version}${row.tls ? `, ${row.tls}` : ''}`],
	['Connected since', row.since && `${time(row.since)} (${ago(row.since)})`],
	['Keep alive', row.keep_alive_s === undefined ? undefined : row.keep_alive_s === 0 ? 'none' : duration(row.keep_alive_s)],
];

const load = (row) => [
	['Subscriptions', number(row.subscriptions), 'client.subscriptions'],
	['Queued', row.queued_bytes === undefined ? number(row.queued) : `${number(row.queued)} (${bytes(row.queued_bytes)})`, 'client.queued'],
	['In flight', number(row.in_flight), 'client.in_flight'],
	['Dropped', number(row.dropped), 'client.dropped'],
	['Session ends', row.expiry_s === undefined ? undefined : row.expiry_s === null ? 'never' : row.expiry_s === 0 ? 'with the connection' : `${duration(row.expiry_s)} after the connection`],
];

async function find(id, user) {
	const mine = (row) => row.client_id === id && (user === null || (row.user ?? '') === user);
	const [clients, sessions] = await Promise.all([ask('clients'), ask('sessions')]);
	return { client: clients.find(mine), session: sessions.find(mine) };
}

function One({ id, user }) {
	const of = useAnswer(() => find(id, user), `${id} ${user}`, 3);
	const found = of.data?.client;
	const tools = html`
		${found && html`<button type="button" class="danger" onClick=${async () => (await disconnect(found)) && of.again()}>Disconnect</button>`}`;
	return html`
		<${View} title=${id} about=${html`<a href=${href('clients')}>All clients</a>`} tools=${tools}>
			<${Answer} of=${of} command="clients">${({ client, session }) => html`
				${!client && !session && html`<${Empty}>There is no client and no session with this id.<//>`}
				<div class="cards">
					${(client || session) && html`<${Card} title="Connection">
						${client ? html`<p><${Badge} kind="good">connected<//></p><${Pairs} rows=${now(client)} />`
							: html`<p><${Badge} kind="warn">not connected<//></p><${Pairs} rows=${[['User', who(session.user)]]} />`}
					<//>`}
					${session && html`<${Card} title="Session"><${Pairs} rows=${load(session)} /><//>`}
				</div>`}<//>
		<//>`;
}

export function Clients() {
	const [id] = route.value.rest;
	return id === undefined ? html`<${List} />` : html`<${One} id=${id} user=${route.value.query.get('user')} />`;
}
