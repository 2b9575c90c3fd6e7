// The topics as a tree, with the last message of each; and everything about one of them.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Chart } from '../chart.js';
import { ask } from '../control.js';
import { amount, bytes, clock, duration, member, number, payload, pretty, time, who } from '../format.js';
import { html } from '../html.js';
import { generation, subscribe } from '../link.js';
import { Badge, Card, confirm, Empty, Pairs, perform, Trouble, View } from '../parts.js';
import { href, route } from '../route.js';
import { Pager, Search, WINDOW } from '../table.js';
import { MOST_TOPICS, TopicTree } from '../topic_tree.js';
import { useAnswer, useNow, useRedraw } from '../use.js';

const PREVIEW = 80;
const MOST_WRITERS = 20;
const preview = (node) => (node.payload === null ? '' : payload(node.payload.slice(0, PREVIEW)).replace(/\s+/g, ' '));

// It stays when another view is looked at, and then goes on with what was heard.
const tree = new TopicTree();
let last = -1;

function useTree(filter, redraw) {
	const [refused, setRefused] = useState(null);
	const connection = generation.value;
	useEffect(() => {
		if (last !== filter) tree.clear();
		last = filter;
		setRefused(null);
		const { granted, stop } = subscribe(filter, (topic, data, packet) => {
			tree.take(topic, data, packet);
			redraw();
		});
		granted.catch(setRefused);
		return stop;
	}, [filter, connection]);
	return refused;
}

function Row({ row, focus, chosen, onChoose, onToggle, onKey }) {
	const { node, depth, name } = row;
	const folder = node.children !== null;
	return html`
		<li role="treeitem" aria-level=${depth + 1} aria-expanded=${folder ? String(node.open) : undefined} aria-selected=${String(chosen)}
			tabindex=${focus ? 0 : -1} class=${`leaf level-${Math.min(depth, 9)}${chosen ? ' chosen' : ''}`} onKeyDown=${onKey} onClick=${() => onChoose(node)}>
			<span class="fold" aria-hidden="true" onClick=${(event) => { event.stopPropagation(); onToggle(node); }}>${folder ? (node.open ? '▾' : '▸') : ''}</span>
			<span class="name">${name === '' ? '(empty level)' : name}</span>
			${folder && html`<span class="note">${amount(node.topics, 'topic')}</span>`}
			${node.count > 0 && html`<span class="value">${preview(node)}</span>`}
			${node.retained && html`<${Badge}>retained<//>`}
		</li>`;
}

function useKeys(rows, from, setFrom, at, setAt, choose, toggle, list) {
	return (event) => {
		const row = rows[at];
		const move = (to) => {
			const next = Math.max(0, Math.min(rows.length - 1, to));
			setAt(next);
			if (next < from || next >= from + WINDOW) setFrom(Math.floor(next / WINDOW) * WINDOW);
			list.moved = next;
		};
		const keys = {
			ArrowDown: () => move(at + 1),
			ArrowUp: () => move(at - 1),
			Home: () => move(0),
			End: () => move(rows.length - 1),
			PageDown: () => move(at + 20),
			PageUp: () => move(at - 20),
			ArrowRight: () => (row.node.children && !row.node.open ? toggle(row.node) : move(at + 1)),
			ArrowLeft: () => (row.node.open ? toggle(row.node) : move(rows.findIndex((each) => each.node === row.node.parent))),
			Enter: () => choose(row.node),
			' ': () => choose(row.node),
		};
		if (row === undefined || keys[event.key] === undefined) return;
		event.preventDefault();
		keys[event.key]();
	};
}

function Tree({ text, chosen, onChoose, redraw }) {
	const [from, setFrom] = useState(0);
	const [at, setAt] = useState(0);
	const list = useRef(null);
	const keys = useMemo(() => ({ moved: null }), []); // the row that gets the focus when it is drawn
	const cache = useRef({ text: null, rows: [] });
	if (tree.changed || cache.current.text !== text) {
		tree.changed = false;
		cache.current = { text, rows: tree.rows(text) };
	}
	const { rows } = cache.current;
	const start = from < rows.length ? from : 0;
	const toggle = (node) => {
		if (!node.children) return;
		node.open = !node.open;
		tree.changed = true;
		redraw();
	};
	const choose = (node) => {
		setAt(Math.max(0, rows.findIndex((each) => each.node === node)));
		if (text === '' && node.count === 0) toggle(node);
		onChoose(node);
	};
	const onKey = useKeys(rows, start, setFrom, Math.min(at, rows.length - 1), setAt, choose, toggle, keys);
	useEffect(() => {
		if (keys.moved !== at) return;
		keys.moved = null;
		list.current?.querySelector('[tabindex="0"]')?.focus();
	});
	if (rows.length === 0) return html`<${Empty}>${text ? 'No topic contains this text.' : 'No message has come yet. Topics appear with their first message, or at once if a value is retained.'}<//>`;
	const window = rows.slice(start, start + WINDOW);
	const focus = at >= start && at < start + window.length ? at : start;
	return html`
		<ul role="tree" aria-label="Topics" class="tree" ref=${list}>
			${window.map((row, n) => html`<${Row} key=${row.node.topic} row=${row} focus=${start + n === focus} chosen=${row.node === chosen} onChoose=${choose} onToggle=${toggle} onKey=${onKey} />`)}
		</ul>
		<${Pager} from=${start} count=${window.length} total=${rows.length} onMove=${setFrom} what="topics" />`;
}

