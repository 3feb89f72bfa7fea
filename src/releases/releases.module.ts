import { Module } from '@nestjs/common';
import { ReleasesGateway } from './releases.gateway.js';

/** Tells every viewer when a new version of the hub runs everywhere. */
@Module({ providers: [ReleasesGateway] })
export class ReleasesModule {}
