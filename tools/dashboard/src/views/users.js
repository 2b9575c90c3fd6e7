// Users and the rules of roles, to read: the files are changed with broker-passwd and an editor.
import { useState } from 'preact/hooks';
import { ask, askAll } from '../control.js';
import { number } from '../format.js';
import { html } from '../html.js';
import { Answer, Badge, Card, View } from '../parts.js';
import { href } from '../route.js';
import { Search, search, Table } from '../table.js';
import { useAnswer } from '../use.js';

const login = (row) => [row.password && 'password', row.scram && 'SCRAM', row.pins && `certificate with ${row.pins === 'none' ? 'no key' : 'pinned keys'}`].filter(Boolean).join(', ') || 'certificate or socket only';

const users = [
	{ key: 'user', label: 'User', wide: true },
	{ key: 'roles', label: 'Roles', wide: true, show: (row) => row.roles || '–' },
	{ key: 'password', label: 'Login', wide: true, value: login, show: login },
	{ key: 'locked', label: 'State', show: (row) => (row.locked ? html`<${Badge} kind="bad">locked<//>` : 'may log in') },
	{ key: 'connections', label: 'Connections', number: true, show: (row) => number(row.connections) },
	{ key: 'sessions', label: 'Sessions', number: true, show: (row) => number(row.sessions) },
	{ key: 'explain', label: 'Rules', plain: true, show: (row) => html`<a href=${href('explain', [], { user: row.user })} aria-label=${`Explain the rules of ${row.user}`}>Explain</a>` },
];

const holder = (row) => (row.kind === 'anonymous' ? 'anonymous clients' : `${row.kind} ${row.name}`);

const rules = [
	{ key: 'name', label: 'Of', wide: true, value: holder, show: holder },
	{ key: 'line', label: 'Line', number: true, show: (row) => row.line ?? '–' },
	{ key: 'rule', label: 'Rule', wide: true, show: (row) => (row.rule === null ? html`<span class="note">no rules</span>` : html`<code>${row.rule}</code>`) },
];

const changes = [
	{ key: 'what', label: 'What', show: (row) => (row.what === 'error' ? html`<${Badge} kind="bad">error<//>` : row.what === 'warning' ? html`<${Badge} kind="warn">note<//>` : row.what) },
	{ key: 'name', label: 'Name', wide: true },
	{ key: 'detail', label: 'Detail', wide: true },
];

/** With errors, too: they are what is wanted. */
const preview = () => ask('preview').catch((error) => {
	if (error.denied || !error.rows?.length) throw error;
	return error.rows;
});

export function Users() {
	const [text, setText] = useState('');
	const people = useAnswer(() => askAll('users', { limit: '200' }, 5000, (row) => row.key), 'users', 10);
	const next = useAnswer(preview, 'preview');
	const roles = useAnswer(() => askAll('roles', { limit: '200' }, 5000, (row) => row.key), 'roles', 30);
	return html`
		<${View} title="Users and roles" about="To read only: users are changed with broker-passwd, rules in acl.yaml." tools=${html`<${Search} label="User, role or rule" value=${text} onChange=${setText} />`}>
			<${Card} wide title="Users"><${Answer} of=${people} command="users">${(rows) => html`<${Table} caption="Users" columns=${users} rows=${search(rows, text, ['user', 'roles'])} keyOf=${(row) => row.key} sort="user" empty="No user has this text." />`}<//><//>
			<${Card} wide title="Rules, in the order of acl.yaml"><${Answer} of=${roles} command="roles">${(rows) => html`<${Table} caption="Rules" columns=${rules} rows=${search(rows, text, ['name', 'kind', 'rule'])} keyOf=${(row) => row.key} empty="No rule has this text." />`}<//><//>
			<${Card} wide title="What a reload would change">
				<${Answer} of=${next} command="preview">${(rows) => html`<${Table} caption="Changes" columns=${changes} rows=${rows} keyOf=${(row) => `${row.what} ${row.name} ${row.detail}`} empty="Nothing: the files are as the broker has read them." />`}<//>
				<div class="tools"><button type="button" class="quiet" onClick=${next.again}>Look again</button></div>
			<//>
		<//>`;
}
