// Lines over time, drawn by uPlot; beside them the latest values as text, for those who do not see the lines.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { html } from './html.js';
import { theme } from './theme.js';

const HEIGHT = 150;

function options(width, series, show) {
	const style = getComputedStyle(document.documentElement);
	const color = (name) => style.getPropertyValue(name).trim();
	const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui, sans-serif' };
	return {
		width,
		height: HEIGHT,
		legend: { show: false },
		cursor: { show: false },
		padding: [8, 8, 0, 0],
		scales: { x: { time: true }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.15 : 1] } },
		axes: [{ ...axis, size: 28, space: 80, values: '{HH}:{mm}:{ss}' }, { ...axis, size: 66, values: (u, marks) => marks.map(show) }],
		series: [{}, ...series.map((each) => ({
			label: each.label,
			stroke: color(each.color),
			width: 2,
			points: { show: false },
			spanGaps: true,
		}))],
	};
}

/** samples: [{ at, NAME... }]; series: [{ name, label, color }]; show: a value as text. */
export function Chart({ title, samples, series, show }) {
	const box = useRef(null);
	const plot = useRef(null);
	const data = [samples.map((sample) => sample.at), ...series.map(({ name }) => samples.map((sample) => (Number.isFinite(sample[name]) ? sample[name] : null)))];
	const latest = useRef(data);
	latest.current = data;
	const dark = theme.value;
	useEffect(() => {
		const place = box.current;
		const width = () => Math.max(120, place.clientWidth);
		const made = new uPlot(options(width(), series, show), latest.current, place);
		const observer = new ResizeObserver(() => made.setSize({ width: width(), height: HEIGHT }));
		observer.observe(place);
		plot.current = made;
		return () => {
			observer.disconnect();
			made.destroy();
		};
	}, [dark]);
	useEffect(() => plot.current?.setData(data));
	const last = samples[samples.length - 1];
	return html`
		<section class="card chart">
			<header class="card-head"><h2>${title}</h2></header>
			<p class="legend">${series.map(({ name, label, color }) => html`
				<span key=${name}><i class=${`mark ${color.slice(2)}`} aria-hidden="true"></i>${label} <b>${show(last?.[name])}</b></span>`)}</p>
			<div ref=${box} class=${samples.length < 2 ? 'plot early' : 'plot'} aria-hidden="true"></div>
			${samples.length < 2 && html`<p class="waiting">The lines begin with the next figures.</p>`}
		</section>`;
}
