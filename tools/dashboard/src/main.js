// The page: the login, and the frame around the views.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { figures, rights } from './figures.js';
import { html } from './html.js';
import { logIn, logOut, state, trouble, user } from './link.js';
import { Badge, Field, Message, Question } from './parts.js';
import { href, route } from './route.js';
import { switchTheme, theme } from './theme.js';
import { Clients } from './views/clients.js';
import { Denials } from './views/denials.js';
import { Ends } from './views/ends.js';
import { Explain } from './views/explain.js';
import { Hand } from './views/hand.js';
import { Listeners } from './views/listeners.js';
import { Log } from './views/log.js';
import { Overview } from './views/overview.js';
import { Queues } from './views/queues.js';
import { Retained } from './views/retained.js';
import { Topics } from './views/topics.js';
import { Trace } from './views/trace.js';
import { Users } from './views/users.js';

const groups = [
	['House', [['overview', 'Overview', Overview], ['clients', 'Clients', Clients], ['topics', 'Topics', Topics], ['hand', 'Publish, subscribe', Hand]]],
	['Answers', [['denials', 'Why denied', Denials], ['ends', 'Why offline', Ends], ['explain', 'Explain', Explain], ['trace', 'Trace', Trace]]],
	['Broker', [['listeners', 'Listeners, TLS', Listeners], ['queues', 'Queues and usage', Queues], ['retained', 'Retained', Retained], ['users', 'Users and roles', Users], ['log', 'Log', Log]]],
];
const views = Object.fromEntries(groups.flatMap(([, list]) => list.map(([name, , view]) => [name, view])));

const Switch = () => html`
	<button type="button" class="quiet" onClick=${switchTheme} aria-label=${theme.value === 'dark' ? 'Light colours' : 'Dark colours'} title=${theme.value === 'dark' ? 'Light colours' : 'Dark colours'}>
		<span aria-hidden="true">${theme.value === 'dark' ? '☀' : '☾'}</span>
	</button>`;

function Login() {
	const busy = state.value === 'connecting';
	const submit = (event) => {
		event.preventDefault();
		const form = event.currentTarget;
		const given = new FormData(form);
		logIn(given.get('user'), given.get('password'));
		form.elements.password.value = '';
	};
	return html`
		<div class="login">
			<main class="card">
				<h1>Vakt</h1>
				<p class="about">MQTT broker at ${location.host}</p>
				<form class="form" onSubmit=${submit}>
					<${Field} label="User"><input name="user" required autofocus autocomplete="username" autocapitalize="none" spellcheck=${false} /><//>
					<${Field} label="Password"><input name="password" type="password" autocomplete="current-password" /><//>
					${trouble.value && html`<p class="trouble" role="alert">${trouble.value}</p>`}
					<button class="main" disabled=${busy}>${busy ? 'Connecting …' : 'Log in'}</button>
				</form>
				<p class="note">Any user of the broker may log in; a role decides what the page shows. Your password stays in this page and is forgotten with it.</p>
			</main>
		</div>`;
}

const ROLE = `roles:
  dashboard:
    - allow subscribe $SYS/#
    - allow all $CONTROL/vakt/v1/#`;

const NotAllowed = () => html`
	<div class="login">
		<main class="card">
			<h1>Nothing to show to ${user.value}</h1>
			<p>The broker accepted the password, but this user may not see its figures: no rule allows <code>$SYS/#</code> or a topic below <code>$CONTROL/vakt/</code>.</p>
			<p>Whoever looks after the broker can add a role to acl.yaml and grant it:</p>
			<pre><code>${ROLE}</code></pre>
			<pre><code>${`broker-passwd users.passwd grant ${user.value} dashboard`}</code></pre>
			<p class="note">A rule for <code>#</code> does not include these topics.</p>
			<div class="tools"><button type="button" class="main" onClick=${logOut}>Log in as somebody else</button></div>
		</main>
	</div>`;

function Menu({ current, open, onClose }) {
	return html`
		<nav id="menu" class=${open ? 'menu open' : 'menu'} aria-label="Views">
			${groups.map(([title, list]) => html`
				<h2 key=${title}>${title}</h2>
				<ul>${list.map(([name, label]) => html`<li key=${name}><a href=${href(name)} aria-current=${name === current ? 'page' : undefined} onClick=${onClose}>${label}</a></li>`)}</ul>`)}
		</nav>`;
}

const Connection = () => html`
	<span class="connection" role="status">${state.value === 'on' ? html`<${Badge} kind="good">connected<//>` : html`<${Badge} kind="bad">connecting again …<//>`}</span>`;

function Frame() {
	const [open, setOpen] = useState(false);
	const { view, rest } = route.value;
	const Shown = views[view] ?? Overview;
	const place = [view, ...rest].join('/');
	useEffect(() => {
		document.title = `${groups.flatMap(([, list]) => list).find(([name]) => name === view)?.[1] ?? 'Overview'} – Vakt`;
		document.querySelector('main h1')?.focus({ preventScroll: true });
		window.scrollTo(0, 0);
	}, [place]);
	return html`
		<a class="skip" href="#content" onClick=${(event) => { event.preventDefault(); document.getElementById('content').focus(); }}>To the content</a>
		<header class="bar">
			<button type="button" class="quiet menu-button" aria-expanded=${String(open)} aria-controls="menu" onClick=${() => setOpen(!open)}><span aria-hidden="true">☰</span> <span class="hidden">Menu</span></button>
			<a class="brand" href=${href('overview')}>Vakt</a>
			<span class="host">${location.host}</span>
			<${Connection} />
			<span class="space"></span>
			<span class="user">${user.value}</span>
			<${Switch} />
			<button type="button" class="quiet" onClick=${logOut}>Log out</button>
		</header>
		<div class="frame">
			<${Menu} current=${views[view] ? view : 'overview'} open=${open} onClose=${() => setOpen(false)} />
			<main id="content" tabindex="-1"><${Shown} key=${place} /></main>
		</div>`;
}

function App() {
	const { sys, status } = rights.value;
	const known = Object.keys(figures.value).length > 0;
	let page = html`<${Frame} />`;
	if (state.value === 'out' || state.value === 'connecting') page = html`<${Login} />`;
	else if (sys === false && status === false) page = html`<${NotAllowed} />`;
	else if (!known && (sys === null || status === null)) page = html`<div class="login"><p class="note" role="status">One moment …</p></div>`;
	return html`${page}<${Question} /><${Message} />`;
}

render(html`<${App} />`, document.getElementById('app'));
