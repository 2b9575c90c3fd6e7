// Numbers with their units, times and payloads, as text.
const count = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });
const strict = new TextDecoder('utf-8', { fatal: true });

export const NOTHING = '–';

const isNumber = (n) => typeof n === 'number' && Number.isFinite(n);

export const number = (n) => (isNumber(n) ? count.format(n) : NOTHING);

/** "1 topic", "3 topics". */
export const amount = (n, what) => `${number(n)} ${what}${n === 1 ? '' : 's'}`;

export const rate = (n) => (isNumber(n) ? `${n < 10 ? fine.format(n) : count.format(n)}/s` : NOTHING);

export function bytes(n) {
	if (!isNumber(n)) return NOTHING;
	const units = ['B', 'kB', 'MB', 'GB', 'TB'];
	let at = 0;
	while (n >= 1000 && at < units.length - 1) {
		n /= 1000;
		at++;
	}
	return `${at > 0 && n < 100 ? fine.format(n) : count.format(n)} ${units[at]}`;
}

export const milliseconds = (ms) => (isNumber(ms) ? `${ms < 10 ? fine.format(ms) : count.format(ms)} ms` : NOTHING);

/** The two largest units: "3 d 4 h". */
export function duration(s) {
	if (!isNumber(s)) return NOTHING;
	const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
	s = Math.max(0, Math.floor(s));
	const first = units.findIndex(([, size]) => s >= size);
	if (first < 0) return '0 s';
	const [name, size] = units[first];
	const text = `${Math.floor(s / size)} ${name}`;
	const next = units[first + 1];
	const rest = next && Math.floor((s % size) / next[1]);
	return rest ? `${text} ${rest} ${next[0]}` : text;
}

/** A time of the broker or of this machine, in the reader's time zone. */
export function time(value) {
	const date = new Date(value);
	if (value === null || value === undefined || Number.isNaN(date.getTime())) return NOTHING;
	const two = (n) => String(n).padStart(2, '0');
	const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
	return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export const clock = (value) => time(value).slice(11);

export function ago(value) {
	const at = new Date(value).getTime();
	return value === null || value === undefined || Number.isNaN(at) ? NOTHING : `${duration((Date.now() - at) / 1000)} ago`;
}

export const who = (user) => (user === null ? '(anonymous)' : user ?? NOTHING);

/** Text where it is text, else hexadecimal. */
export function payload(data) {
	try {
		return strict.decode(data);
	} catch {
		return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
	}
}

/** JSON laid out for reading; other text as it is. */
export function pretty(text) {
	if (!/^\s*[[{]/.test(text)) return text;
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}

/** `queued_bytes` as "queued bytes": names of members that no view knows. */
export const words = (name) => name.replace(/_/g, ' ');

/** The value of a member that no view knows, with the unit that its name ends in. */
export function member(name, value) {
	if (value === null || value === undefined) return NOTHING;
	if (typeof value === 'boolean') return value ? 'yes' : 'no';
	if (typeof value === 'object') return Array.isArray(value) ? value.map((item) => member('', item)).join(', ') || NOTHING : JSON.stringify(value);
	if (typeof value !== 'number') return String(value);
	if (name.endsWith('_bytes') || name === 'bytes' || name === 'size') return bytes(value);
	if (name.endsWith('_us')) return milliseconds(value / 1000);
	if (name.endsWith('_ms')) return milliseconds(value);
	if (name.endsWith('_s')) return duration(value);
	return number(value);
}
