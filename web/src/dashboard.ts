/**
 * The page as it is designed for the demo's topics. Only names and looks are here: what a topic is called, its parameters
 * and how often it refreshes come from the hub. Topics that the hub does not serve are left out, and topics that are
 * served but not named here get a panel of their own kind (see layout.ts).
 */
import type { Row } from '../../client/index.js';
import type { Format } from './format.js';

export interface Column {
  readonly name: string;
  readonly label?: string;
  readonly format?: Format;
  /** Which of the series colours a line of a chart has; absent: the one of its place. */
  readonly hue?: Hue;
  /** A bar behind the number, as long as its share of the column's largest. */
  readonly bar?: boolean;
  /**
   * Width against the other columns of a table, 1 when absent. A table in which one column has it keeps its widths,
   * whatever its cells hold.
   */
  readonly share?: number;
  /** Left out on narrow screens. */
  readonly wideOnly?: boolean;
  /** Values that carry a tone: `failed` is bad wherever it stands. */
  readonly tones?: Readonly<Record<string, Tone>>;
}

/** See `--series-…` in styles/tokens.css: five that can be told apart by everybody, and 6, the red of what is bad. */
export type Hue = 1 | 2 | 3 | 4 | 5 | 6;

export type Tone = 'good' | 'warn' | 'bad' | 'quiet';

/** Grid columns of twelve that a panel takes on a wide screen. */
type Width = 3 | 4 | 5 | 6 | 7 | 8 | 12;

interface PanelBase {
  readonly topic: string;
  readonly width: Width;
  /** Parameters that the panel lets the reader choose, beside the page's own. */
  readonly controls?: readonly string[];
}

export interface ChartPanel extends PanelBase {
  readonly kind: 'chart';
  readonly mark: 'bars' | 'area' | 'lines';
  readonly time: string;
  readonly values: readonly Column[];
}

export interface RankPanel extends PanelBase {
  readonly kind: 'rank';
  readonly label: string;
  readonly value: Column;
  readonly note?: (row: Row) => string;
  /** Places kept free, so that the panel does not grow and shrink with its rows. */
  readonly places: number;
}

export interface TablePanel extends PanelBase {
  readonly kind: 'table';
  readonly columns: readonly Column[];
  readonly places: number;
  /** What an empty table means. */
  readonly empty?: string;
}

/** Nobody designed it: what it looks like is decided by its rows. */
export interface GenericPanel extends PanelBase {
  readonly kind: 'generic';
}

export type PanelSpec = ChartPanel | RankPanel | TablePanel | GenericPanel;

export interface Headline {
  readonly topic: string;
  readonly label: string;
  readonly unit?: string;
  readonly format?: Format;
  /** Whether more is better; absent: neither. */
  readonly better?: 'more' | 'less';
  readonly read: (rows: readonly Row[]) => number | undefined;
}

