// The broker's log, live.
import { useEffect, useRef, useState } from 'preact/hooks';
import { follow } from '../control.js';
import { amount, clock, member, words } from '../format.js';
import { html } from '../html.js';
import { generation } from '../link.js';
import { Badge, Card, Empty, Trouble, View } from '../parts.js';
import { Ring } from '../ring.js';
import { useRedraw } from '../use.js';

const KEPT = 200;
const LEVELS = [['debug', 'everything'], ['info', 'information and worse'], ['warning', 'warnings and worse'], ['error', 'errors only']];
const kindOf = { error: 'bad', warning: 'warn', info: 'plain', debug: 'plain' };
const FIRST = ['time', 'level', 'event', 'msg'];

/** One event: when, how bad, what, and its fields. */
export const Line = ({ row }) => html`
	<time title=${row.time}>${clock(row.time)}</time>
	${row.level && row.level !== 'info' && row.level !== 'debug' && html`<${Badge} kind=${kindOf[row.level] ?? 'plain'}>${row.level}<//>`}
	<b>${row.event}</b> <span>${row.msg ?? ''}</span>
	<span class="fields">${Object.entries(row).filter(([name, value]) => !FIRST.includes(name) && value !== null && value !== '').map(([name, value]) => html`
		<span key=${name}><i>${words(name)}</i> ${typeof value === 'string' ? value : member(name, value)}</span>`)}</span>`;

/** Follows an answer that runs on; its last rows, newest first. `members` null: nothing is asked. */
export function useLines(command, members) {
	const kept = useRef(new Ring(KEPT));
	const [error, setError] = useState(null);
	const [ended, setEnded] = useState(false);
	const redraw = useRedraw();
	const connection = generation.value;
	const key = JSON.stringify(members);
	useEffect(() => {
		kept.current.clear();
		setError(null);
		setEnded(false);
		if (members === null) return undefined;
		let over = false;
		const { stop, ended: end } = follow(command, members, (row) => {
			kept.current.push({ n: kept.current.total, row });
			redraw();
		});
		end.then(() => !over && setEnded(true), (why) => !over && setError(why));
		return () => {
			over = true;
			stop();
		};
	}, [key, connection]);
	return { lines: kept.current, error, ended };
}

export const Lines = ({ list, label }) => html`<ol class="messages log" aria-label=${label}>${list.map(({ n, row }) => html`<li key=${n} data-event=${row.event}><${Line} row=${row} /></li>`)}</ol>`;

export function Log() {
	const [asked, setAsked] = useState({ level: 'info', match: '' });
	const [paused, setPaused] = useState(false);
	const shown = useRef([]);
	const { lines, error, ended } = useLines('log', asked.match === '' ? { level: asked.level } : asked);
	if (!paused) shown.current = lines.list().reverse();
	const submit = (event) => {
		event.preventDefault();
		const form = new FormData(event.currentTarget);
		setAsked({ level: form.get('level'), match: form.get('match') });
	};
	return html`
		<${View} title="Log" about="What the broker logs from now on, newest first." tools=${html`
			<form class="inline" onSubmit=${submit}>
				<select name="level" aria-label="Level">${LEVELS.map(([name, label]) => html`<option key=${name} value=${name} selected=${name === 'info'}>${label}</option>`)}</select>
				<input name="match" aria-label="Text" placeholder="Contains" /><button>Show</button>
			</form>
			<button type="button" aria-pressed=${String(paused)} onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button>`}>
			${error && html`<${Trouble} error=${error} command="log" />`}
			<${Card}>
				<p class="note">${amount(lines.total, 'line')}${ended ? '; the broker ended the answer' : ''}</p>
				${shown.current.length === 0 ? html`<${Empty}>Nothing has been logged since you opened this view.<//>` : html`<${Lines} list=${shown.current} label="Log" />`}
			<//>
		<//>`;
}
