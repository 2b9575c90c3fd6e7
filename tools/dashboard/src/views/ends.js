// Why somebody is offline: how connections ended, and handshakes and logins that failed.
import { useState } from 'preact/hooks';
import { askAll } from '../control.js';
import { ago, amount, duration, member, number, time, who, words } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, View } from '../parts.js';
import { href, route } from '../route.js';
import { Search, search, Table } from '../table.js';
import { useAnswer } from '../use.js';

const MOST = 2000;

// what: [kind of badge, words, group]
const kinds = {
	disconnect: ['plain', 'said goodbye', 'clients'],
	lost: ['warn', 'connection lost', 'clients'],
	'keep-alive': ['warn', 'missed keep alive', 'clients'],
	'taken-over': ['warn', 'taken over', 'clients'],
	refused: ['bad', 'login refused', 'failed'],
	fault: ['bad', 'fault of the client', 'clients'],
	administrator: ['plain', 'by an administrator', 'clients'],
	broker: ['plain', 'by the broker', 'clients'],
	tls: ['bad', 'TLS failed', 'failed'],
	'no-tls': ['bad', 'without TLS', 'failed'],
	'before-connect': ['bad', 'ended before login', 'failed'],
	address: ['bad', 'address refused', 'failed'],
};
const groups = [['', 'All'], ['clients', 'Clients that left'], ['failed', 'Failed handshakes and logins']];

const kindOf = (row) => kinds[row.what] ?? ['plain', words(row.what), 'clients'];

const more = (row) => [
	row.connected_s !== undefined && `connected for ${duration(row.connected_s)}`,
	row.taken_by && `taken over from ${row.taken_by}`,
	...['server_name', 'offered', 'certificate'].map((name) => row[name] && `${words(name)} ${member(name, row[name])}`),
].filter(Boolean).join(', ');

const Who = ({ row }) => (row.client_id === null
	? html`<span>${row.address}</span>`
	: html`<a href=${href('clients', [row.client_id], { user: row.user ?? '' })}>${row.client_id}</a> <span class="note">${who(row.user)}</span>`);

export const endColumns = [
	{ key: 'time', label: 'Last', show: (row) => html`<time title=${time(row.time)}>${ago(row.time)}</time>` },
	{ key: 'count', label: 'Times', number: true, show: (row) => (row.count > 2 && row.what === 'taken-over' ? html`<${Badge} kind="bad">${number(row.count)}<//>` : number(row.count)) },
	{ key: 'what', label: 'What', value: (row) => kindOf(row)[1], show: (row) => html`<${Badge} kind=${kindOf(row)[0]}>${kindOf(row)[1]}<//>` },
	{ key: 'client_id', label: 'Who', wide: true, value: (row) => row.client_id ?? row.address, show: (row) => html`<${Who} row=${row} />` },
	{ key: 'address', label: 'Address', wide: true },
	{ key: 'cause', label: 'Why', wide: true, show: (row) => html`${row.cause ?? row.reason ?? ''} <span class="note">${more(row)}</span>` },
];

export function Ends() {
	const [text, setText] = useState(route.value.query.get('text') ?? '');
	const [group, setGroup] = useState('');
	const of = useAnswer(() => askAll('ends', { limit: '200' }, MOST, (row) => row.key), 'ends', 5);
	return html`
		<${View} title="Why offline" about="How connections ended, newest first: lost lines, missed keep alives, takeovers, failed TLS handshakes and logins."
			tools=${html`
				<select aria-label="Which" value=${group} onChange=${(event) => setGroup(event.currentTarget.value)}>${groups.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>
				<${Search} label="Client, user or address" value=${text} onChange=${setText} />`}>
			<${Answer} of=${of} command="ends" empty="No connection has ended since the start.">${(rows) => {
				const found = search(rows, text, ['client_id', 'user', 'address', 'cause', 'what']).filter((row) => group === '' || kindOf(row)[2] === group);
				return html`
					<p class="note">${amount(found.length, 'row')}; the same end of the same client is one row</p>
					<${Table} caption="Ends of connections" columns=${endColumns} rows=${found} keyOf=${(row) => row.key} sort="time" down empty="None of this kind." />`;
			}}<//>
		<//>`;
}
