// The lines "Ada joined" between messages. Between two messages there is one
// line; what somebody did last is what it says of them.

const KEEP = 50;
const NAMES = 3;

export class Notices {
	/** {key, after, time, people: Map user -> {name, joined}}, oldest first */
	lines = [];
	#count = 0;

	/** add notes what happened after the message with seq after. */
	add(after, time, { joined, left }) {
		let line = this.lines.at(-1);
		if (!line || line.after !== after) {
			line = { key: `n${++this.#count}`, after, time, people: new Map() };
			this.lines.push(line);
			if (this.lines.length > KEEP) this.lines.shift();
		}
		const note = (user, name, came) => {
			line.people.delete(user); // so that who moved last stands last
			line.people.set(user, { name, came });
		};
		for (const { user, name } of joined) note(user, name, true);
		for (const { user, name } of left) note(user, name, false);
		return line;
	}
}

/** noticeText is a line in words. */
export function noticeText(line) {
	const people = [...line.people.values()];
	const came = people.filter((p) => p.came).map((p) => p.name);
	const went = people.filter((p) => !p.came).map((p) => p.name);
	return [came.length > 0 && `${names(came)} joined`, went.length > 0 && `${names(went)} left`].filter(Boolean).join(' · ');
}

/** names joins names as people do, the surplus as a number. */
export function names(list) {
	if (list.length === 1) return list[0];
	if (list.length <= NAMES) return `${list.slice(0, -1).join(', ')} and ${list.at(-1)}`;
	const rest = list.length - (NAMES - 1);
	return `${list.slice(0, NAMES - 1).join(', ')} and ${rest} others`;
}
