import { z } from 'zod';
import { ERROR_CODES, HTTP_STATUS, type ErrorCode } from '../errors.js';
import type { RouteDescription } from './described.js';

/** A route of a controller. */
export interface Route {
  readonly method: string;
  /** As Express writes it: `/api/topics/:name`. */
  readonly path: string;
  /** What it belongs to, for the reader: the controller's name. */
  readonly group: string;
  readonly description: RouteDescription | undefined;
}

type Json = Record<string, unknown>;

const ERROR_BODY = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.unknown().optional(),
  }),
});

/** Any route may answer so, whatever it does. */
const EVERYWHERE: readonly ErrorCode[] = ['UNAVAILABLE'];

/** The routes as a document of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1), whose schemas are JSON Schema as zod writes it. */
export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of [...routes].sort(byPath)) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Pollcast',
      version,
      description:
        'One query per interval for the whole cluster, however many watch. Viewers that want every frame use Socket.IO ' +
        'or the event stream; everything else is here.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [...new Set(routes.map(({ group }) => group))].sort().map((name) => ({ name })),
    paths,
    components: {
      schemas: { Error: schema(ERROR_BODY, 'output') },
      securitySchemes: {
        user: {
          type: 'http',
          scheme: 'bearer',
          description: 'A JWT, where AUTH=jwt. Without authentication everybody is a guest.',
        },
        admin: { type: 'http', scheme: 'bearer', description: '`ADMIN_TOKEN`, or a JWT with the role `admin`.' },
      },
    },
  };
}

function operation({ method, path, group, description }: Route): Json {
  const { summary, details, query, headers, body, admin } = description ?? {};
  const parameters = [
    ...[...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
      name,
      in: 'path',
      required: true,
      description: description?.path?.[name],
      schema: { type: 'string' },
    })),
    ...(query ? queryParameters(query) : []),
    ...Object.entries(headers ?? {}).map(([name, meaning]) => ({
      name,
      in: 'header',
      description: meaning,
      schema: { type: 'string' },
    })),
  ];
  return {
    tags: [group],
    operationId: `${method.toLowerCase()}${path.replace(/[^A-Za-z0-9]+(\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    description: details,
    security: admin ? [{ admin: [] }] : [{ user: [] }, {}],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { content: { 'application/json': { schema: schema(body, 'input') } } } } : {}),
    responses: responses(description, admin ?? false),
  };
}

function queryParameters(query: z.ZodObject): Json[] {
  const { properties = {}, required = [] } = schema(query, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...type }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    description,
    schema: type,
  }));
}

function responses(description: RouteDescription | undefined, admin: boolean): Json {
  const { answer, status = 200, others = {}, errors = [] } = description ?? {};
  const codes = [...EVERYWHERE, ...(admin ? (['UNAUTHENTICATED', 'FORBIDDEN'] as const) : []), ...errors];
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set(codes)) {
    byStatus.set(HTTP_STATUS[code], [...(byStatus.get(HTTP_STATUS[code]) ?? []), code]);
  }
  return {
    [status]: success(answer),
    ...Object.fromEntries(Object.entries(others).map(([code, meaning]) => [code, { description: meaning }])),
    ...Object.fromEntries(
      [...byStatus].map(([code, names]) => [
        code,
        {
          description: names.map((name) => `\`${name}\`: ${ERROR_CODES[name]}`).join(' '),
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      ]),
    ),
  };
}

function success(answer: RouteDescription['answer']): Json {
  if (answer === undefined) return { description: 'Done.' };
  if ('contentType' in answer) {
    return { description: answer.description ?? 'The answer.', content: { [answer.contentType]: {} } };
  }
  return { description: 'The answer.', content: { 'application/json': { schema: schema(answer, 'output') } } };
}

function schema(type: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(type, { io, unrepresentable: 'any' }) as Json;
  return rest;
}

function byPath(a: Route, b: Route): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
