/** Invented rows for the demo's topics: for working on the page without a hub. Nothing that is built uses this. */

const REGIONS = ['EU', 'US', 'APAC'];
const PRODUCTS = [
  'Birch pendant lamp',
  'Cast-iron skillet',
  'Linen duvet cover',
  'Oak standing desk',
  'Copper watering can',
];
PRODUCTS.push('Wool throw', 'Brass desk lamp', 'Stoneware bowl set', 'Cedar planter', 'Felt pinboard');
const NAMES = [
  'Ada Novak',
  'Jun Watanabe',
  'Mara Silva',
  'Theo Brandt',
  'Priya Nair',
  'Owen Clarke',
  'Lucía Romero',
  'Nadia Haddad',
];
const PAGES = [
  '/',
  '/lighting',
  '/kitchen/skillets',
  '/checkout',
  '/search',
  '/garden',
  '/account',
  '/product/oak-standing-desk',
];
const SERVICES = ['checkout', 'search', 'catalog', 'accounts', 'shipping'];
const MESSAGES = [
  'Payment provider answered 502',
  'Index is 14 s behind',
  'Timed out waiting for a connection',
  'Unknown SKU in basket',
];
const BUCKET_MS = 10_000;

const pick = (list, n) => list[Math.abs(Math.trunc(n)) % list.length];
const iso = (ms) => new Date(ms).toISOString();

/** The same number for the same moment and name, so that a bucket does not change once it is complete. */
function noise(name, n) {
  let hash = 2166136261 ^ Math.trunc(n);
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4294967296;
}

function level(name, at, base) {
  const wave = 1 + 0.35 * Math.sin(at / 140_000) + 0.2 * Math.sin(at / 47_000);
  return base * wave * (0.7 + 0.6 * noise(name, at / BUCKET_MS));
}

function buckets(now, minutes, columns) {
  const last = Math.floor(now / BUCKET_MS) * BUCKET_MS;
  return Array.from({ length: minutes * 6 + 1 }, (_, n) => {
    const at = last - (minutes * 6 - n) * BUCKET_MS;
    const filled = at === last ? (now - at) / BUCKET_MS : 1;
    const values = Object.entries(columns).map(([name, base]) => [name, Math.round(level(name, at, base) * filled)]);
    return { at: iso(at), ...Object.fromEntries(values) };
  });
}

/** The newest `count` things that happen every `everyMs`. */
function newest(now, everyMs, count, make) {
  const last = Math.floor(now / everyMs);
  return Array.from({ length: count }, (_, n) => make(last - n, (last - n) * everyMs));
}

const share = { all: 1, EU: 0.46, US: 0.36, APAC: 0.18 };

