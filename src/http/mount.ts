/**
 * Where the hub's routes are. Addresses that it hands out begin there, so that they lead back to it within an application
 * that has put it below a path of its own.
 */
export class Mount {
  #outer = (): string => '';

  constructor(private readonly prefix = '') {}

  /** The application's own prefix, which comes before the hub's; asked each time, for it may be set later. */
  below(outer: () => string): void {
    this.#outer = outer;
  }

  /** The address of a route of the hub: `/api/x` as it is asked for from outside. */
  path(route: string): string {
    const parts = [this.#outer(), this.prefix, route].flatMap((part) => part.split('/'));
    return `/${parts.filter((part) => part !== '').join('/')}`;
  }
}
