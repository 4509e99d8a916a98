"use strict";
// Draws the model. Everything in it may have been chosen by an attacker: it becomes text and
// nothing else, through textContent. Only the classes and anchors below become attributes.

const model = JSON.parse(document.getElementById("model").textContent);

const OUTCOMES = {
	prevented: "prevented",
	observed: "not prevented",
	killed_after_effect: "killed, perhaps too late",
};
const SEVERITIES = ["info", "low", "medium", "high", "critical"];

function element(name, className, ...children) {
	const made = document.createElement(name);
	if (className) made.className = className;
	made.append(...children.filter((child) => child !== null && child !== undefined));
	return made;
}

// Text of the alert: of a process, a file, or whoever made them.
function said(text) {
	const made = element("bdi", "said");
	made.textContent = text === null || text === undefined ? "unknown" : String(text);
	return made;
}

function plural(n, word) {
	return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function moment(text) {
	const made = element("time");
	if (text) made.dateTime = text;
	made.textContent = text ? `${text.slice(0, 10)} ${text.slice(11, 23)}` : "unknown";
	return made;
}

function outcomeWords(counts) {
	const made = element("span");
	for (const outcome of ["observed", "killed_after_effect", "prevented"]) {
		if (!counts[outcome]) continue;
		made.append(made.childNodes.length ? ", " : "");
		made.append(element("span", `word ${outcome}`, `${counts[outcome]} ${OUTCOMES[outcome]}`));
		if (outcome === "observed") made.append(` (mode deny would have stopped ${counts.deny_would_stop})`);
	}
	return made;
}

function fact(list, name, ...values) {
	list.append(element("dt", "", name), element("dd", "", ...values));
}

// Summary

function tile(name, value) {
	return element("div", "", element("dt", "", name), element("dd", "", String(value)));
}

function notes() {
	const { input, losses } = model;
	const list = element("ul");
	const note = (...words) => list.append(element("li", "", ...words));
	if (losses.records) {
		note(losses.lost ? `${plural(losses.lost, "alert")} lost, never written: `
			: "not everything could be seen: ", said(losses.reasons.join("; ")));
	}
	for (const file of input.files) {
		if (file.unreadable) {
			note(said(file.name), `: ${plural(file.unreadable, "unreadable line")}, the first is line ${file.first_unreadable}`);
		}
		if (file.error) note(said(file.name), ": ", said(file.error));
	}
	if (input.other) note(`${plural(input.other, "record")} of another kind, passed over`);
	if (input.outside) note(`${plural(input.outside, "record")} outside the time asked for`);
	for (const rest of model.in_no_group) {
		note(`Too many groups: ${rest.count} of severity ${rest.severity} are only counted: `, outcomeWords(rest));
	}
	return list;
}

function drawSummary() {
	const { totals, window: asked } = model;
	const made = document.getElementById("made");
	made.append("Made ", moment(model.made), ` by modelwatch ${model.version}. All times are UTC.`);
	if (asked.since) made.append(" From ", moment(asked.since), ".");
	if (asked.until) made.append(" Until ", moment(asked.until), ".");
	const place = document.getElementById("summary");
	place.append(
		element(
			"dl",
			"tiles",
			tile("alerts", totals.count),
			tile("not prevented", totals.observed),
			tile("mode deny would have stopped", totals.deny_would_stop),
			tile("killed, perhaps too late", totals.killed_after_effect),
			tile("prevented", totals.prevented),
			tile("alerts lost", model.losses.lost),
			tile("unreadable lines", model.input.unreadable),
		),
		notes(),
	);
	if (totals.count) {
		place.append(element("p", "", "First ", moment(totals.first), ", last ", moment(totals.last), "."));
	} else {
		place.append(element("p", "", "No alerts."));
	}
}

// Groups

function where(group) {
	const made = element("span", "", said(group.call), group.args ? " " : "", group.args ? said(group.args) : "");
	if (group.offset !== null) made.append(` at byte ${group.offset}`);
	else if (group.offset_range) made.append(` at bytes ${group.offset_range[0]} to ${group.offset_range[1]}`);
	if (group.model.member) made.append(" of ", said(group.model.member));
	return made;
}

function facts(group) {
	const list = element("dl", "facts");
	const { model: file, user, job } = group;
	fact(list, "Effect", `${group.class} by `, said(group.op), " on ", said(group.target));
	fact(list, "Call", where(group), ` (cause: ${group.cause})`);
	fact(list, "Model", file.path ? said(file.path) : "a stream in memory");
	if (file.repo) fact(list, "From", said(file.repo), " of ", said(file.hub), ", revision ", said(file.revision));
	fact(list, "Stream SHA-256", said(file.stream_sha256));
	fact(list, "File SHA-256", said(file.sha256));
	fact(list, "Loaded by", said(group.entry));
	fact(list, "Rule", said(group.rule), ` asked for ${group.requested}`);
	if (group.evasion) fact(list, "Evasion", "A sensor that should have announced this did not");
	fact(list, "User", user ? said(user.name) : "unknown", user && user.uid !== null ? ` (${user.uid})` : "");
	fact(list, "Job", job ? said(job.kind) : "none", job ? " " : "", job ? said(job.id) : "");
	fact(list, "Hosts", said(group.hosts.join(", ")));
	fact(list, "First, last", moment(group.first), " to ", moment(group.last));
	fact(list, "Whole story", said(`modelwatch why ${group.alert}`));
	return list;
}

function pythonStack(frames) {
	const list = element("ol", "stack");
	frames.forEach((frame, i) => {
		if (!frame.inside && (i === 0 || frames[i - 1].inside)) {
			list.append(element("li", "border", i ? "loaded by" : "(the stream itself makes the call) loaded by"));
		}
		list.append(element("li", "", said(frame.function), " in ", said(frame.file), frame.line ? `:${frame.line}` : ""));
	});
	return list;
}

function nativeStack(frames) {
	const list = element("ol", "stack");
	for (const frame of frames) {
		const offset = Number.isInteger(frame.offset) ? `+0x${frame.offset.toString(16)}` : "";
		list.append(element("li", "", said(frame.symbol ?? "(no symbol)"), " in ", said(frame.object), offset));
	}
	return list;
}

function stack(title, frames, draw) {
	const made = element("div", "", element("h3", "", title));
	made.append(frames.length ? draw(frames) : element("p", "soft", "None."));
	return made;
}

function drawGroup(group, index) {
	const made = element("details", SEVERITIES.includes(group.severity) ? group.severity : "");
	made.id = `group-${index}`;
	made.open = index === 0;
	made.append(
		element(
			"summary",
			"",
			element("span", "word", `${group.severity.toUpperCase()}: `),
			said(group.title),
			element("br"),
			`${plural(group.counts.count, "alert")}: `,
			outcomeWords(group.counts),
		),
		element(
			"div",
			"inside",
			facts(group),
			stack("Python stack, innermost first", group.python_stack, pythonStack),
			stack("Native stack, innermost first", group.native_stack, nativeStack),
		),
	);
	return made;
}

// Timeline

function gap(before, after) {
	const ms = Date.parse(after) - Date.parse(before);
	if (!(ms > 0)) return "";
	if (ms < 1000) return `+${ms} ms`;
	if (ms < 120000) return `+${(ms / 1000).toFixed(1)} s`;
	if (ms < 7200000) return `+${Math.round(ms / 60000)} min`;
	return `+${Math.round(ms / 3600000)} h`;
}

function linkTo(index, ...words) {
	const made = element("a", "", ...words);
	made.href = `#group-${index}`;
	return made;
}

function drawMoment(event, before) {
	const group = model.groups[event.group];
	const made = element(
		"li",
		"",
		moment(event.time),
		" ",
		element("span", "soft", before ? gap(before.time, event.time) : ""),
		" ",
		element("span", `word ${event.outcome}`, OUTCOMES[event.outcome]),
		" ",
		linkTo(event.group, `${group.class} `, said(group.target)),
		element("span", "soft", ` (${group.severity}) by process ${event.pid ?? "unknown"} on `, said(event.host)),
	);
	if (event.more_after) made.append(element("div", "soft", `and ${event.more_after} more of these before its last ones`));
	return made;
}

// Processes

function drawProcess(process) {
	const made = element("li", "", `${process.pid} `);
	process.commands.forEach((command, i) => made.append(i ? " \u2192 " : "", said(command)));
	if (process.start_time) made.append(element("span", "soft", ", started ", moment(process.start_time)));
	if (process.parent === null) made.append(element("span", "soft", " on ", said(process.host)));
	for (const index of process.groups) {
		const group = model.groups[index];
		made.append(element("div", "", linkTo(index, `${group.severity}: ${group.class} `, said(group.target))));
	}
	return made;
}

function drawProcesses() {
	const root = document.getElementById("processes");
	const lists = [];
	const items = model.processes.map(drawProcess);
	model.processes.forEach((process, i) => {
		if (process.parent === null) {
			root.append(items[i]);
			return;
		}
		if (!lists[process.parent]) {
			lists[process.parent] = element("ul");
			items[process.parent].append(lists[process.parent]);
		}
		lists[process.parent].append(items[i]);
	});
	if (model.processes_left_out) {
		document.getElementById("processes-rest").textContent =
			`${model.processes_left_out} more are left out.`;
	}
}

// What the reader does

function everyGroup() {
	return document.querySelectorAll("#groups details");
}

function openTarget() {
	const target = document.getElementById(location.hash.slice(1));
	if (target instanceof HTMLDetailsElement) {
		target.open = true;
		target.querySelector("summary").focus();
	}
}

function listen() {
	const all = document.getElementById("all");
	all.addEventListener("click", () => {
		const open = all.getAttribute("aria-expanded") !== "true";
		for (const group of everyGroup()) group.open = open;
		all.setAttribute("aria-expanded", String(open));
		all.textContent = open ? "Close all" : "Open all";
	});
	addEventListener("hashchange", openTarget);
	addEventListener("beforeprint", () => {
		for (const group of everyGroup()) group.open = true;
	});
}

drawSummary();
document.getElementById("groups").append(...model.groups.map(drawGroup));
document.getElementById("timeline").append(...model.timeline.map((event, i) => drawMoment(event, model.timeline[i - 1])));
drawProcesses();
listen();
document.querySelector("main").hidden = false;
openTarget();
