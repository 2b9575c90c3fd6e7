// Which view is shown: the part of the address behind '#', like #/clients/lamp.
import { signal } from '@preact/signals';

function read() {
	const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
	const words = path.split('/').map((word) => {
		try {
			return decodeURIComponent(word);
		} catch {
			return word;
		}
	});
	return { view: words[0] || 'overview', rest: words.slice(1), query: new URLSearchParams(query) };
}

export const route = signal(read());
addEventListener('hashchange', () => {
	route.value = read();
});

/** The address of a view. */
export function href(view, rest = [], query = {}) {
	const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
	const tail = given.length > 0 ? `?${new URLSearchParams(given)}` : '';
	return `#/${[view, ...rest].map(encodeURIComponent).join('/')}${tail}`;
}
