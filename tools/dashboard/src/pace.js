// Drawing at most four times a second, however fast messages come.
const INTERVAL_MS = 250;

/** A function that calls `draw` soon, and once for all calls until then. */
export function paced(draw) {
	let waits = false;
	let last = -INTERVAL_MS;
	const frame = () => {
		waits = false;
		last = performance.now();
		draw();
	};
	return () => {
		if (waits) return;
		waits = true;
		setTimeout(() => requestAnimationFrame(frame), Math.max(0, last + INTERVAL_MS - performance.now()));
	};
}
