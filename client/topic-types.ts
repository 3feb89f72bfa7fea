/** Types of topics by name, as `npx pollcast types` writes them for the topics of a folder. */
import type { Params, Row } from './wire.js';

/**
 * Empty here; a file of `pollcast types` fills it in:
 *
 *     declare module 'pollcast/client' {
 *       interface Topics {
 *         'sales.by_region': { params: { region?: 'all' | 'EU' | 'US' }; row: { region: string | null } };
 *       }
 *     }
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- made to be added to
export interface Topics {}

export type TopicName = Extract<keyof Topics, string>;

/** What one topic takes and gives. */
export interface TopicType {
  readonly params: object;
  readonly row: object;
}

type TypeOf<N extends TopicName> = Topics[N] extends TopicType ? Topics[N] : { params: Params; row: Row };

export type ParamsOf<N extends TopicName> = TypeOf<N>['params'];
export type RowOf<N extends TopicName> = TypeOf<N>['row'] & Row;

/** Parameters may be left out only where none must be given. */
export type TopicArgs<N extends TopicName, Options> =
  Record<never, never> extends ParamsOf<N>
    ? [params?: ParamsOf<N>, options?: Options]
    : [params: ParamsOf<N>, options?: Options];

/** A name that is known only when the program runs; one with a type of its own takes the typed way. */
export type AnyTopic<N extends string> = N extends TopicName ? never : N;
