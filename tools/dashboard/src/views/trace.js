// Each packet of one client, each decision of its rules and the state of its queue, for a while.
import { useState } from 'preact/hooks';
import { amount } from '../format.js';
import { html } from '../html.js';
import { Card, Empty, Field, Trouble, View } from '../parts.js';
import { route } from '../route.js';
import { Lines, useLines } from './log.js';

const SPANS = ['60s', '10s', '5m', '15m'];

export function Trace() {
	const [asked, setAsked] = useState(null);
	const { lines, error, ended } = useLines('trace', asked);
	const user = route.value.query.get('user');
	const begin = (event) => {
		event.preventDefault();
		const form = new FormData(event.currentTarget);
		const members = { id: form.get('id'), for: form.get('for') };
		if (user !== null && form.get('id') === route.value.query.get('id')) members.user = user;
		setAsked(members);
	};
	const running = asked !== null && !ended && !error;
	return html`
		<${View} title="Trace" about="What one client sends and gets, and what its rules decide. Payloads are never shown here.">
			<${Card}>
				<form class="form" onSubmit=${begin}>
					<div class="row">
						<${Field} label="Client id"><input name="id" required defaultValue=${route.value.query.get('id') ?? ''} autocomplete="off" /><//>
						<${Field} label="For"><select name="for">${SPANS.map((span) => html`<option key=${span}>${span}</option>`)}</select><//>
						<button class="main">Begin</button>
						${running && html`<button type="button" onClick=${() => setAsked(null)}>Stop</button>`}
					</div>
				</form>
			<//>
			${error && html`<${Trouble} error=${error} command="trace" />`}
			${asked && html`<${Card} title=${asked.id} note=${`${amount(lines.total, 'line')}${ended ? ', ended' : ''}`}>
				${lines.total === 0 ? html`<${Empty}>${ended ? 'The client did nothing in this time.' : 'Waiting for the next packet …'}<//>` : html`<${Lines} list=${lines.list().reverse()} label="Trace" />`}
			<//>`}
		<//>`;
}
