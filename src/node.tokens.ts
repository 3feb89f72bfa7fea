/** What every module of a node may ask for. */
export const CONFIG = Symbol('config');
export const LOG = Symbol('log');
export const VERSION = Symbol('version');
/** `ClusterPorts`: in memory or in Redis. */
export const CLUSTER_PORTS = Symbol('cluster ports');
/** `FrameStore`, beside them. */
/** What the node does while it is cut off from its cluster, or `undefined` when it waits. */
export const EMERGENCY = Symbol('emergency');
export const FRAMES = Symbol('frames');
/** `Database`: where the topics' queries go. */
export const DATABASE = Symbol('database');
/** `Source`: what asks it. */
export const SOURCE = Symbol('source');
/** `Storage`: files of all features. */
export const STORAGE = Symbol('storage');
/** `Tracing`, or `null`: nobody wants traces. */
export const TRACING = Symbol('tracing');