export const ROWS = {
  'sales.revenue_today': (now) => [
    { revenue: 184_200 + Math.round(level('r', now, 5000)) + Math.round((now / 1000) % 4000) },
  ],
  'sales.orders_per_minute': (now) => [{ orders_per_minute: Math.round(level('o', now, 420)) / 10 }],
  'web.visitors_now': (now) => [{ visitors: Math.round(level('v', Math.floor(now / 2000) * 2000, 310)) }],
  'sales.revenue_series': (now, { minutes, region }) =>
    buckets(now, minutes, { revenue: 900 * share[region], orders: 11 * share[region] }),
  'sales.by_region': (now, { region }) =>
    REGIONS.filter((one) => region === 'all' || region === one).map((one) => {
      const orders = Math.round(level(one, now, 900) * share[one]);
      return { region: one, orders, revenue: orders * (61 + share[one] * 30), average_order: 61 + share[one] * 30 };
    }),
  'sales.latest_orders': (now, { limit }) =>
    newest(now, 2300, limit, (n, at) => {
      const age = now - at;
      const status =
        n % 13 === 0
          ? 'cancelled'
          : age < 5000
            ? 'placed'
            : age < 12_000
              ? 'paid'
              : age < 20_000
                ? 'packed'
                : 'shipped';
      return {
        id: String(n % 1e6),
        placed_at: iso(at),
        customer: pick(NAMES, n * 7),
        region: pick(REGIONS, n * 3),
        status,
        total: 19 + noise('t', n) * 400,
      };
    }),
  'sales.top_products': (now, { limit }) =>
    PRODUCTS.map((product, n) => {
      const sold = Math.round(level(product, now, 40 + n * 4));
      return { sku: `P-${n}`, product, category: 'living', sold, revenue: sold * 31.5 };
    })
      .sort((a, b) => b.revenue - a.revenue)
      .slice(0, limit),
  'sales.by_day': (now) =>
    newest(now, 86_400_000, 9, (n, at) => ({
      day: iso(at).slice(0, 10),
      region: pick(REGIONS, n),
      orders: 900 + (n % 90),
      cancelled: n % 17,
      revenue: 61_000 + noise('d', n) * 9000,
    })),
  'web.traffic': (now, { minutes }) => buckets(now, minutes, { desktop: 210, mobile: 320, tablet: 45 }),
  'web.top_pages': (now, { limit }) =>
    PAGES.map((path, n) => ({ path, views: Math.round(level(path, now, 600 / (n + 1))), visitors: 40 })).slice(
      0,
      limit,
    ),
  'web.slow_pages': (now) =>
    PAGES.map((path, n) => {
      const median = Math.round(level(path, Math.floor(now / 5000) * 5000, 180 + n * 20));
      return { path, views: 4000 - n * 300, median_ms: median, p95_ms: median * 3, p99_ms: median * 6 };
    }).sort((a, b) => b.p95_ms - a.p95_ms),
  'ops.error_rate': (now, { minutes }) => buckets(now, minutes, { warnings: 9, errors: 4, fatal: 0.6 }),
  'ops.latest_errors': (now, { limit, severity }) =>
    severity === 'fatal'
      ? []
      : newest(now, 3100, limit, (n, at) => ({
          id: String(n),
          seen_at: iso(at),
          service: pick(SERVICES, n * 3),
          severity: pick(['warning', 'error', 'warning', 'fatal'], n),
          message: pick(MESSAGES, n * 5),
        })),
  'ops.open_tickets': (now) =>
    newest(now, 47_000, 9, (n, at) => ({
      id: String(n),
      priority: pick(['urgent', 'normal', 'low'], n),
      subject: pick(['Where is my order?', 'Refund not received', 'Wrong size delivered', 'Cannot sign in'], n),
      assignee: pick(NAMES, n),
      opened_at: iso(at),
    })),
  'ops.deployments': (now) =>
    newest(now, 61_000, 8, (n, at) => ({
      id: String(n),
      service: pick(SERVICES, n),
      version: `2.${n % 90}.0`,
      status: now - at < 40_000 ? 'rolling out' : pick(['live', 'live', 'rolled back'], n),
      started_at: iso(at),
      finished_at: null,
    })),
  'stock.by_warehouse': (now) =>
    ['Hamburg', 'Reno', 'Singapore'].map((warehouse, n) => ({
      warehouse,
      units: Math.round(level(warehouse, now, 5200 - n * 900)),
      value: 1e5,
      running_low: 3 + n,
    })),
  'stock.low': (now, { limit }) =>
    PRODUCTS.slice(0, limit).map((product, n) => ({
      sku: `P-${n}`,
      warehouse: pick(['Hamburg', 'Reno', 'Singapore'], n),
      product,
      on_hand: Math.round(level(product, Math.floor(now / 3000) * 3000, 8 + n)),
      reorder_at: 20,
      restocked_at: iso(Math.floor(now / 3_600_000) * 3_600_000 - n * 7_400_000),
    })),
};

/** Rows of any other topic: a few numbers, so that its panel has something to show. */
export const OTHER_ROWS = (now) => [
  { name: 'first', value: Math.round(level('x', now, 90)) },
  { name: 'second', value: 12 },
];
