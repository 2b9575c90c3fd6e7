// Small pieces that views are made of.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { commandTopic } from './control.js';
import { member, NOTHING, words } from './format.js';
import { html } from './html.js';

export const View = ({ title, about, tools, children }) => html`
	<div class="view">
		<header class="view-head">
			<div><h1 tabindex="-1">${title}</h1>${about && html`<p class="about">${about}</p>`}</div>
			${tools && html`<div class="tools">${tools}</div>`}
		</header>
		${children}
	</div>`;

export const Card = ({ title, note, tools, children, wide }) => html`
	<section class=${wide ? 'card wide' : 'card'}>
		${title && html`<header class="card-head"><h2>${title}</h2>${note && html`<span class="note">${note}</span>`}${tools}</header>`}
		${children}
	</section>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export const Badge = ({ kind = 'plain', children }) => html`<span class=${`badge ${kind}`}>${children}</span>`;

export const Code = ({ children }) => html`<code>${children}</code>`;

/** Instead of what could not be had: which rule is missing, or what went wrong. */
export function Trouble({ error, command }) {
	if (!error.denied) return html`<p class="trouble" role="alert">${error.message}</p>`;
	return html`
		<div class="trouble" role="alert">
			<p>Your user may not ask this. A rule in acl.yaml allows it:</p>
			<pre><code>${error.rule ?? `allow publish ${commandTopic(command)}`}</code></pre>
			<p class="note">${error.message}</p>
		</div>`;
}

/** What there is of an answer: words while it comes, what went wrong, or children(data). */
export function Answer({ of, command, empty, children }) {
	const { data, error } = of;
	if (data === null) return error ? html`<${Trouble} error=${error} command=${command} />` : html`<${Empty}>One moment …<//>`;
	const nothing = empty && Array.isArray(data) && data.length === 0;
	return html`
		${error && html`<${Trouble} error=${error} command=${command} />`}
		${nothing ? html`<${Empty}>${empty}<//>` : children(data)}`;
}

/** Pairs of name and value; a row is [name, value] or [name, value, figure, raw]: the name and number that broker-ctl has. */
export const Pairs = ({ rows }) => html`
	<dl class="pairs">
		${rows.filter(([, value]) => value !== undefined).map(([name, value, figure, raw]) => html`
			<div key=${name}><dt>${name}</dt><dd data-figure=${figure} data-value=${raw}>${value ?? NOTHING}</dd></div>`)}
	</dl>`;

/** All members of a row, but those that the view shows itself. */
export const Members = ({ row, without = [] }) => html`
	<${Pairs} rows=${Object.entries(row).filter(([name]) => !without.includes(name)).map(([name, value]) => [words(name), member(name, value)])} />`;

export const Field = ({ label, hint, children }) => html`
	<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}</label>`;

// --- a question before something is done ---

const question = signal(null);

/** Answers true if the user agrees. */
export function confirm(title, text, action) {
	return new Promise((resolve) => {
		question.value = { title, text, action, resolve };
	});
}

export function Question() {
	const box = useRef(null);
	const asked = question.value;
	useEffect(() => {
		if (asked) box.current.showModal();
	}, [asked]);
	if (!asked) return null;
	const answer = (value) => {
		box.current.close();
		question.value = null;
		asked.resolve(value);
	};
	return html`
		<dialog ref=${box} aria-labelledby="question-title" onCancel=${(event) => { event.preventDefault(); answer(false); }}>
			<h2 id="question-title">${asked.title}</h2>
			<p>${asked.text}</p>
			<div class="tools">
				<button type="button" autofocus onClick=${() => answer(false)}>Cancel</button>
				<button type="button" class="danger" onClick=${() => answer(true)}>${asked.action}</button>
			</div>
		</dialog>`;
}

// --- what was done ---

const message = signal(null);
let timer = 0;

/** Shows a sentence for some seconds, which a screen reader reads. */
export function tell(text, kind = 'good') {
	clearTimeout(timer);
	message.value = { text, kind };
	timer = setTimeout(() => { message.value = null; }, 8000);
}

export const Message = () => html`
	<div class="message" role="status" aria-live="polite">${message.value && html`<p class=${message.value.kind}>${message.value.text}</p>`}</div>`;

/** Does something that the user asked for, and says how it ended. */
export async function perform(action, done) {
	try {
		const result = await action();
		tell(typeof done === 'function' ? done(result) : done);
		return true;
	} catch (error) {
		tell(error.message, 'bad');
		return false;
	}
}
