// Who is connected; and everything about one of them.
import { useState } from 'preact/hooks';
import { ask, askAll } from '../control.js';
import { ago, amount, bytes, duration, number, time, who } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, Card, confirm, Empty, Pairs, perform, View } from '../parts.js';
import { href, route } from '../route.js';
import { Search, search, Table } from '../table.js';
import { useAnswer } from '../use.js';
import { denialColumns } from './denials.js';
import { endColumns } from './ends.js';

const MOST = 5000;
const keyOf = (row) => `${row.user ?? ''} ${row.client_id}`;
const address = (row) => href('clients', [row.client_id], { user: row.user ?? '' });

const columns = [
	{ key: 'client_id', label: 'Client', wide: true, show: (row) => html`<a href=${address(row)}>${row.client_id}</a>` },
	{ key: 'user', label: 'User', wide: true, show: (row) => who(row.user) },
	{ key: 'peer', label: 'Address', wide: true },
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

const connection = (row) => [
	['User', who(row.user)],
	['Address', row.peer],
	['Listener', row.listener],
	['Protocol', row.version && `MQTT ${row.version}${row.tls ? `, ${row.tls}` : ''}`],
	['Server name', row.server_name ?? undefined],
	['Certificate', row.certificate ?? undefined],
	['Connected since', row.since && `${time(row.since)} (${ago(row.since)})`],
	['Last heard', row.heard_s_ago === undefined ? undefined : `${duration(row.heard_s_ago)} ago`],
	['Keep alive', row.keep_alive_s === undefined ? undefined : row.keep_alive_s === 0 ? 'none' : duration(row.keep_alive_s)],
	['Receive Maximum', row.receive_maximum === undefined ? undefined : number(row.receive_maximum)],
	['Not yet read by it', row.unsent_bytes === undefined ? undefined : bytes(row.unsent_bytes), 'unsent_bytes', row.unsent_bytes],
	['Takeovers', row.takeovers > 0 ? html`<${Badge} kind="bad">${number(row.takeovers)}: two devices use this client id<//>` : undefined],
];

function lasts(row) {
	if (row.expiry_s === null) return 'for ever';
	if (row.expiry_s === 0) return 'as long as the connection';
	return row.ends_in_s === null ? `${duration(row.expiry_s)} after the connection` : `${duration(row.ends_in_s)} more`;
}

const session = (row) => [
	['Lasts', lasts(row)],
	['Subscriptions', number(row.subscriptions), 'subscriptions', row.subscriptions],
	['Queued', `${number(row.queued)} (${bytes(row.queued_bytes)})`, 'queued', row.queued],
	['In flight', number(row.in_flight), 'in_flight', row.in_flight],
	['Dropped', number(row.dropped), 'dropped', row.dropped],
	['Will', row.will ?? 'none'],
	['Set aside', row.set_aside ? 'yes, for a former id of its user' : undefined],
];

const subscriptions = [
	{ key: 'filter', label: 'Filter', wide: true },
	{ key: 'qos', label: 'QoS', number: true },
	{ key: 'in_part', label: 'Granted', show: (row) => (row.in_part ? html`<${Badge} kind="warn">in part<//>` : 'whole') },
	{ key: 'no_local', label: 'No local', show: (row) => (row.no_local ? 'yes' : 'no') },
];

const of = (rows, about) => rows.filter((row) => row.about === about).map((row, n) => ({ key: n, ...row }));

function Details({ rows }) {
	const [kept] = of(rows, 'session');
	return html`
		<div class="cards">
			<${Card} title="Connection" tools=${kept?.connected ? html`<${Badge} kind="good">connected<//>` : html`<${Badge} kind="warn">not connected<//>`}>
				${kept ? html`<${Pairs} rows=${connection(kept)} />` : html`<${Empty}>Its session has ended with its connection.<//>`}
			<//>
			${kept && html`<${Card} title="Session"><${Pairs} rows=${session(kept)} /><//>`}
		</div>
		<${Card} title="Subscriptions"><${Table} caption="Subscriptions" columns=${subscriptions} rows=${of(rows, 'subscription')} keyOf=${(row) => row.filter} sort="filter" empty="It has no subscription." /><//>
		<${Card} title="Last ends of its connections"><${Table} caption="Ends" columns=${endColumns.filter((each) => each.key !== 'client_id')} rows=${of(rows, 'end')} keyOf=${(row) => row.key} sort="time" down empty="None of its connections has ended since the start of the broker." /><//>
		<${Card} title="Last denials"><${Table} caption="Denials" columns=${denialColumns.filter((each) => !['client_id', 'user'].includes(each.key))} rows=${of(rows, 'denial')} keyOf=${(row) => row.key} sort="time" down empty="Nothing was denied to it." /><//>`;
}

function One({ id, user }) {
	const members = user === null ? { id } : { id, user };
	const answer = useAnswer(() => ask('client', members), JSON.stringify(members), 3);
	const kept = answer.data?.find((row) => row.about === 'session');
	const tools = html`
		<a class="button" href=${href('trace', [], { id, user })}>Trace</a>
		${kept?.connected && html`<button type="button" class="danger" onClick=${async () => (await disconnect({ client_id: id, user })) && answer.again()}>Disconnect</button>`}`;
	return html`
		<${View} title=${id} about=${html`<a href=${href('clients')}>All clients</a>`} tools=${tools}>
			<${Answer} of=${answer} command="client">${(rows) => html`<${Details} rows=${rows} />`}<//>
		<//>`;
}

export function Clients() {
	const [id] = route.value.rest;
	return id === undefined ? html`<${List} />` : html`<${One} id=${id} user=${route.value.query.get('user')} />`;
}
