/** What can stand in one chain at a time. The links lie in the items themselves: to stand in line costs no memory. */
export interface Linked<T extends Linked<T>> {
  prev: T | null;
  next: T | null;
  chain: Chain<T> | null;
}

/** A doubly linked list without nodes of its own: adding, taking and removing allocate nothing. */
export class Chain<T extends Linked<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | null {
    return this.#first;
  }

  push(item: T): void {
    if (item.chain) throw new Error('an item can stand in one chain only');
    item.chain = this;
    item.prev = this.#last;
    if (this.#last) this.#last.next = item;
    else this.#first = item;
    this.#last = item;
    this.#size += 1;
  }

  shift(): T | null {
    const item = this.#first;
    if (item) this.remove(item);
    return item;
  }

  remove(item: T): void {
    if (item.chain !== this) return;
    if (item.prev) item.prev.next = item.next;
    else this.#first = item.next;
    if (item.next) item.next.prev = item.prev;
    else this.#last = item.prev;
    item.prev = item.next = item.chain = null;
    this.#size -= 1;
  }
}
