import { Controller, Get, Inject, RequestMethod, Req, Res } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Request, Response } from 'express';
import { VERSION } from '../node.tokens.js';
import { Described, descriptionOf } from './described.js';
import { openApi, type Route } from './openapi.js';

/** What this node answers over HTTP: a page for people, the document of OpenAPI for programs. */
@Controller('api')
export class OpenApiController {
  #document: object | undefined;

  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
    @Inject(VERSION) private readonly version: string,
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
    if (request.accepts(['json', 'html']) === 'html') response.redirect('/reference');
    else response.json((this.#document ??= openApi(this.routes(), this.version)));
  }

  /** Every route of every controller of the application. */
  routes(): Route[] {
    return this.discovery.getControllers().flatMap(({ metatype, instance }) => {
      const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
      const base = Reflect.getMetadata(PATH_METADATA, metatype as object) as string;
      return this.scanner.getAllMethodNames(prototype).flatMap((name): Route[] => {
        const handler = prototype[name] as object;
        const path = Reflect.getMetadata(PATH_METADATA, handler) as string | undefined;
        if (path === undefined) return [];
        const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
        const group = String((metatype as { name: string }).name).replace(/Controller$/, '');
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
