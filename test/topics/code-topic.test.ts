import { describe, expect, test } from '@jest/globals';
import { codeTopic, type CodeTopicOptions } from '../../src/topics/code-topic.js';
import { channelOf } from '../../src/topics/channel.js';

const none = () => [];

describe('a topic in code', () => {
  test('has the defaults of a topic file', () => {
    expect(codeTopic('ops.clock', {}, none, 'Clock.now')).toMatchObject({
      name: 'ops.clock',
      title: 'ops.clock',
      file: 'Clock.now',
      intervalMs: 1_000,
      timeoutMs: 5_000,
      maxRows: 5_000,
      partitions: 1,
      retainMs: 0,
      presence: false,
      key: [],
      roles: [],
      params: [],
    });
  });

  test('says the same as the header of a file would', () => {
    const topic = codeTopic(
      'ops.weather',
      {
        title: "What it's like: */ outside",
        interval: '250ms',
        params: {
          cities: { type: 'text[]', default: ['Graz'] },
          days: { type: 'int', default: 3, min: 1, max: 10 },
          tenant: { type: 'int', claim: 'tenant_id' },
        },
        key: ['city'],
        roles: ['analyst'],
        timeout: '2s',
        maxRows: 10,
        partitions: 4,
        retain: '5m',
        presence: true,
      },
      none,
    );
    expect(topic).toMatchObject({
      title: "What it's like: */ outside",
      intervalMs: 250,
      key: ['city'],
      roles: ['analyst'],
      timeoutMs: 2_000,
      maxRows: 10,
      partitions: 4,
      retainMs: 300_000,
      presence: true,
    });
    expect(channelOf(topic, { days: 2 }, { tenant_id: 7 }).key).toBe('ops.weather?cities=Graz&days=2&tenant=7');
    expect(() => channelOf(topic, { days: 99 }, { tenant_id: 7 })).toThrow('`days`: expected int');
  });

  test('is another version when its options change', () => {
    const version = (options: CodeTopicOptions): string => codeTopic('t', options, none).version;
    expect(version({ interval: '1s' })).toBe(version({ interval: '1s' }));
    expect(version({ interval: '1s' })).not.toBe(version({ interval: '2s' }));
  });

  test('is refused with all that is wrong, and where it stands', () => {
    const options = { interval: '1 s', titel: 'x', max_rows: 3, params: { n: { type: 'integer' } } };
    const define = (): unknown => codeTopic('Ops Clock', options as unknown as CodeTopicOptions, none, 'Clock.now');
    expect(define).toThrow('The topic Ops Clock (Clock.now) is not right:');
    for (const part of [
      'a–z',
      'interval: expected',
      'did you mean',
      'expected maxRows in code',
      'got integer: did you mean `int`?',
    ]) {
      expect(define).toThrow(part);
    }
    expect(() => codeTopic('t', { changed: 'SELECT 1' } as CodeTopicOptions, none)).toThrow('.sql files only');
  });
});
