// The last items, in the order in which they came: memory does not grow.
export class Ring {
	constructor(size) {
		this.size = size;
		this.clear();
	}

	clear() {
		this.items = [];
		this.at = 0;
		this.total = 0;
	}

	push(item) {
		if (this.items.length < this.size) this.items.push(item);
		else this.items[this.at] = item;
		this.at = (this.at + 1) % this.size;
		this.total++;
	}

	get last() {
		return this.items[(this.at + this.size - 1) % this.size];
	}

	list() {
		return this.items.length < this.size ? this.items.slice() : [...this.items.slice(this.at), ...this.items.slice(0, this.at)];
	}
}
