// Light or dark: as the system has it, or as the switch says. The choice lasts as long as the page.
import { signal } from '@preact/signals';

const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal(system.matches ? 'dark' : 'light');

function show() {
	document.documentElement.dataset.theme = theme.value;
}

system.addEventListener('change', () => {
	theme.value = system.matches ? 'dark' : 'light';
	show();
});
show();

export function switchTheme() {
	theme.value = theme.value === 'dark' ? 'light' : 'dark';
	show();
}
