// Small helpers around the DOM. Text goes in as text, always.

/** $ is the element with id; that it is missing is a fault of the page. */
export function $(id) {
	const el = document.getElementById(id);
	if (!el) throw new Error(`no element #${id}`);
	return el;
}

/** h makes an element: class, dataset and attributes from props, children as nodes or text. */
export function h(tag, props = {}, ...children) {
	const el = document.createElement(tag);
	for (const [name, value] of Object.entries(props)) {
		if (name === 'class') el.className = value;
		else if (name === 'data') Object.assign(el.dataset, value);
		else if (name === 'on') for (const [type, fn] of Object.entries(value)) el.addEventListener(type, fn);
		else if (value === true) el.setAttribute(name, '');
		else if (value !== false && value !== null && value !== undefined) el.setAttribute(name, value);
	}
	el.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
	return el;
}

const SVG = 'http://www.w3.org/2000/svg';

/** icon shows one of the symbols in index.html. */
export function icon(name) {
	const svg = document.createElementNS(SVG, 'svg');
	svg.setAttribute('class', 'icon');
	svg.setAttribute('aria-hidden', 'true');
	const use = document.createElementNS(SVG, 'use');
	use.setAttribute('href', `#i-${name}`);
	svg.append(use);
	return svg;
}

/** arrange makes list's children be exactly wanted, in order, moving as little as it can. */
export function arrange(list, wanted) {
	const keep = new Set(wanted);
	for (const child of [...list.children]) if (!keep.has(child)) child.remove();
	let at = list.firstElementChild;
	for (const el of wanted) {
		if (el === at) at = at.nextElementSibling;
		else list.insertBefore(el, at);
	}
}

/** setText writes only what changed, so that nothing is announced again. */
export function setText(el, text) {
	if (el.textContent !== text) el.textContent = text;
}

/** soon returns a function that runs fn once, however often it is called until then. Hidden pages draw no frames: then a timer does it. */
export function soon(fn) {
	let due = false;
	const run = () => {
		if (!due) return;
		due = false;
		fn();
	};
	return () => {
		if (due) return;
		due = true;
		if (!document.hidden) requestAnimationFrame(run);
		setTimeout(run, document.hidden ? 0 : 60);
	};
}
