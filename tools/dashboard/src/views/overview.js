// The house at this moment: what is connected, what flows, what was lost.
import { bytes, duration, milliseconds, number, rate } from '../format.js';
import { courses, figures, rights, sampled } from '../figures.js';
import { Chart } from '../chart.js';
import { html } from '../html.js';
import { Badge, Empty, View } from '../parts.js';
import { href } from '../route.js';

const Tile = ({ label, value, figure, raw, note, to }) => html`
	<div class="tile">
		<dt>${to ? html`<a href=${to}>${label}</a>` : label}</dt>
		<dd data-figure=${figure} data-value=${raw}>${value}</dd>
		${note && html`<dd class="note">${note}</dd>`}
	</div>`;

/** What somebody should look at, in words: [kind, text, address]. */
function warnings(now) {
	const found = [];
	if (now.store_error && now.store_error !== 'none') found.push(['bad', `The store has a problem: ${now.store_error}.`, href('queues')]);
	if (now.client_ids_shared > 0) found.push(['bad', `${number(now.client_ids_shared)} client ids are used by two devices that throw each other out.`, href('clients')]);
	if (now.set_aside_users > 0) found.push(['warn', `The data of ${number(now.set_aside_users)} former users is set aside. ${now.set_aside_remedy ?? ''}`, null]);
	if (now.messages_dropped > 0) found.push(['warn', `${number(now.messages_dropped)} messages were dropped since the start: their readers were too slow, or away too long.`, href('queues')]);
	if (now.retained_refused > 0) found.push(['warn', `${number(now.retained_refused)} retained messages were refused because of a limit.`, href('queues')]);
	if (now.log_dropped > 0) found.push(['warn', `${number(now.log_dropped)} lines of the log were lost.`, null]);
	return found;
}

const Warnings = ({ list }) => html`
	<ul class="warnings" aria-label="Warnings">
		${list.length === 0 && html`<li class="good"><${Badge} kind="good">All is well<//> Nothing was lost, and nothing needs attention.</li>`}
		${list.map(([kind, text, to]) => html`<li key=${text} class=${kind}><${Badge} kind=${kind}>${kind === 'bad' ? 'Problem' : 'Note'}<//> <span>${text}</span> ${to && html`<a href=${to}>Look</a>`}</li>`)}
	</ul>`;

export function Overview() {
	sampled.value;
	const now = figures.value;
	const flow = courses.messages.last;
	const traffic = courses.bytes.last;
	if (now.clients === undefined) return html`<${View} title="Overview"><${Empty}>Waiting for the first figures …<//><//>`;
	const away = now.sessions === undefined ? undefined : Math.max(0, now.sessions - now.clients);
	return html`
		<${View} title="Overview" about=${now.version ? `Vakt ${now.version}, up for ${duration(now.uptime_s)}` : `Up for ${duration(now.uptime_s)}`}>
			<${Warnings} list=${warnings(now)} />
			<dl class="tiles">
				<${Tile} label="Connected clients" figure="clients" raw=${now.clients} value=${number(now.clients)} note=${`at most ${number(now.clients_most)} at one time`} to=${href('clients')} />
				<${Tile} label="Sessions" figure="sessions" raw=${now.sessions} value=${number(now.sessions)} note=${away === undefined ? '' : `${number(away)} without a client`} to=${href('queues')} />
				<${Tile} label="Messages in" figure="messages_received" raw=${now.messages_received} value=${rate(flow?.received)} note=${`${number(now.messages_received)} in all`} />
				<${Tile} label="Messages out" figure="messages_sent" raw=${now.messages_sent} value=${rate(flow?.sent)} note=${`${number(now.messages_sent)} in all`} />
				<${Tile} label="Dropped" figure="messages_dropped" raw=${now.messages_dropped} value=${number(now.messages_dropped)} note="messages since the start" />
				<${Tile} label="Denied" figure="denials" raw=${now.denials} value=${number(now.denials)} note="requests since the start" to=${rights.value.status ? href('denials') : null} />
				<${Tile} label="Queued" figure="queued" raw=${now.queued} value=${number(now.queued)} note=${bytes(now.queued_bytes)} to=${href('queues')} />
				<${Tile} label="Retained" figure="retained" raw=${now.retained} value=${number(now.retained)} note=${bytes(now.retained_bytes)} to=${href('retained')} />
				<${Tile} label="Subscriptions" figure="subscriptions" raw=${now.subscriptions} value=${number(now.subscriptions)} note="of all sessions" />
				<${Tile} label="Store" figure="store" raw=${now.store} value=${now.store ?? '–'} note=${now.store_used_bytes === undefined ? 'kept in memory only' : `${bytes(now.store_used_bytes)} of ${bytes(now.store_max_bytes)}`} />
			</dl>
			<div class="charts">
				<${Chart} title="Messages a second" samples=${courses.messages.list()} show=${rate}
					series=${[{ name: 'received', label: 'in', color: '--line-1' }, { name: 'sent', label: 'out', color: '--line-2' }]} />
				<${Chart} title="Traffic" samples=${courses.bytes.list()} show=${(value) => (Number.isFinite(value) ? `${bytes(value)}/s` : '–')}
					series=${[{ name: 'received', label: 'in', color: '--line-1' }, { name: 'sent', label: 'out', color: '--line-2' }]} />
				<${Chart} title="Connected clients" samples=${courses.clients.list()} show=${number}
					series=${[{ name: 'clients', label: 'connected', color: '--line-1' }]} />
				<${Chart} title="Latency" samples=${courses.latency.list()} show=${milliseconds}
					series=${[{ name: 'round_trip', label: 'answer to this page', color: '--line-1' }, { name: 'commit', label: 'commit of the store, mean', color: '--line-2' }]} />
				<${Chart} title="Dropped and denied a second" samples=${courses.losses.list()} show=${rate}
					series=${[{ name: 'dropped', label: 'dropped', color: '--line-3' }, { name: 'denied', label: 'denied', color: '--line-2' }]} />
			</div>
			${traffic === undefined && html`<p class="note">Traffic comes from <code>$SYS</code>, every 10 seconds.</p>`}
		<//>`;
}
