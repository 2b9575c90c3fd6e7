// The topics that were heard of, as a tree. Topics and bytes are bounded: what comes beyond is counted, and said.
import { Ring } from './ring.js';

export const MOST_TOPICS = 50000;
const MOST_BYTES = 32e6;
const KEEP = 4096;
const KEEP_WHEN_FULL = 64;
const HISTORY = 100;

class Node {
	constructor(name, parent) {
		this.name = name;
		this.parent = parent;
		this.children = null;
		this.sorted = null;
		this.open = parent !== null && parent.parent === null; // the first level is shown whole
		this.topics = 0; // below, with itself
		this.payload = null;
		this.size = 0;
		this.qos = 0;
		this.retained = false;
		this.count = 0;
		this.at = 0;
	}

	get topic() {
		let topic = this.name;
		for (let node = this.parent; node.parent; node = node.parent) topic = `${node.name}/${topic}`;
		return topic;
	}

	inOrder() {
		this.sorted ??= [...this.children.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
		return this.sorted;
	}
}

export class TopicTree {
	constructor() {
		this.clear();
	}

	clear() {
		this.root = new Node('', null);
		this.root.children = new Map();
		this.topics = 0;
		this.nodes = 0;
		this.bytes = 0;
		this.left_out = 0;
		this.messages = 0;
		this.changed = true; // its shape
		this.watched = null; // the node whose messages are kept
		this.history = new Ring(HISTORY);
	}

	find(topic, make) {
		let node = this.root;
		for (const name of topic.split('/')) {
			let child = node.children?.get(name);
			if (child === undefined) {
				if (!make || this.nodes >= MOST_TOPICS) return null;
				child = new Node(name, node);
				node.children ??= new Map();
				node.children.set(name, child);
				node.sorted = null;
				this.nodes++;
				this.changed = true;
			}
			node = child;
		}
		return node;
	}

	take(topic, payload, packet) {
		const node = this.find(topic, true);
		this.messages++;
		if (node === null) {
			this.left_out++;
			return;
		}
		if (node.count++ === 0) {
			this.topics++;
			for (let up = node; up; up = up.parent) up.topics++;
		}
		const kept = payload.slice(0, this.bytes < MOST_BYTES ? KEEP : KEEP_WHEN_FULL);
		this.bytes += kept.length - (node.payload?.length ?? 0);
		node.payload = kept;
		node.size = payload.length;
		node.qos = packet.qos;
		node.retained = packet.retain;
		node.at = Date.now();
		if (node === this.watched) this.history.push({ n: this.history.total, at: node.at, payload: kept, size: payload.length, retained: packet.retain });
	}

	watch(node) {
		if (this.watched === node) return;
		this.watched = node;
		this.history.clear();
	}

	/** What is shown: [{ node, depth }]. With a text, the topics that contain it, whatever the case. */
	rows(text) {
		const wanted = text.trim().toLowerCase();
		const rows = [];
		const walk = (node, depth, path) => {
			for (const child of node.inOrder()) {
				const topic = path === null ? child.name : `${path}/${child.name}`;
				if (wanted === '') rows.push({ node: child, depth, name: child.name });
				else if (child.count > 0 && topic.toLowerCase().includes(wanted)) rows.push({ node: child, depth: 0, name: topic });
				if (child.children && (wanted !== '' || child.open)) walk(child, depth + 1, topic);
			}
		};
		walk(this.root, 0, null);
		return rows;
	}
}
