import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { S3Storage } from '../../src/storage/s3-storage.js';
import { startS3, type TestS3 } from '../support/s3.js';
import { storageSuite } from './storage.suite.js';

let server: TestS3;
beforeAll(async () => {
  server = await startS3();
});
afterAll(() => server.stop());

for (const prefix of ['', '/some/prefix']) {
  storageSuite(`a bucket${prefix && ' under a prefix'}`, async () => {
    const storage = new S3Storage(server.url(await server.createBucket(), prefix));
    return { storage, close: () => storage.close() };
  });
}

describe('S3 as storage', () => {
  it('tells apart a missing file, a missing bucket and a server that does not answer', async () => {
    const nowhere = new S3Storage(server.url('no-such-bucket'));
    await expect(nowhere.read('x')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(nowhere.write('x', Readable.from(['x']))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await nowhere.close();
    const gone = new S3Storage('s3://key:secret@bucket?endpoint=http://127.0.0.1:9');
    await expect(gone.stat('x')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.not.stringMatching(/127|secret/),
    });
    await gone.close();
  });
});
