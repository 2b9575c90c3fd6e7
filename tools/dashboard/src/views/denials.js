// What was refused by a rule, and which rule would allow it.
import { useState } from 'preact/hooks';
import { askAll } from '../control.js';
import { ago, amount, number, time, who } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, View } from '../parts.js';
import { href } from '../route.js';
import { Search, search, Table } from '../table.js';
import { useAnswer } from '../use.js';

const MOST = 2000;

function Allow({ row }) {
	if (row.would_allow === null) return html`<span class="note">No rule can: this is never allowed.</span>`;
	return html`<code class="rule">${row.would_allow}</code>`;
}

const explain = (row) => href('explain', [], { user: row.user ?? '', id: row.client_id, action: row.action, topic: row.topic });

export const denialColumns = [
	{ key: 'time', label: 'Last', show: (row) => html`<time title=${time(row.time)}>${ago(row.time)}</time>` },
	{ key: 'count', label: 'Times', number: true, show: (row) => number(row.count) },
	{ key: 'user', label: 'User', wide: true, show: (row) => who(row.user) },
	{ key: 'client_id', label: 'Client', wide: true, show: (row) => html`<a href=${href('clients', [row.client_id], { user: row.user ?? '' })}>${row.client_id}</a>` },
	{ key: 'action', label: 'Wanted to', show: (row) => html`<${Badge}>${row.action}<//>` },
	{ key: 'topic', label: 'Topic', wide: true },
	{ key: 'rule', label: 'Denied by', wide: true },
	{ key: 'would_allow', label: 'What would allow it', wide: true, show: (row) => html`<${Allow} row=${row} /> <a href=${explain(row)}>Explain</a>` },
];

export function Denials() {
	const [text, setText] = useState('');
	const of = useAnswer(() => askAll('denials', { limit: '200' }, MOST, (row) => row.key), 'denials', 5);
	return html`
		<${View} title="Why denied" about="The last requests that a rule refused, and the rule that would allow each. Add it to a role in acl.yaml if it should be allowed."
			tools=${html`<${Search} label="User, client, topic or rule" value=${text} onChange=${setText} />`}>
			<${Answer} of=${of} command="denials" empty="Nothing was denied since the start.">${(rows) => html`
				<p class="note">${amount(rows.length, 'kind')} of denial, newest first</p>
				<${Table} caption="Denials" columns=${denialColumns} rows=${search(rows, text, ['user', 'client_id', 'topic', 'rule', 'action', 'address'])} keyOf=${(row) => row.key} sort="time" down empty="No denial has this text." />`}<//>
		<//>`;
}
