// Topics in code have no statement that `pollcast types` could describe: they are declared by hand.
import 'pollcast/client';

declare module 'pollcast/client' {
  interface Topics {
    'orders.by_region': {
      params: { min_total?: number };
      row: { region: string; orders: number; revenue: number };
    };
  }
}
