// What views share: an answer that is asked for again and again, and what they draw at a bounded pace.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { generation, state } from './link.js';
import { paced } from './pace.js';

/** { data, error, busy, again }: `get` is called at once, when `key` changes, after a new connection, and every `every_s`. */
export function useAnswer(get, key, every_s = 0) {
	const [answer, setAnswer] = useState({ data: null, error: null, busy: true, key });
	const [times, setTimes] = useState(0);
	const connection = generation.value;
	useEffect(() => {
		let over = false;
		let timer = 0;
		const run = async () => {
			try {
				const data = await get();
				if (!over) setAnswer({ data, error: null, busy: false, key });
			} catch (error) {
				if (over) return;
				setAnswer((before) => ({ data: state.value === 'on' || before.key !== key ? null : before.data, error, busy: false, key }));
				if (error.denied) return;
			}
			if (!over && every_s > 0) timer = setTimeout(run, every_s * 1000);
		};
		setAnswer((before) => ({ ...before, data: before.key === key ? before.data : null, busy: true }));
		run();
		return () => {
			over = true;
			clearTimeout(timer);
		};
	}, [key, connection, times]);
	return { ...answer, again: () => setTimes((n) => n + 1) };
}

/** A function that draws the component again, at most four times a second. */
export function useRedraw() {
	const [, set] = useState(0);
	const alive = useRef(true);
	useEffect(() => () => { alive.current = false; }, []);
	return useMemo(() => paced(() => alive.current && set((n) => n + 1)), []);
}

/** The seconds of now, for ages: draws again every `every_s`. */
export function useNow(every_s = 1) {
	const [now, set] = useState(Date.now());
	useEffect(() => {
		const timer = setInterval(() => set(Date.now()), every_s * 1000);
		return () => clearInterval(timer);
	}, []);
	return now;
}
