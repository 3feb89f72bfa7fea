import { Injectable } from '@nestjs/common';
import { ProcessKind, type ProcessContext, type Running } from 'pollcast/nest';

/**
 * Invoice numbers without gaps and without doubles, however many nodes the shop has: whoever needs one asks the one process
 * that has them. When its node dies, another node goes on from the last number that was saved.
 */
@Injectable()
@ProcessKind()
export class InvoiceNumbers implements ProcessKind<{ first: number }, object, number, number> {
  readonly kind = 'invoice-numbers';
  readonly restart = 'permanent';

  start(args: { first: number }, context: ProcessContext<number>): Running<object, number> {
    let next = context.saved ?? args.first;
    return {
      async handle() {
        // Saved before it is told: a number that somebody has is never given again.
        await context.save(next + 1);
        return next++;
      },
    };
  }
}
