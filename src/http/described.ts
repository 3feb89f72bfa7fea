import 'reflect-metadata';
import type { z } from 'zod';
import type { ErrorCode } from '../errors.js';

const DESCRIPTION = 'pollcast:route';

/** What a caller must know of a route, beside its method and path. */
export interface RouteDescription {
  /** One line. */
  readonly summary: string;
  readonly details?: string;
  /** What stands in the path after a colon: what each is. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** What is answered, as JSON in this shape, or as another content type. Absent: nothing. */
  readonly answer?: z.ZodType | { readonly contentType: string; readonly description?: string };
  /** Default 200. */
  readonly status?: number;
  /** Answers that are no error of the catalogue and have no body: `304`, `206`. */
  readonly others?: Readonly<Record<number, string>>;
  readonly errors?: readonly ErrorCode[];
  /** Needs `ADMIN_TOKEN` or the role. */
  readonly admin?: boolean;
}

/** Describes a controller's method for `/api`, where it stands: the document cannot forget what the code does. */
export function Described(description: RouteDescription): MethodDecorator {
  return (_target, _name, descriptor) => {
    Reflect.defineMetadata(DESCRIPTION, description, descriptor.value as object);
  };
}

export function descriptionOf(method: object): RouteDescription | undefined {
  return Reflect.getMetadata(DESCRIPTION, method) as RouteDescription | undefined;
}
