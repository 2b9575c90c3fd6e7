// A table that shows a window of its rows, at most 200, sorted by any column; on a phone each row is a block.
import { useState } from 'preact/hooks';
import { number } from './format.js';
import { html } from './html.js';
import { Empty } from './parts.js';

export const WINDOW = 200;

function compare(a, b) {
	if (a === b) return 0;
	if (a === null || a === undefined) return 1;
	if (b === null || b === undefined) return -1;
	return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true });
}

export function Pager({ from, count, total, onMove, what = 'rows' }) {
	if (total <= WINDOW) return null;
	return html`
		<nav class="pager" aria-label=${`Window of ${what}`}>
			<button type="button" disabled=${from === 0} onClick=${() => onMove(Math.max(0, from - WINDOW))}>Previous</button>
			<span>${number(from + 1)} to ${number(from + count)} of ${number(total)}</span>
			<button type="button" disabled=${from + count >= total} onClick=${() => onMove(from + WINDOW)}>Next</button>
		</nav>`;
}

const ArrowOf = ({ sorted, down }) => html`<span aria-hidden="true" class="arrow">${sorted ? (down ? '▾' : '▴') : ''}</span>`;

/** columns: { key, label, number, show(row), value(row), wide: its text may be long }. keyOf(row) names a row. */
export function Table({ caption, columns, rows, keyOf, sort: first = null, down: firstDown = false, empty = 'There is nothing here.' }) {
	const [sort, setSort] = useState({ key: first, down: firstDown });
	const [wanted, setFrom] = useState(0);
	const column = columns.find((each) => each.key === sort.key);
	const valueOf = column && (column.value ?? ((row) => row[column.key]));
	const sorted = column ? [...rows].sort((a, b) => (sort.down ? -1 : 1) * compare(valueOf(a), valueOf(b))) : rows;
	const from = wanted < sorted.length ? wanted : 0;
	const shown = sorted.slice(from, from + WINDOW);
	const sortBy = (key, down) => {
		setSort({ key, down });
		setFrom(0);
	};
	if (rows.length === 0) return html`<${Empty}>${empty}<//>`;
	return html`
		<div class="table">
			${sort.key !== null && html`<label class="sort-phone"><span>Sort by</span>
				<select value=${sort.key ?? ''} onChange=${(event) => sortBy(event.currentTarget.value, columns.find((each) => each.key === event.currentTarget.value)?.number)}>
					${columns.filter((each) => !each.plain).map((each) => html`<option key=${each.key} value=${each.key}>${each.label}</option>`)}
				</select>
			</label>`}
			<table role="table">
				<caption class="hidden">${caption}</caption>
				<thead role="rowgroup"><tr role="row">
					${columns.map((each) => html`
						<th key=${each.key} role="columnheader" scope="col" class=${each.number ? 'number' : ''}
							aria-sort=${each.key !== sort.key ? undefined : sort.down ? 'descending' : 'ascending'}>
							${each.plain ? each.label : html`<button type="button" onClick=${() => sortBy(each.key, each.key === sort.key ? !sort.down : Boolean(each.number))}>
								${each.label}<${ArrowOf} sorted=${each.key === sort.key} down=${sort.down} />
							</button>`}
						</th>`)}
				</tr></thead>
				<tbody role="rowgroup">
					${shown.map((row) => html`
						<tr role="row" key=${keyOf(row)} data-row=${keyOf(row)}>
							${columns.map((each) => html`
								<td key=${each.key} role="cell" data-key=${each.key} data-value=${each.number ? row[each.key] : undefined} class=${each.number ? 'number' : each.wide ? 'wide' : 'brief'}>
									<span class="cell-label">${each.label}</span><span class="cell">${each.show ? each.show(row) : row[each.key]}</span>
								</td>`)}
						</tr>`)}
				</tbody>
			</table>
			<${Pager} from=${from} count=${shown.length} total=${sorted.length} onMove=${setFrom} />
		</div>`;
}

/** Rows that contain the text in one of the members, whatever the case. */
export function search(rows, text, names) {
	const wanted = text.trim().toLowerCase();
	return wanted === '' ? rows : rows.filter((row) => names.some((name) => String(row[name] ?? '').toLowerCase().includes(wanted)));
}

export const Search = ({ value, onChange, label }) => html`
	<input type="search" class="search" aria-label=${label} placeholder=${label} value=${value} onInput=${(event) => onChange(event.currentTarget.value)} />`;
