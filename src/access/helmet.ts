import type { HelmetOptions } from 'helmet';

/**
 * Headers of everything that is served over HTTP. Pages may load and reach what the hub itself serves, and nothing
 * else: no inline scripts or styles, no frames, no foreign hosts. `'self'` covers websockets to the same host.
 *
 * Neither HSTS nor `upgrade-insecure-requests`: whether there is TLS is known to whoever ends it, and a hub on plain
 * HTTP would be unreachable with them.
 */
export const HELMET_OPTIONS: HelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      'default-src': ["'self'"],
      'script-src': ["'self'"],
      'script-src-attr': ["'none'"],
      'style-src': ["'self'"],
      'img-src': ["'self'", 'data:'],
      'font-src': ["'self'"],
      'connect-src': ["'self'"],
      'media-src': ["'self'"],
      'object-src': ["'none'"],
      'frame-src': ["'none'"],
      'frame-ancestors': ["'none'"],
      'base-uri': ["'none'"],
      'form-action': ["'self'"],
    },
  },
  strictTransportSecurity: false,
  crossOriginEmbedderPolicy: false,
  crossOriginOpenerPolicy: { policy: 'same-origin' },
  crossOriginResourcePolicy: { policy: 'same-origin' },
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
};
