import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createHmac } from 'node:crypto';
import { UnsecuredJWT, base64url, exportSPKI, generateKeyPair, type GenerateKeyPairResult } from 'jose';
import { TokenVerifier } from '../../src/access/tokens.js';
import { PollcastError } from '../../src/errors.js';
import {
  AUDIENCE,
  ISSUER,
  SECRET,
  publicJwk,
  seconds,
  shared,
  startKeyServer,
  token,
  type KeyServer,
} from './support.js';

const now = seconds(Date.now());
const rules = { mode: 'jwt', issuer: ISSUER, audience: AUDIENCE } as const;

async function refusalOf(verifier: TokenVerifier, given: unknown): Promise<PollcastError> {
  const error = await verifier.verify(given).then(
    (identity) => identity,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof PollcastError)) throw new Error(`expected a refusal, got ${JSON.stringify(error)}`);
  return error;
}

describe('a token signed with the shared secret', () => {
  const verifier = new TokenVerifier({ ...rules, secret: SECRET });

  it.each(['HS256', 'HS384', 'HS512'])('is taken with %s', async (alg) => {
    const identity = await verifier.verify(await token(shared, alg, { tenant_id: 7, roles: ['analyst'] }));
    expect(identity).toMatchObject({ user: 'ada', roles: ['analyst'], guest: false, claims: { tenant_id: 7 } });
    expect(identity.expiresAt).toBeGreaterThan(Date.now());
  });

  it('ends at its exp, to the second', async () => {
    const exp = now + 60;
    expect((await verifier.verify(await token(shared, 'HS256', { exp }))).expiresAt).toBe(exp * 1000);
  });

  it('is taken when its nbf is a few seconds ahead of our clock', async () => {
    const identity = await verifier.verify(await token(shared, 'HS256', { nbf: seconds(Date.now()) + 3 }));
    expect(identity.user).toBe('ada');
  });

  it('may name several audiences', async () => {
    expect((await verifier.verify(await token(shared, 'HS256', { aud: ['other', AUDIENCE] }))).user).toBe('ada');
  });

  const tampered = async (): Promise<string> => {
    const [head, , signature] = (await token(shared, 'HS256')).split('.');
    const claims = { sub: 'root', iss: ISSUER, aud: AUDIENCE, exp: now + 60, roles: ['admin'] };
    return [head, base64url.encode(JSON.stringify(claims)), signature].join('.');
  };
  const hostile: [string, string, () => unknown][] = [
    ['no token', 'missing', () => undefined],
    ['an empty token', 'missing', () => ''],
    ['a number', 'malformed', () => 42],
    ['an object', 'malformed', () => ({ toString: () => 'x' })],
    ['a word', 'malformed', () => 'let-me-in'],
    ['two parts', 'malformed', () => 'a.b'],
    ['three empty parts', 'malformed', () => '..'],
    ['a huge token', 'malformed', () => 'a'.repeat(20_000)],
    ['alg none', 'algorithm', () => new UnsecuredJWT({ sub: 'ada' }).setExpirationTime('1h').encode()],
    [
      'alg none in capitals',
      'algorithm',
      () => `${base64url.encode('{"alg":"NONE"}')}.${base64url.encode('{"sub":"ada"}')}.`,
    ],
    ['another secret', 'signature', () => token(new TextEncoder().encode('a wrong secret, also long enough'), 'HS256')],
    ['a changed content', 'signature', tampered],
    ['a cut signature', 'signature', async () => (await token(shared, 'HS256')).slice(0, -4)],
    ['an unknown critical header', 'algorithm', () => withHeader({ alg: 'HS256', crit: ['x'], x: 1 })],
    ['another issuer', 'issuer', () => token(shared, 'HS256', { iss: 'https://evil.example' })],
    ['no issuer', 'claims', () => token(shared, 'HS256', { iss: undefined })],
    ['another audience', 'audience', () => token(shared, 'HS256', { aud: 'other' })],
    ['no audience', 'claims', () => token(shared, 'HS256', { aud: undefined })],
    ['expired long ago', 'expired', () => token(shared, 'HS256', { exp: now - 3600 })],
    ['expired a second ago', 'expired', () => token(shared, 'HS256', { exp: now - 1 })],
    ['no exp', 'claims', () => token(shared, 'HS256', { exp: undefined })],
    ['exp as text', 'claims', () => token(shared, 'HS256', { exp: '2099' as unknown as number })],
    [
      'exp beyond all numbers',
      'claims',
      () => withPayload(`{"sub":"ada","iss":"${ISSUER}","aud":"${AUDIENCE}","exp":1e999}`),
    ],
    ['an exp that no date can be made of', 'claims', () => token(shared, 'HS256', { exp: 1e300 })],
    ['an nbf in an hour', 'early', () => token(shared, 'HS256', { nbf: now + 3600 })],
    ['no sub', 'claims', () => token(shared, 'HS256', { sub: undefined })],
    ['an empty sub', 'claims', () => token(shared, 'HS256', { sub: '  ' })],
    ['a numeric sub', 'claims', () => token(shared, 'HS256', { sub: 7 as unknown as string })],
    ['a sub with a line break', 'claims', () => token(shared, 'HS256', { sub: 'ada\nroot' })],
    ['a sub without end', 'claims', () => token(shared, 'HS256', { sub: 'a'.repeat(300) })],
    ['an asymmetric algorithm', 'algorithm', async () => token((await generateKeyPair('ES256')).privateKey, 'ES256')],
  ];

  it.each(hostile)('is refused with %s', async (_, reason, make) => {
    const error = await refusalOf(verifier, await make());
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', details: { reason } });
    expect(error.message).toMatch(/^[A-Z].{10,}\.$/);
  });

  it.each(hostile)('leaves no trace of itself in the error: %s', async (_, __, make) => {
    const given = await make();
    const error = await refusalOf(verifier, given);
    expect(error.cause).toBeUndefined();
    if (typeof given === 'string' && given.length > 10) expect(JSON.stringify(error.toWire())).not.toContain(given);
  });
});

