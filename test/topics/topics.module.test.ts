import 'reflect-metadata';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Global, Injectable, Module, Scope, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { DiscoveryModule } from '../../src/discovery/discovery.module.js';
import { silent } from '../../src/kernel/log.js';
import { CONFIG, LOG } from '../../src/node.tokens.js';
import { TopicCatalogue } from '../../src/topics/catalogue.js';
import { Topic } from '../../src/topics/topic.decorator.js';
import { TopicsModule } from '../../src/topics/topics.module.js';

let dir: string;
let module: TestingModule | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pollcast-topics-module-'));
});
afterEach(async () => {
  await module?.close();
  await module?.get(TopicCatalogue).close();
  module = undefined;
  await rm(dir, { recursive: true, force: true });
});

class Base {
  readonly #greeting = 'hello';

  @Topic('greetings.one', { params: { name: { type: 'text', default: 'you' } } })
  greet({ name }: { name: string }) {
    return [{ text: `${this.#greeting} ${name}` }];
  }

  notATopic(): string {
    return 'x';
  }
}

@Injectable()
class Greetings extends Base {
  @Topic('greetings.two')
  async two() {
    return Promise.resolve([{ n: 2 }]);
  }
}

async function started(...providers: Provider[]): Promise<TopicCatalogue> {
  @Global()
  @Module({
    providers: [
      { provide: CONFIG, useFactory: () => ({ topicsDir: dir }) },
      { provide: LOG, useValue: silent },
    ],
    exports: [CONFIG, LOG],
  })
  class Shared {}
  @Module({ providers, exports: providers.filter((one) => typeof one === 'function') })
  class Feature {}
  const testing = await Test.createTestingModule({
    imports: [Shared, DiscoveryModule, TopicsModule, Feature],
  }).compile();
  module = testing;
  await testing.init();
  return testing.get(TopicCatalogue);
}

describe('@Topic()', () => {
  test('makes methods of providers topics, inherited ones too, called on their instance', async () => {
    const catalogue = await started(Greetings);
    expect(catalogue.list().map(({ name, file }) => [name, file])).toEqual([
      ['greetings.one', 'Greetings.greet'],
      ['greetings.two', 'Greetings.two'],
    ]);
    const { signal } = new AbortController();
    expect(await catalogue.get('greetings.one').read?.({ name: 'me' }, { signal })).toEqual([{ text: 'hello me' }]);
  });

  test('on a provider under two tokens is one topic', async () => {
    const catalogue = await started(Greetings, { provide: 'alias', useExisting: Greetings });
    expect(catalogue.list()).toHaveLength(2);
  });

  test('refuses a provider that has no instance to call', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @Topic('never')
      rows(): object[] {
        return [];
      }
    }
    await expect(started(PerRequest)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      message: expect.stringContaining('PerRequest.rows: expected a provider that lives as long as the application'),
    });
  });

  test('refuses two topics of one name', async () => {
    @Injectable()
    class Other {
      @Topic('greetings.two')
      rows(): object[] {
        return [];
      }
    }
    await expect(started(Greetings, Other)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'two topics in code are named greetings.two: Greetings.two and Other.rows',
    });
  });
});
