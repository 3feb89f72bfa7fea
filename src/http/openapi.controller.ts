import { Get, Inject, RequestMethod, Req, Res } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Request, Response } from 'express';
import { PAGES, VERSION } from '../node.tokens.js';
import { ApiController, isApiController } from './api.controller.js';
import { Described, descriptionOf } from './described.js';
import { openApi, type Route } from './openapi.js';

/** What this node answers over HTTP: a page for people, the document of OpenAPI for programs. */
@ApiController('api')
export class OpenApiController {
  #document: object | undefined;

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(VERSION) private readonly version: string,
    @Inject(PAGES) private readonly pages: boolean,
  ) {}

  @Get()
  @Described({
    summary: 'This description: as JSON for programs, as a page for browsers',
    answer: { contentType: 'application/json', description: 'A document of OpenAPI 3.1.' },
  })
  api(@Req() request: Request, @Res() response: Response): void {
    response.setHeader('Cache-Control', 'no-cache');
    response.vary('Accept');
    // Whoever takes anything is a program.
    if (this.pages && request.accepts(['json', 'html']) === 'html') return response.redirect('/reference');
    this.#document ??= openApi(this.routes(), this.version);
    // An application that the hub lives in may have put all of it below a path of its own.
    const base = request.path.replace(/\/api\/?$/, '');
    response.json(base === '' ? this.#document : { ...this.#document, servers: [{ url: base }] });
  }

  /** Every route of the hub's controllers. */
  routes(): Route[] {
    const own = this.discovery.getControllers().filter(({ metatype }) => metatype && isApiController(metatype));
    return own.flatMap(({ metatype, instance }) => {
      const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
      const base = Reflect.getMetadata(PATH_METADATA, metatype as object) as string;
      return this.scanner.getAllMethodNames(prototype).flatMap((name): Route[] => {
        const handler = prototype[name] as object;
        const path = Reflect.getMetadata(PATH_METADATA, handler) as string | undefined;
        if (path === undefined) return [];
        const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
        const group = (metatype as { name: string }).name.replace(/Controller$/, '').replace('OpenApi', 'OpenAPI');
        return [{ method, path: join(base, path), group, description: descriptionOf(handler) }];
      });
    });
  }
}

function join(...parts: readonly string[]): string {
  return `/${parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/')}`;
}
