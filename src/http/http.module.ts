import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { OpenApiController } from './openapi.controller.js';

/** What all of HTTP has in common: its description. */
@Module({ imports: [DiscoveryModule], controllers: [OpenApiController] })
export class HttpModule {}