export interface Section {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

/** A parameter that is chosen once for all topics that have it. */
export interface PageChoice {
  readonly param: string;
  readonly label: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
  readonly initial: string;
}

export interface Dashboard {
  readonly choices: readonly PageChoice[];
  readonly headlines: readonly Headline[];
  readonly sections: readonly Section[];
}

const column = (name: string) => (rows: readonly Row[]) => {
  const value = rows[0]?.[name];
  return typeof value === 'number' ? value : undefined;
};

/** Errors of the last whole minute: six buckets of ten seconds, without the one that is still filling. */
function errorsPerMinute(rows: readonly Row[]): number | undefined {
  if (rows.length < 7) return undefined;
  const minute = rows.slice(-7, -1);
  return minute.reduce((sum, row) => sum + Number(row.errors ?? 0) + Number(row.fatal ?? 0), 0);
}

const SEVERITY: Readonly<Record<string, Tone>> = { warning: 'warn', error: 'bad', fatal: 'bad' };
const ORDER: Readonly<Record<string, Tone>> = { placed: 'quiet', shipped: 'good', cancelled: 'bad' };
const DEPLOYMENT: Readonly<Record<string, Tone>> = { live: 'good', 'rolled back': 'bad', 'rolling out': 'warn' };
const PRIORITY: Readonly<Record<string, Tone>> = { urgent: 'bad', low: 'quiet' };

export const DASHBOARD: Dashboard = {
  choices: [
    {
      param: 'region',
      label: 'Region',
      options: [
        { value: 'all', label: 'All' },
        { value: 'EU', label: 'EU' },
        { value: 'US', label: 'US' },
        { value: 'APAC', label: 'APAC' },
      ],
      initial: 'all',
    },
    {
      param: 'minutes',
      label: 'Window',
      options: [
        { value: '5', label: '5 min' },
        { value: '15', label: '15 min' },
        { value: '30', label: '30 min' },
        { value: '60', label: '1 h' },
      ],
      initial: '15',
    },
  ],
  headlines: [
    {
      topic: 'sales.revenue_today',
      label: 'Revenue',
      unit: 'last 24 hours',
      format: 'money',
      better: 'more',
      read: column('revenue'),
    },
    {
      topic: 'sales.orders_per_minute',
      label: 'Orders',
      unit: 'per minute',
      better: 'more',
      read: column('orders_per_minute'),
    },
    { topic: 'web.visitors_now', label: 'Visitors', unit: 'last minute', better: 'more', read: column('visitors') },
    { topic: 'ops.error_rate', label: 'Errors', unit: 'last minute', better: 'less', read: errorsPerMinute },
  ],
  sections: [
    {
      title: 'Sales',
      panels: [
        {
          topic: 'sales.revenue_series',
          kind: 'chart',
          width: 8,
          mark: 'bars',
          time: 'at',
          values: [{ name: 'revenue', label: 'Revenue in 10 s', format: 'whole' }],
        },
        {
          topic: 'sales.by_region',
          kind: 'rank',
          width: 4,
          label: 'region',
          value: { name: 'revenue', format: 'money' },
          note: (row) =>
            `${Number(row.orders).toLocaleString('en')} orders, ${Number(row.average_order).toFixed(2)} each`,
          places: 3,
        },
        {
          topic: 'sales.latest_orders',
          kind: 'table',
          width: 7,
          columns: [
            { name: 'placed_at', label: 'Placed' },
            { name: 'id', label: 'Order', format: 'text', wideOnly: true },
            { name: 'customer', share: 1.6 },
            { name: 'region', wideOnly: true },
            { name: 'status', tones: ORDER },
            { name: 'total', format: 'money' },
          ],
          places: 12,
        },
        {
          topic: 'sales.top_products',
          kind: 'rank',
          width: 5,
          label: 'product',
          value: { name: 'revenue', format: 'money' },
          note: (row) => `${Number(row.sold).toLocaleString('en')} sold`,
          places: 8,
          controls: ['category'],
        },
      ],
    },
    {
      title: 'Website',
      panels: [
        {
          topic: 'web.traffic',
          kind: 'chart',
          width: 8,
          mark: 'area',
          time: 'at',
          values: [{ name: 'desktop' }, { name: 'mobile' }, { name: 'tablet' }],
        },
        {
          topic: 'web.top_pages',
          kind: 'rank',
          width: 4,
          label: 'path',
          value: { name: 'views' },
          places: 8,
          controls: ['device'],
        },
        {
          topic: 'web.slow_pages',
          kind: 'table',
          width: 12,
          columns: [
            { name: 'path', label: 'Page', share: 2 },
            { name: 'views', wideOnly: true },
            { name: 'median_ms', label: 'Median', format: 'milliseconds' },
            { name: 'p95_ms', label: '95 %', format: 'milliseconds', bar: true, share: 1.8 },
            { name: 'p99_ms', label: '99 %', format: 'milliseconds', wideOnly: true },
          ],
          places: 8,
        },
      ],
    },
    {
      title: 'Operations',
      panels: [
        {
          topic: 'ops.error_rate',
          kind: 'chart',
          width: 7,
          mark: 'bars',
          time: 'at',
          values: [
            { name: 'fatal', hue: 6 },
            { name: 'errors', hue: 2 },
            { name: 'warnings', hue: 5 },
          ],
        },
        {
          topic: 'ops.deployments',
          kind: 'table',
          width: 5,
          columns: [
            { name: 'started_at', label: 'Started' },
            { name: 'service' },
            { name: 'version', format: 'text', wideOnly: true },
            { name: 'status', tones: DEPLOYMENT, share: 1.1 },
          ],
          places: 8,
        },
        {
          topic: 'ops.latest_errors',
          kind: 'table',
          width: 7,
          columns: [
            { name: 'seen_at', label: 'Seen' },
            { name: 'severity', tones: SEVERITY },
            { name: 'service', wideOnly: true },
            { name: 'message', share: 3.2 },
          ],
          places: 10,
          controls: ['severity'],
          empty: 'No errors of this severity.',
        },
        {
          topic: 'ops.open_tickets',
          kind: 'table',
          width: 5,
          columns: [
            { name: 'opened_at', label: 'Open for', format: 'ago' },
            { name: 'priority', tones: PRIORITY },
            { name: 'subject', share: 2.4 },
          ],
          places: 10,
          controls: ['priority'],
          empty: 'Every ticket is closed.',
        },
      ],
    },
    {
      title: 'Stock',
      panels: [
        {
          topic: 'stock.low',
          kind: 'table',
          width: 8,
          columns: [
            { name: 'product', share: 1.6 },
            { name: 'warehouse' },
            { name: 'on_hand', label: 'On hand', bar: true, share: 1.4 },
            { name: 'reorder_at', label: 'Reorder at', wideOnly: true },
            { name: 'restocked_at', label: 'Restocked', format: 'ago', wideOnly: true },
          ],
          places: 12,
          controls: ['warehouse'],
          empty: 'Every product is well stocked.',
        },
        {
          topic: 'stock.by_warehouse',
          kind: 'rank',
          width: 4,
          label: 'warehouse',
          value: { name: 'units' },
          note: (row) => `${Number(row.running_low)} running low`,
          places: 3,
        },
      ],
    },
  ],
};
