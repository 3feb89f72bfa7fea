import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Scope, type INestApplication } from '@nestjs/common';
import { silent } from '../../src/kernel/log.js';
import {
  Kernel,
  PollcastError,
  PollcastModule,
  ProcessKind,
  type ProcessContext,
  type Running,
} from '../../src/nest/index.js';
import { eventually } from '../support/eventually.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { createHost } from './host-app.js';

/** As in any other provider, what a process needs is injected. */
@Injectable()
class Steps {
  readonly size = 10;
}

@Injectable()
@ProcessKind()
class Counter implements ProcessKind<{ start: number }, { add: number }, string, number> {
  readonly kind = 'counter';
  readonly restart = 'transient';

  constructor(@Inject(Steps) private readonly steps: Steps) {}

  start(args: { start: number }, context: ProcessContext<number>): Running<{ add: number }, string> {
    let count = context.saved ?? args.start;
    return {
      handle: async ({ add }) => {
        if (!Number.isInteger(add)) throw new PollcastError('BAD_REQUEST', 'expected { add: a whole number }');
        await context.save(count + add * this.steps.size);
        count += add * this.steps.size;
        return `${count} on ${context.node.split('~')[0]}`;
      },
    };
  }
}

let redis: TestRedis;
const apps: INestApplication[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});
afterAll(() => redis?.stop());

async function node(nodeName: string): Promise<Kernel> {
  const hub = PollcastModule.forRoot({ auth: 'none', logger: silent, nodeName, redisUrl: redis.url });
  const app = await createHost({ imports: [hub], providers: [Steps, Counter] });
  apps.push(app);
  await app.init();
  return app.get(Kernel);
}

describe('@ProcessKind() on a provider of an application', () => {
  it('teaches every node the kind: it runs once, is reached from all, and goes on elsewhere when its node leaves', async () => {
    const kernels = [await node('a'), await node('b')];
    await eventually(() => kernels.every((kernel) => kernel.nodes().length === 2), {
      what: 'both nodes to know each other',
    });
    const [a, b] = kernels as [Kernel, Kernel];
    const spec = { name: 'counter:visits', kind: 'counter', args: { start: 5 } };
    await a.ensure(spec);
    await b.ensure(spec);
    expect(await a.call('counter:visits', { add: 1 })).toBe('15 on a');
    expect(await b.call('counter:visits', { add: 1 })).toBe('25 on a');
    const owned = (kernel: Kernel) => kernel.owned().filter(({ name }) => name === 'counter:visits').length;
    expect(kernels.map(owned)).toEqual([1, 0]);
    await expect(b.call('counter:visits', { add: 0.5 })).rejects.toMatchObject({ code: 'BAD_REQUEST' });

    await apps.shift()!.close();
    expect(await b.call('counter:visits', { add: 1 })).toBe('35 on b');
    expect(owned(b)).toBe(1);
  });

  it('of request scope is refused, since there would be no instance to start processes with', async () => {
    @Injectable({ scope: Scope.REQUEST })
    @ProcessKind()
    class Scoped extends Counter {}
    const hub = PollcastModule.forRoot({ auth: 'none', logger: silent });
    const app = await createHost({ imports: [hub], providers: [Steps, Scoped] });
    apps.push(app);
    await expect(app.init()).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('Scoped: expected a provider that lives as long as the application'),
    });
  });
});
