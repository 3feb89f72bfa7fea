/** What every module of a node may ask for. */
export const CONFIG = Symbol('config');
export const LOG = Symbol('log');
export const VERSION = Symbol('version');
/** Whether the hub's own pages are served. */
export const PAGES = Symbol('pages');
/** `ClusterPorts`: in memory or in Redis. */
export const CLUSTER_PORTS = Symbol('cluster ports');
/** What the node does while it is cut off from its cluster, or `undefined` when it waits. */
export const EMERGENCY = Symbol('emergency');
/** `FrameStore`, beside the cluster's ports. */
export const FRAMES = Symbol('frames');
/** `Database`: where the topics' queries go. */
export const DATABASE = Symbol('database');
/** `Source`: what asks it. */
export const SOURCE = Symbol('source');
/** `Storage`: files of all features. */
export const STORAGE = Symbol('storage');
/** `Tracing`, or `null`: nobody wants traces. */
export const TRACING = Symbol('tracing');
