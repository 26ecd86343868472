// Runs before the first paint, so that a dark page does not flash light. It is
// no module for that reason. The choice is 'system', 'light' or 'dark'.
(() => {
	'use strict';
	const dark = matchMedia('(prefers-color-scheme: dark)');
	const read = () => {
		try {
			return localStorage.getItem('nebula.theme') || 'system';
		} catch {
			return 'system';
		}
	};
	const apply = () => {
		const choice = read();
		const root = document.documentElement;
		root.dataset.themeChoice = choice;
		root.dataset.theme = choice === 'system' ? (dark.matches ? 'dark' : 'light') : choice;
	};
	dark.addEventListener('change', apply);
	addEventListener('storage', apply);
	addEventListener('nebula:theme', apply);
	apply();
})();
