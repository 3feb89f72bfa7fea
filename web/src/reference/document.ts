/** The parts of an OpenAPI document that the page shows. */

export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly description?: string;
  readonly $ref?: string;
}

interface Content {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface OperationObject {
  readonly tags: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses: Readonly<Record<string, Content>>;
  readonly security?: readonly Readonly<Record<string, unknown>>[];
}

export interface ApiDocument {
  readonly info: { readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
}

export interface Operation extends OperationObject {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly admin: boolean;
}

export interface Group {
  readonly name: string;
  readonly operations: readonly Operation[];
}

/** Groups in the order in which their first paths come. */
export function groupsOf(document: ApiDocument): readonly Group[] {
  const groups = new Map<string, Operation[]>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = operation.tags[0] ?? 'Other';
      const group = groups.get(name) ?? [];
      groups.set(name, group);
      const admin = operation.security?.some((scheme) => 'admin' in scheme) ?? false;
      group.push({
        ...operation,
        id: `${method}${path.replace(/\W+/g, '-')}`,
        method: method.toUpperCase(),
        path,
        admin,
      });
    }
  }
  return [...groups].map(([name, operations]) => ({ name, operations }));
}

/** A schema as a type that a person reads: `{ name: string, node: string | null }[]`, one property a line. */
export function typeText(schema: Schema | undefined, indent = ''): string {
  if (schema === undefined) return 'unknown';
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeText(one, indent)).join(' | ');
  if (schema.items !== undefined) return listText(typeText(schema.items, indent));
  if (schema.properties !== undefined) return objectText(schema, indent);
  if (typeof schema.additionalProperties === 'object')
    return `{ [name]: ${typeText(schema.additionalProperties, indent)} }`;
  const { type } = schema;
  if (type === undefined) return 'unknown';
  return typeof type === 'string' ? type : type.join(' | ');
}

function listText(element: string): string {
  return / \| /.test(element) && !element.startsWith('{') ? `(${element})[]` : `${element}[]`;
}

function objectText({ properties = {}, required = [] }: Schema, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, property]) => {
    const note = property.description === undefined ? '' : `  // ${property.description}`;
    return `${inner}${name}${required.includes(name) ? '' : '?'}: ${typeText(property, inner)}${note}`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

/** The call as one line for a terminal. */
export function curlOf({ method, path, admin, requestBody }: Operation, origin: string): string {
  const parts = ['curl'];
  if (method !== 'GET') parts.push('-X', method);
  if (path.endsWith('/stream')) parts.push('-N');
  if (admin) parts.push('-H "Authorization: Bearer $ADMIN_TOKEN"');
  if (requestBody !== undefined) parts.push("-H 'Content-Type: application/json' -d '{}'");
  const example = path.replace('{name}', exampleName(path)).replace(/\{(\w+)\}/g, '$1'.toUpperCase());
  return `${parts.join(' ')} '${origin}${example}'`;
}

function exampleName(path: string): string {
  if (path.includes('/topics/')) return 'sales.by_region';
  return path.includes('/nodes/') ? 'NODE' : 'poller:sales.by_region';
}
