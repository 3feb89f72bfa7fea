import { Global, Inject, Injectable, Module } from '@nestjs/common';
import { DiscoveryModule as NestDiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core';
import { PollcastError } from '../errors.js';

export interface DecoratedMethod<T> {
  readonly instance: Record<string, (...args: never[]) => unknown>;
  readonly method: string;
  /** `Class.method`, for people. */
  readonly where: string;
  readonly given: T;
}

export interface DecoratedProvider<T> {
  readonly instance: object;
  readonly where: string;
  readonly given: T;
}

/** Finds what decorators say about the application's providers and controllers, wherever in its modules they are. */
@Injectable()
export class Decorated {
  constructor(
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(MetadataScanner) private readonly scanner: MetadataScanner,
  ) {}

  /**
   * Methods with metadata under `key`, one of each provider however often it is exported.
   *
   * @throws PollcastError for one of a request-scoped provider: there would be no instance to call
   */
  methods<T>(key: symbol): DecoratedMethod<T>[] {
    const found: DecoratedMethod<T>[] = [];
    for (const { instance, prototype, name } of this.#all()) {
      for (const method of this.scanner.getAllMethodNames(prototype)) {
        const given = Reflect.getMetadata(key, (prototype as Record<string, object>)[method]!) as T | undefined;
        if (given === undefined) continue;
        const where = `${name}.${method}`;
        if (instance === undefined) throw scoped(where);
        found.push({ instance: instance as DecoratedMethod<T>['instance'], method, where, given });
      }
    }
    return found;
  }

  /** Providers whose class has metadata under `key`. */
  providers<T>(key: symbol): DecoratedProvider<T>[] {
    const found: DecoratedProvider<T>[] = [];
    for (const { instance, prototype, name } of this.#all()) {
      const given = Reflect.getOwnMetadata(key, prototype.constructor) as T | undefined;
      if (given === undefined) continue;
      if (instance === undefined) throw scoped(name);
      found.push({ instance, where: name, given });
    }
    return found;
  }

  *#all(): Iterable<{ instance: object | undefined; prototype: object; name: string }> {
    const seen = new Set<object>();
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const isStatic = wrapper.isDependencyTreeStatic() && !wrapper.isTransient;
      const instance: unknown = isStatic ? wrapper.instance : undefined;
      const prototype: unknown = isObject(instance)
        ? Object.getPrototypeOf(instance)
        : typeof wrapper.metatype === 'function' && wrapper.metatype.prototype;
      if (!isObject(prototype) || prototype === Object.prototype) continue;
      const once = isObject(instance) ? instance : prototype;
      if (seen.has(once)) continue;
      seen.add(once);
      yield { instance: isObject(instance) ? instance : undefined, prototype, name: prototype.constructor.name };
    }
  }
}

function scoped(where: string): PollcastError {
  return new PollcastError(
    'BAD_REQUEST',
    `${where}: expected a provider that lives as long as the application, got one of request or transient scope`,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

@Global()
@Module({ imports: [NestDiscoveryModule], providers: [Decorated], exports: [Decorated] })
export class DiscoveryModule {}
