// The question of broker-acl: may this user do that, which rule decides, and what would have to change.
import { useState } from 'preact/hooks';
import { ask } from '../control.js';
import { html } from '../html.js';
import { Answer, Badge, Card, Empty, Field, Pairs, View } from '../parts.js';
import { route } from '../route.js';
import { useAnswer } from '../use.js';

const ACTIONS = [['publish', 'publish to'], ['subscribe', 'subscribe to'], ['receive', 'receive from'], ['will', 'leave a will at']];

function Verdict({ row }) {
	const action = ACTIONS.find(([name]) => name === row.action)?.[1] ?? row.action;
	const name = row.user ?? 'An anonymous client';
	return html`
		<p class="verdict"><${Badge} kind=${row.allowed ? 'good' : 'bad'}>${row.allowed ? 'allowed' : 'denied'}<//>
			<span>${name} ${row.allowed ? 'may' : 'may not'} ${action} <b>${row.topic}</b>${row.in_part ? ', in part: messages that its rules do not allow are left out' : ''}.</span></p>
		<${Pairs} rows=${[
			['Decided by', html`<code>${row.rule}</code>`],
			['What would allow it', row.allowed ? undefined : row.would_allow === null ? 'No rule can: this is never allowed.' : html`<code class="rule">${row.would_allow}</code>`],
			['Login', row.login_refused ? `This user cannot log in: ${row.login_refused}.` : undefined],
			['Client id', row.lacks_client_id ? 'A rule has %c: name the client id to be certain.' : undefined],
		]} />`;
}

const Roles = ({ rows }) => rows.length > 0 && html`
	<h3>Where its rules come from</h3>
	<ul class="list">${rows.map((row) => html`<li key=${row.role}>
		<b>${row.about === 'own rules' ? 'Rules of this user' : `Role ${row.role}`}</b>
		<span class="note">${row.defined === false ? 'is not defined in acl.yaml' : `${row.rules} ${row.rules === 1 ? 'rule' : 'rules'}`}</span>
		${row.decides && html`<${Badge} kind=${row.decides === 'allow' ? 'good' : 'bad'}>${row.decides}<//>`} ${row.rule && html`<code>${row.rule}</code>`}
	</li>`)}</ul>`;

const Misses = ({ rows }) => rows.length > 0 && html`
	<h3>Rules that nearly match</h3>
	<ul class="list">${rows.map((row) => html`<li key=${row.rule}><code>${row.rule}</code> <span class="note">but ${row.why_not}</span></li>`)}</ul>`;

function Result({ members }) {
	const of = useAnswer(() => ask('explain', members), JSON.stringify(members));
	return html`<${Card} title="Answer"><${Answer} of=${of} command="explain">${(rows) => html`
		${rows.filter((row) => row.about === 'verdict').map((row) => html`<${Verdict} key="verdict" row=${row} />`)}
		<${Roles} rows=${rows.filter((row) => row.about === 'own rules' || row.about === 'role')} />
		<${Misses} rows=${rows.filter((row) => row.about === 'near miss')} />`}<//><//>`;
}

/** The members of the request; an absent user is an anonymous client. */
function membersOf(form) {
	const members = { topic: form.get('topic'), action: form.get('action'), qos: form.get('qos') };
	if (form.get('user')) members.user = form.get('user');
	if (form.get('id')) members.id = form.get('id');
	if (form.get('retain') === 'on') members.retain = '';
	return members;
}

export function Explain() {
	const { query } = route.value;
	const given = (name, other = '') => query.get(name) ?? other;
	const first = new FormData();
	for (const [name, value] of query) first.set(name, value);
	if (!first.has('qos')) first.set('qos', '0');
	const [members, setMembers] = useState(query.get('topic') ? membersOf(first) : null);
	const submit = (event) => {
		event.preventDefault();
		setMembers(membersOf(new FormData(event.currentTarget)));
	};
	const action = given('action', 'publish');
	return html`
		<${View} title="Explain" about="May a user do something, and which rule says so? The answer is that of the broker at work.">
			<div class="split even">
				<${Card} title="Question">
					<form class="form" onSubmit=${submit}>
						<${Field} label="User" hint="Empty: an anonymous client."><input name="user" defaultValue=${given('user')} autocomplete="off" autocapitalize="none" /><//>
						<${Field} label="Client id" hint="Matters only for rules with %c."><input name="id" defaultValue=${given('id')} autocomplete="off" /><//>
						<${Field} label="Wants to"><select name="action">${ACTIONS.map(([name, words]) => html`<option key=${name} value=${name} selected=${name === action}>${words}</option>`)}</select><//>
						<${Field} label="Topic or filter"><input name="topic" required defaultValue=${given('topic')} autocomplete="off" /><//>
						<div class="row">
							<${Field} label="QoS"><select name="qos"><option>0</option><option>1</option><option>2</option></select><//>
							<label class="check"><input type="checkbox" name="retain" /> Retained</label>
							<button class="main">Explain</button>
						</div>
					</form>
				<//>
				${members ? html`<${Result} key=${JSON.stringify(members)} members=${members} />` : html`<${Card} title="Answer"><${Empty}>Ask a question: the answer names the rule that decides and what would have to change.<//><//>`}
			</div>
		<//>`;
}