describe('without issuer and audience', () => {
  it('any issuer and audience will do, and a token may lack them', async () => {
    const verifier = new TokenVerifier({ mode: 'jwt', secret: SECRET });
    expect((await verifier.verify(await token(shared, 'HS256', { iss: 'anyone', aud: undefined }))).user).toBe('ada');
  });

  it('neither secret nor key set is a mistake of the set-up', () => {
    expect(() => new TokenVerifier({ mode: 'jwt' })).toThrow(/secret/);
  });
});

describe('a token signed with a published key', () => {
  let keyServer: KeyServer;
  let rsa: GenerateKeyPairResult;
  let ec: GenerateKeyPairResult;
  let ed: GenerateKeyPairResult;
  let verifier: TokenVerifier;

  beforeAll(async () => {
    keyServer = await startKeyServer();
    [rsa, ec, ed] = await Promise.all([
      generateKeyPair('RS256', { extractable: true }),
      generateKeyPair('ES256'),
      generateKeyPair('EdDSA'),
    ]);
    keyServer.publish(
      await publicJwk(rsa.publicKey, 'RS256', 'r1'),
      await publicJwk(ec.publicKey, 'ES256', 'e1'),
      await publicJwk(ed.publicKey, 'EdDSA', 'd1'),
    );
    verifier = new TokenVerifier({ ...rules, jwksUrl: keyServer.url });
  });
  afterAll(() => keyServer.close());

  it('is taken with RS256, ES256 and EdDSA, and the keys are fetched once', async () => {
    for (const [alg, kid, { privateKey }] of [
      ['RS256', 'r1', rsa],
      ['ES256', 'e1', ec],
      ['EdDSA', 'd1', ed],
    ] as const) {
      expect((await verifier.verify(await token(privateKey, alg, {}, { kid }))).user).toBe('ada');
    }
    expect(keyServer.asked).toBe(1);
  });

  it('is refused when it is signed with HS256 and the public key as the secret', async () => {
    const pem = await exportSPKI(rsa.publicKey);
    for (const secret of [pem, pem.trim(), JSON.stringify(await publicJwk(rsa.publicKey, 'RS256', 'r1'))]) {
      const forged = hmacToken(secret, { kid: 'r1' });
      expect(await refusalOf(verifier, forged)).toMatchObject({ details: { reason: 'algorithm' } });
      const both = new TokenVerifier({ ...rules, jwksUrl: keyServer.url, secret: SECRET });
      expect(await refusalOf(both, forged)).toMatchObject({ details: { reason: 'signature' } });
    }
  });

  it('is refused with an unknown key id, which does not make the hub ask again and again', async () => {
    const before = keyServer.asked;
    for (let i = 0; i < 20; i += 1) {
      const forged = await token(rsa.privateKey, 'RS256', {}, { kid: `unknown-${i}` });
      expect(await refusalOf(verifier, forged)).toMatchObject({ details: { reason: 'key' } });
    }
    expect(keyServer.asked - before).toBeLessThanOrEqual(1);
  });

  it.each([
    ['an address of keys in its header', { jku: 'http://127.0.0.1:1/evil.json' }],
    ['an address of certificates in its header', { x5u: 'http://127.0.0.1:1/evil.pem' }],
  ])('is refused when signed by a foreign key, with %s', async (_, header) => {
    const { privateKey } = await generateKeyPair('RS256');
    const forged = await token(privateKey, 'RS256', {}, { kid: 'r1', ...header });
    expect(await refusalOf(verifier, forged)).toMatchObject({ details: { reason: 'signature' } });
  });

  it('is refused when the key comes in its own header', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
    const forged = await token(privateKey, 'RS256', {}, { kid: 'r1', jwk: await publicJwk(publicKey, 'RS256') });
    expect(await refusalOf(verifier, forged)).toMatchObject({ details: { reason: 'signature' } });
  });

  it('is refused with an algorithm that the key is not for', async () => {
    const { privateKey } = await generateKeyPair('RS512');
    const forged = await token(privateKey, 'RS512', {}, { kid: 'r1' });
    expect(await refusalOf(verifier, forged)).toMatchObject({ code: 'UNAUTHENTICATED', details: { reason: 'key' } });
  });

  it('without a key id is tried with every published key that fits', async () => {
    const server = await startKeyServer();
    const second = await generateKeyPair('RS256');
    server.publish(await publicJwk(rsa.publicKey, 'RS256', 'a'), await publicJwk(second.publicKey, 'RS256', 'b'));
    const many = new TokenVerifier({ ...rules, jwksUrl: server.url });
    const foreign = await generateKeyPair('RS256');
    try {
      expect((await many.verify(await token(second.privateKey, 'RS256'))).user).toBe('ada');
      expect(await refusalOf(many, await token(foreign.privateKey, 'RS256'))).toMatchObject({
        details: { reason: 'signature' },
      });
      expect(await refusalOf(many, await token(second.privateKey, 'RS256', { exp: now - 5 }))).toMatchObject({
        details: { reason: 'expired' },
      });
    } finally {
      await server.close();
    }
  });

  it('may also come beside tokens of a shared secret', async () => {
    const both = new TokenVerifier({ ...rules, jwksUrl: keyServer.url, secret: SECRET });
    expect((await both.verify(await token(shared, 'HS256'))).user).toBe('ada');
    expect((await both.verify(await token(ec.privateKey, 'ES256', {}, { kid: 'e1' }))).user).toBe('ada');
  });
});

