import { WebSocketGateway } from '@nestjs/websockets';

/**
 * Stands for the path of the hub's Socket.IO server, which is known only when an application starts: `ClusterIoAdapter`
 * puts it in. By it the hub's gateways are told from those of an application that it lives in.
 */
export const HUB_PATH = 'pollcast:hub';

/** A gateway of the hub: all of them share one server. */
export function HubGateway(): ClassDecorator {
  return WebSocketGateway({ path: HUB_PATH });
}
