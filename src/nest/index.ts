/** `pollcast/nest`: a hub within an existing Nest application. */
export { ProcessKind } from '../cluster/process-kind.decorator.js';
export { ERROR_CODES, HTTP_STATUS, PollcastError, type ErrorCode, type WireError } from '../errors.js';
export { Kernel } from '../kernel/kernel.js';
export { Later, type ProcessContext, type Running, type StopReason } from '../kernel/kind.js';
export {
  Done,
  done,
  RowWorker,
  type Changes,
  type Row,
  type RowSteps,
  type RowWorkerOptions,
  type StepCall,
  type StepResult,
} from '../rows/row-worker.decorator.js';
export type { CodeParam, CodeTopicOptions } from '../topics/code-topic.js';
export { Topic } from '../topics/topic.decorator.js';
export type { ParamType, ParamValue, ReadCall } from '../topics/topic.js';
export type { PollcastOptions } from './options.js';
export {
  PollcastModule,
  type PollcastModuleAsyncOptions,
  type PollcastModuleOptions,
  type PollcastPlacement,
} from './pollcast.module.js';
export { usePollcast, type UsePollcastOptions } from './use-pollcast.js';
