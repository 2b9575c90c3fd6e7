// Retained messages of a filter: by whom, how large; deleting them.
import { useState } from 'preact/hooks';
import { ask, askAll } from '../control.js';
import { amount, bytes, duration, number, who } from '../format.js';
import { html } from '../html.js';
import { Answer, confirm, perform, View } from '../parts.js';
import { href } from '../route.js';
import { Table } from '../table.js';
import { useAnswer } from '../use.js';

const columns = [
	{ key: 'topic', label: 'Topic', wide: true, show: (row) => html`<a href=${href('topics', [], { filter: row.topic })}>${row.topic}</a>` },
	{ key: 'size', label: 'Size', number: true, show: (row) => bytes(row.size) },
	{ key: 'qos', label: 'QoS', number: true },
	{ key: 'writer', label: 'Written by', wide: true, show: (row) => (row.writer === '$SYS' ? 'the broker' : who(row.writer)) },
	{ key: 'client_id', label: 'Client', wide: true, show: (row) => row.client_id ?? '–' },
	{ key: 'owner', label: 'Owner', show: (row) => row.owner ?? 'nobody' },
	{ key: 'expires_in_s', label: 'Expires', number: true, show: (row) => (row.expires_in_s === null ? 'never' : `in ${duration(row.expires_in_s)}`) },
];

export function Retained() {
	const [filter, setFilter] = useState('#');
	const of = useAnswer(() => askAll('retained', { filter }, 20000, (row) => row.topic), filter);
	const show = (event) => {
		event.preventDefault();
		setFilter(new FormData(event.currentTarget).get('filter') || '#');
	};
	const remove = async () => {
		const sure = await confirm(`Delete ${number(of.data.length)} retained messages?`, `All that match ${filter}. This cannot be undone.`, 'Delete them');
		if (sure && await perform(() => ask('delete-retained', { filter }), (rows) => `${number(rows.length)} retained messages were deleted.`)) of.again();
	};
	const canDelete = of.data?.length > 0 && !filter.startsWith('$');
	return html`
		<${View} title="Retained messages" about="The values that a new subscriber gets at once." tools=${html`
			<form class="inline" onSubmit=${show}><input name="filter" aria-label="Topic filter" defaultValue=${filter} /><button>Show</button></form>
			<button type="button" class="danger" disabled=${!canDelete} onClick=${remove}>Delete all of them</button>`}>
			<${Answer} of=${of} command="retained">${(rows) => html`
				<p class="note" data-figure="retained" data-value=${rows.length}>${amount(rows.length, 'message')} for ${filter}</p>
				<${Table} caption="Retained messages" columns=${columns} rows=${rows} keyOf=${(row) => row.topic} sort="topic" empty="No retained message matches this filter." />`}<//>
		<//>`;
}
