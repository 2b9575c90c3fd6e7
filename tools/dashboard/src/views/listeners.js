// Where the broker listens, and when certificates end.
import { ask, askAll } from '../control.js';
import { duration, number, time } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, Card, View } from '../parts.js';
import { Table } from '../table.js';
import { useAnswer } from '../use.js';

const SOON_S = 30 * 86400;

const listeners = [
	{ key: 'listener', label: 'Address', wide: true },
	{ key: 'protocol', label: 'Protocol', wide: true, show: (row) => (row.serve ? `${row.protocol}: ${row.serve}` : row.protocol) },
	{ key: 'tls', label: 'TLS', wide: true },
	{ key: 'client_certificates', label: 'Client certificates', show: (row) => (row.client_certificates ? 'yes' : 'no') },
	{ key: 'anonymous', label: 'Anonymous', show: (row) => (row.anonymous ? html`<${Badge} kind="warn">admitted<//>` : 'no') },
	{ key: 'clients', label: 'Clients', number: true, show: (row) => number(row.clients) },
	{ key: 'accepted', label: 'Logins', number: true, show: (row) => number(row.accepted) },
	{ key: 'refused', label: 'Refused', number: true, show: (row) => number(row.refused) },
];

export const Left = ({ row }) => {
	if (row.expired) return html`<${Badge} kind="bad">ended<//>`;
	return html`<${Badge} kind=${row.left_s < SOON_S ? 'warn' : 'good'}>${duration(row.left_s)}<//>`;
};

const certificates = [
	{ key: 'left_s', label: 'Left', show: (row) => html`<${Left} row=${row} />` },
	{ key: 'until', label: 'Ends', show: (row) => time(row.until) },
	{ key: 'kind', label: 'What', wide: true },
	{ key: 'file', label: 'File', wide: true },
	{ key: 'listener', label: 'Listener', wide: true },
];

export function Listeners() {
	const open = useAnswer(() => ask('listeners'), 'listeners', 10);
	const files = useAnswer(() => askAll('certificates', {}, 1000, (row) => row.key), 'certificates', 60);
	return html`
		<${View} title="Listeners and certificates" about="Where clients connect, and when a certificate ends.">
			<${Card} wide title="Listeners"><${Answer} of=${open} command="listeners">${(rows) => html`<${Table} caption="Listeners" sort="listener" columns=${listeners} rows=${rows} keyOf=${(row) => row.listener} empty="The broker listens nowhere." />`}<//><//>
			<${Card} wide title="Certificates and revocation lists"><${Answer} of=${files} command="certificates">${(rows) => html`<${Table} caption="Certificates" columns=${certificates} rows=${rows} keyOf=${(row) => row.key} sort="left_s" empty="No listener has a certificate." />`}<//><//>
		<//>`;
}
