/** Where an offset lies: lines and columns count from 1, columns in characters (an emoji is one). */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, Math.max(0, offset));
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: [...before.slice(lineStart)].length + 1 };
}

/**
 * Translates the parser's offsets to JavaScript's. The scanner and the syntax tree count UTF-8 bytes; errors, the
 * parser's and the server's, count characters (code points).
 */
export class Offsets {
  private readonly ascii: boolean;
  private readonly byBytes: number[] = [];
  private readonly byCharacters: number[] = [];

  constructor(private readonly text: string) {
    this.ascii = /^[\x00-\x7f]*$/.test(text);
    if (this.ascii) return;
    let index = 0;
    for (const character of text) {
      this.byCharacters.push(index);
      for (let byte = Buffer.byteLength(character); byte > 0; byte--) this.byBytes.push(index);
      index += character.length;
    }
  }

  fromBytes(bytes: number): number {
    return this.ascii ? Math.min(bytes, this.text.length) : (this.byBytes[bytes] ?? this.text.length);
  }

  /** `characters` counts from 0; Postgres's own `position` counts from 1. */
  fromCharacters(characters: number): number {
    return this.ascii ? Math.min(characters, this.text.length) : (this.byCharacters[characters] ?? this.text.length);
  }
}
