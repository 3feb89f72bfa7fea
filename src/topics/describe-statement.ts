import type { ClientBase, Connection, FieldDef } from 'pg';

/** One column of a statement's result, as the server describes it. */
export type ResultField = Pick<FieldDef, 'name' | 'dataTypeID' | 'dataTypeModifier' | 'tableID' | 'columnID'>;

/** The part of pg's connection that speaks the extended protocol; its type declarations leave it out. */
interface ExtendedConnection {
  parse(query: { name: string; text: string; types: number[] }): void;
  describe(target: { type: 'S'; name: string }): void;
  sync(): void;
}

/**
 * Has the server parse a statement and describe its result, without values and without running it: Parse, Describe, Sync.
 * pg calls the handlers below in the order of the server's messages.
 */
class DescribeQuery {
  private fields: ResultField[] = [];

  constructor(
    private readonly text: string,
    private readonly resolve: (fields: ResultField[]) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  submit(connection: Connection): void {
    const extended = connection as unknown as ExtendedConnection;
    extended.parse({ name: '', text: this.text, types: [] });
    extended.describe({ type: 'S', name: '' });
    extended.sync();
  }

  handleRowDescription(message: { fields: ResultField[] }): void {
    this.fields = message.fields;
  }

  handleReadyForQuery(): void {
    this.resolve(this.fields);
  }

  handleError(error: Error): void {
    this.reject(error);
  }
}

/**
 * @throws the server's `DatabaseError`, whose `position` counts characters of `text` from 1
 */
export function describeStatement(client: ClientBase, text: string): Promise<ResultField[]> {
  return new Promise((resolve, reject) => {
    client.query(new DescribeQuery(text, resolve, reject));
  });
}
