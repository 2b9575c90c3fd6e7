// Publishing and subscribing by hand.
import { useEffect, useRef, useState } from 'preact/hooks';
import { amount, bytes, clock, payload, pretty } from '../format.js';
import { html } from '../html.js';
import { generation, publish, subscribe } from '../link.js';
import { Badge, Card, Empty, Field, perform, View } from '../parts.js';
import { Ring } from '../ring.js';
import { route } from '../route.js';
import { useRedraw } from '../use.js';

const NO_SUBSCRIBERS = 0x10;

function Publish() {
	const send = (event) => {
		event.preventDefault();
		const form = new FormData(event.currentTarget);
		const topic = form.get('topic');
		perform(() => publish(topic, form.get('payload'), { qos: Number(form.get('qos')), retain: form.get('retain') === 'on' }),
			(packet) => (packet?.reasonCode === NO_SUBSCRIBERS ? `Published to ${topic}. Nobody subscribes to it.` : `Published to ${topic}.`));
	};
	return html`
		<${Card} title="Publish">
			<form class="form" onSubmit=${send}>
				<${Field} label="Topic"><input name="topic" required defaultValue=${route.value.query.get('topic') ?? ''} autocomplete="off" /><//>
				<${Field} label="Payload"><textarea name="payload" rows="5" spellcheck=${false}></textarea><//>
				<div class="row">
					<${Field} label="QoS"><select name="qos" defaultValue="1"><option>0</option><option selected>1</option><option>2</option></select><//>
					<label class="check"><input type="checkbox" name="retain" /> Retain</label>
					<button class="main">Publish</button>
				</div>
			</form>
		<//>`;
}

const KEPT = 200;

function Subscribe() {
	const [filter, setFilter] = useState(null);
	const [paused, setPaused] = useState(false);
	const [state, setState] = useState('');
	const kept = useRef(new Ring(KEPT));
	const shown = useRef([]);
	const redraw = useRedraw();
	const connection = generation.value;
	useEffect(() => {
		if (filter === null) return undefined;
		setState('');
		const { granted, stop } = subscribe(filter.text, (topic, data, packet) => {
			kept.current.push({ n: kept.current.total, at: Date.now(), topic, size: data.length, payload: data.slice(0, 2048), qos: packet.qos, retained: packet.retain });
			redraw();
		}, filter.qos);
		granted.then(() => setState('subscribed'), (error) => setState(`Refused: ${error.message}.`));
		return stop;
	}, [filter, connection]);
	const begin = (event) => {
		event.preventDefault();
		const form = new FormData(event.currentTarget);
		kept.current.clear();
		setFilter({ text: form.get('filter'), qos: Number(form.get('qos')) });
	};
	if (!paused) shown.current = kept.current.list().reverse();
	return html`
		<${Card} title="Subscribe" note=${filter && state === 'subscribed' ? `${amount(kept.current.total, 'message')} for ${filter.text}` : ''}>
			<form class="form" onSubmit=${begin}>
				<${Field} label="Topic filter"><input name="filter" required defaultValue=${route.value.query.get('filter') ?? ''} autocomplete="off" /><//>
				<div class="row">
					<${Field} label="QoS"><select name="qos"><option>0</option><option>1</option><option>2</option></select><//>
					<button class="main">Subscribe</button>
					${filter && html`
						<button type="button" aria-pressed=${String(paused)} onClick=${() => setPaused(!paused)}>${paused ? 'Go on' : 'Pause'}</button>
						<button type="button" onClick=${() => setFilter(null)}>Stop</button>`}
				</div>
			</form>
			${state && state !== 'subscribed' && html`<p class="trouble" role="alert">${state}</p>`}
			${shown.current.length === 0 ? html`<${Empty}>${filter ? 'No message has come yet.' : 'The last 200 messages are shown here.'}<//>` : html`
				<ol class="messages" aria-label="Messages">${shown.current.map((each) => html`
					<li key=${each.n} data-topic=${each.topic}>
						<time>${clock(each.at)}</time> <b>${each.topic}</b> ${each.retained && html`<${Badge}>retained<//>`} <span class="note">QoS ${each.qos}, ${bytes(each.size)}</span>
						<pre><code>${pretty(payload(each.payload))}</code></pre>
					</li>`)}</ol>`}
		<//>`;
}

export const Hand = () => html`
	<${View} title="Publish and subscribe" about="Messages by hand, with the rules of your own user.">
		<div class="split even"><${Publish} /><${Subscribe} /></div>
	<//>`;
