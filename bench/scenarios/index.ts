import type { Scenario } from '../support/bench.js';
import { exporting } from './export.js';
import { failover } from './failover.js';
import { fanout } from './fanout.js';
import { flat } from './flat.js';
import { memory } from './memory.js';
import { names } from './names.js';
import { quiet } from './quiet.js';
import { recordings } from './recordings.js';
import { rooms } from './rooms.js';
import { rows } from './rows.js';
import { slow } from './slow.js';
import { storm } from './storm.js';
import { variants } from './variants.js';
import { viewers } from './viewers.js';

export const scenarios: readonly Scenario[] = [
  fanout,
  variants,
  quiet,
  viewers,
  flat,
  failover,
  storm,
  names,
  memory,
  rows,
  slow,
  exporting,
  rooms,
  recordings,
];
