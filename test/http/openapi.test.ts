import { describe, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { Described, descriptionOf } from '../../src/http/described.js';
import { openApi, type Route } from '../../src/http/openapi.js';

type Document = {
  paths: Record<
    string,
    Record<string, Record<string, unknown> & { responses: Record<string, { description: string }> }>
  >;
};

const route = (over: Partial<Route>): Route => ({
  method: 'GET',
  path: '/api/things',
  group: 'Things',
  description: { summary: 'All things' },
  ...over,
});

const documentOf = (...routes: Route[]): Document => openApi(routes, '1.2.3') as Document;

describe('the description of routes', () => {
  it('is a valid document of OpenAPI 3.1', async () => {
    const described = route({
      method: 'POST',
      path: '/api/things/:name/turn',
      description: {
        summary: 'Turns a thing',
        path: { name: 'which' },
        query: z.object({ by: z.number().int().optional() }),
        headers: { 'If-Match': 'a version' },
        body: z.strictObject({ to: z.string().optional() }),
        answer: z.array(z.object({ ok: z.literal(true) })),
        others: { 304: 'Nothing to turn.' },
        errors: ['NOT_FOUND', 'CONFLICT'],
        admin: true,
      },
    });
    const validator = new Validator();
    const { valid, errors } = await validator.validate(openApi([described, route({})], '1.2.3'));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect((await validator.validate({ ...openApi([described], '1'), paths: { things: 1 } })).valid).toBe(false);
  });

  it('names what stands in the path, the query and the headers', () => {
    const { paths } = documentOf(
      route({
        path: '/api/things/:name',
        description: {
          summary: 'One',
          path: { name: 'which' },
          query: z.object({ deep: z.boolean(), by: z.string().describe('whose').optional() }),
          headers: { 'If-None-Match': 'a tag' },
        },
      }),
    );
    expect(paths['/api/things/{name}']?.['get']?.['parameters']).toEqual([
      { name: 'name', in: 'path', required: true, description: 'which', schema: { type: 'string' } },
      { name: 'deep', in: 'query', required: true, description: undefined, schema: { type: 'boolean' } },
      { name: 'by', in: 'query', required: false, description: 'whose', schema: { type: 'string' } },
      { name: 'If-None-Match', in: 'header', description: 'a tag', schema: { type: 'string' } },
    ]);
  });

  it('tells each error under its status, and those of the same status together', () => {
    const { paths } = documentOf(
      route({ description: { summary: 'x', errors: ['UNKNOWN_TOPIC', 'NOT_FOUND'], admin: true } }),
    );
    const responses = paths['/api/things']?.['get']?.responses ?? {};
    expect(Object.keys(responses)).toEqual(['200', '401', '403', '404', '503']);
    expect(responses['404']?.description).toMatch(/`UNKNOWN_TOPIC`.*`NOT_FOUND`/);
  });

  it('stands where the method stands', () => {
    class Things {
      @Described({ summary: 'All things' })
      list(): void {
        // nothing to do
      }

      other(): void {
        // not described
      }
    }
    expect(descriptionOf(Things.prototype.list)).toEqual({ summary: 'All things' });
    expect(descriptionOf(Things.prototype.other)).toBeUndefined();
  });
});