function Kept({ node }) {
	const of = useAnswer(() => ask('retained', { filter: node.topic }), `${node.topic} ${node.retained}`, 10);
	if (of.error) return html`<${Trouble} error=${of.error} command="retained" />`;
	const row = of.data?.[0];
	if (of.data === null) return null;
	if (row === undefined) return html`<p class="note">No value of this topic is retained.</p>`;
	const remove = async () => {
		const sure = await confirm('Delete the retained value?', `${node.topic}. Its readers get an empty message, as MQTT has it.`, 'Delete');
		if (sure && await perform(() => ask('delete-retained', { filter: node.topic }), 'The retained value was deleted.')) of.again();
	};
	return html`
		<${Pairs} rows=${[
			['Retained', `${bytes(row.size)}, QoS ${row.qos}`],
			['Written by', row.writer === '$SYS' ? 'the broker' : `${who(row.writer)}, client ${row.client_id ?? '–'}`],
			['Owner', row.owner === null ? 'nobody' : row.owner],
			['Expires', row.expires_in_s === null ? 'never' : `in ${duration(row.expires_in_s)}`],
		]} />
		${row.writer !== '$SYS' && html`<div class="tools"><button type="button" class="danger" onClick=${remove}>Delete the retained value</button></div>`}`;
}

function Writers({ topic }) {
	const of = useAnswer(() => ask('writers', { topic, limit: String(MOST_WRITERS) }), `writers ${topic}`);
	if (of.error) return html`<${Trouble} error=${of.error} command="writers" />`;
	if (of.data === null) return null;
	if (of.data.length === 0) return html`<p class="note">Nobody may write here.</p>`;
	return html`
		<p class="note">May write here${of.data.length < MOST_WRITERS ? '' : `, the first ${MOST_WRITERS}`}:</p>
		<ul class="writers" aria-label="Who may write">${of.data.map((row) => html`<li key=${row.user}>${who(row.user)} <code>${row.rule}</code>${row.client_id && html` <span class="note">as client ${row.client_id}</span>`}</li>`)}</ul>`;
}

function numbers(history) {
	const samples = history.map((each) => ({ at: each.at / 1000, value: Number.parseFloat(payload(each.payload)) }));
	return samples.length > 1 && samples.every((each) => Number.isFinite(each.value)) ? samples : null;
}

function Chosen({ node }) {
	const now = useNow();
	const history = tree.history.list();
	const samples = numbers(history);
	const text = node.payload === null ? null : payload(node.payload);
	return html`
		<${Card} title=${node.topic}>
			${text === null ? html`<p class="note">${amount(node.topics, 'topic')} below this level.</p>` : html`
				<pre class="payload" aria-label="Payload"><code>${pretty(text)}</code></pre>
				${node.size > node.payload.length && html`<p class="note">The first ${bytes(node.payload.length)} of ${bytes(node.size)}.</p>`}
				<${Pairs} rows=${[
					['Size', bytes(node.size)],
					['QoS', String(node.qos)],
					['Age', `${duration((now - node.at) / 1000)} (${time(node.at)})`],
					['Messages heard', number(node.count)],
				]} />
				<${Kept} node=${node} />
				<${Writers} topic=${node.topic} />
				<p class="tools">
					<a class="button" href=${href('hand', [], { topic: node.topic })}>Publish here</a>
					<a class="button" href=${href('explain', [], { topic: node.topic })}>Explain</a>
				</p>`}
		<//>
		${samples && html`<${Chart} title="Course" samples=${samples} show=${(value) => member('', Number.isFinite(value) ? value : null)} series=${[{ name: 'value', label: 'value', color: '--line-1' }]} />`}
		${history.length > 0 && html`<${Card} title="Messages since it was chosen">
			<ol class="messages">${history.slice(-20).reverse().map((each) => html`<li key=${each.n}><time>${clock(each.at)}</time> <code>${payload(each.payload.slice(0, 200))}</code></li>`)}</ol>
		<//>`}`;
}

export function Topics() {
	const [text, setText] = useState('');
	const [filter, setFilter] = useState(route.value.query.get('filter') ?? '#');
	const [chosen, setChosen] = useState(null);
	const redraw = useRedraw();
	const refused = useTree(filter, redraw);
	const choose = (node) => {
		tree.watch(node);
		setChosen(node);
	};
	const show = (event) => {
		event.preventDefault();
		setChosen(null);
		setFilter(new FormData(event.currentTarget).get('filter') || '#');
	};
	return html`
		<${View} title="Topics" about="What is published, as it comes." tools=${html`
			<form class="inline" onSubmit=${show}><input name="filter" aria-label="Topic filter" defaultValue=${filter} /><button>Show</button></form>
			<${Search} label="Topic contains" value=${text} onChange=${setText} />`}>
			${refused && html`<${Trouble} error=${new Error(`The subscription to ${filter} was refused: ${refused.message}. A rule such as "allow subscribe ${filter}" would allow it.`)} />`}
			<p class="note" data-figure="topics" data-value=${tree.topics}>${amount(tree.topics, 'topic')}, ${amount(tree.messages, 'message')}${tree.left_out > 0 ? `. More than ${number(MOST_TOPICS)} levels: ${number(tree.left_out)} messages of further topics are not shown. Use a narrower filter.` : ''}</p>
			<div class="split">
				<${Card}><${Tree} text=${text} chosen=${chosen} onChoose=${choose} redraw=${redraw} /><//>
				<div class="aside">${chosen ? html`<${Chosen} key=${chosen.topic} node=${chosen} />` : html`<${Card}><${Empty}>Choose a topic to see its value, its age and who wrote it.<//><//>`}</div>
			</div>
		<//>`;
}
