import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { AccessService } from '../../access/access.service.js';

/** Lets administrators through: see `AdminPolicy` for who that is. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(AccessService) private readonly access: AccessService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.access.assertAdmin(context.switchToHttp().getRequest<IncomingMessage>());
    return true;
  }
}
