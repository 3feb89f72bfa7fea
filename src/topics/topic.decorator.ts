import 'reflect-metadata';
import type { CodeTopicOptions } from './code-topic.js';

export const TOPIC = Symbol('pollcast topic');

export interface DeclaredTopic {
  readonly name: string;
  readonly options: CodeTopicOptions;
}

/**
 * Makes a provider's method a topic: it returns rows, and is called as often as the topic's interval says, once for the whole
 * cluster, while somebody watches.
 *
 *     @Topic('ops.weather', { interval: '10s', params: { city: { type: 'text', default: 'Graz' } }, key: ['city'] })
 *     weather({ city }: { city: string }, { signal }: ReadCall): Promise<Row[]>
 *
 * All nodes of a cluster must have it: any of them may be the one that calls it.
 */
export function Topic(name: string, options: CodeTopicOptions = {}) {
  return (_prototype: object, _method: string | symbol, descriptor: PropertyDescriptor): void => {
    const declared: DeclaredTopic = { name, options };
    Reflect.defineMetadata(TOPIC, declared, descriptor.value as object);
  };
}
