import { FileStorage } from './file-storage.js';
import type { Storage } from './storage.js';

/** `STORAGE_URL` as it was read: a folder, or the address of a bucket. */
export type StorageLocation =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 's3'; readonly url: string };

/** Opens it without asking whether it is there: that shows at the first use. */
export async function openStorage(location: StorageLocation): Promise<Storage> {
  if (location.kind === 'file') return new FileStorage(location.path);
  // Only who has a bucket pays for the SDK.
  const { S3Storage } = await import('./s3-storage.js');
  return new S3Storage(location.url);
}
