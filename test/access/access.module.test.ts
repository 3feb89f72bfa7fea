import 'reflect-metadata';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import helmet from 'helmet';
import { AccessModule } from '../../src/access/access.module.js';
import { AccessService } from '../../src/access/access.service.js';
import { HELMET_OPTIONS } from '../../src/access/helmet.js';
import { request, settings } from './support.js';

describe('the module', () => {
  it('makes one access service of the settings that it is given', async () => {
    const module = await Test.createTestingModule({
      imports: [AccessModule.forRoot({ useFactory: () => Promise.resolve(settings({ adminToken: 'x' })) })],
    }).compile();
    const access = module.get(AccessService);
    expect(await access.isAdmin(request({ authorization: 'Bearer x' }))).toBe(true);
    expect(await access.isAdmin(request())).toBe(false);
    await module.close();
  });

  it('refuses settings that make no sense when it starts', async () => {
    const starting = Test.createTestingModule({
      imports: [AccessModule.forRoot({ useFactory: () => settings({ trustedProxies: ['nginx'] }) })],
    }).compile();
    await expect(starting).rejects.toThrow(/trusted proxy: expected/);
  });
});

describe('the headers of pages', () => {
  it('allow the hub itself and nothing else', async () => {
    const protect = helmet(HELMET_OPTIONS);
    const server = createServer((req, res) => protect(req, res, () => res.end('page')));
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await new Promise((closed) => server.close(closed));
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|upgrade-insecure/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('strict-transport-security')).toBeNull();
  });
});
