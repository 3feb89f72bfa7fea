/**
 * What a node tells about itself with each heartbeat (`NodeRecord.info`): each feature adds its own figures. An operator's
 * tools, and the placing of processes, read them.
 */
export class NodeFigures {
  readonly #sources: (() => Readonly<Record<string, number>>)[] = [];

  add(figures: () => Readonly<Record<string, number>>): void {
    this.#sources.push(figures);
  }

  read(): Record<string, number> {
    return Object.assign({}, ...this.#sources.map((source) => source())) as Record<string, number>;
  }
}