describe('when the key server does not answer', () => {
  it('nobody can be told apart: UNAVAILABLE, without naming the server', async () => {
    const server = await startKeyServer();
    server.fail();
    const { privateKey } = await generateKeyPair('ES256');
    const verifier = new TokenVerifier({ ...rules, jwksUrl: server.url });
    const answer = await refusalOf(verifier, await token(privateKey, 'ES256'));
    await server.close();
    const refused = await refusalOf(verifier, await token(privateKey, 'ES256'));
    for (const error of [answer, refused]) {
      expect(error.code).toBe('UNAVAILABLE');
      expect(JSON.stringify(error.toWire())).not.toMatch(/127\.0\.0\.1|jwks/);
      expect(error.cause).toBeDefined();
    }
  });

  it('known keys are believed for an hour after they were last seen', async () => {
    const server = await startKeyServer();
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    server.publish(await publicJwk(publicKey, 'ES256', 'k'));
    const verifier = new TokenVerifier({ ...rules, jwksUrl: server.url });
    const good = await token(privateKey, 'ES256', { exp: now + 3 * 3600 }, { kid: 'k' });
    const unknown = await token(privateKey, 'ES256', { exp: now + 3 * 3600 }, { kid: 'unknown' });
    expect((await verifier.verify(good)).user).toBe('ada');
    await server.close();
    const started = Date.now();
    const clock = jest.spyOn(Date, 'now');
    try {
      clock.mockReturnValue(started + 50 * MINUTE_MS);
      expect((await verifier.verify(good)).user).toBe('ada');
      expect(await refusalOf(verifier, unknown)).toMatchObject({ details: { reason: 'key' } });
      clock.mockReturnValue(started + 70 * MINUTE_MS);
      expect((await refusalOf(verifier, good)).code).toBe('UNAVAILABLE');
    } finally {
      clock.mockRestore();
    }
  });
});

const MINUTE_MS = 60_000;

/** A token that no library would sign: the header is what an attacker makes of it. */
function hmacToken(secret: string, header: object, payload?: string): string {
  const claims = payload ?? JSON.stringify({ sub: 'ada', iss: ISSUER, aud: AUDIENCE, exp: now + 60 });
  const body = `${base64url.encode(JSON.stringify({ alg: 'HS256', ...header }))}.${base64url.encode(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

function withHeader(header: object): string {
  return hmacToken(SECRET, header);
}

function withPayload(payload: string): string {
  return hmacToken(SECRET, {}, payload);
}
