import { applyDecorators, Controller, UseFilters } from '@nestjs/common';
import { ErrorFilter } from './error.filter.js';

const API = Symbol('pollcast api');

/**
 * A controller of the hub's own: its errors, whatever they are, are answered as the contract says. Nobody else's are touched,
 * for the hub may live in an application that has filters of its own.
 */
export function ApiController(path = ''): ClassDecorator {
  return applyDecorators(Controller(path), UseFilters(ErrorFilter), (target: object) =>
    Reflect.defineMetadata(API, true, target),
  );
}

export function isApiController(target: object): boolean {
  return Reflect.hasOwnMetadata(API, target);
}
