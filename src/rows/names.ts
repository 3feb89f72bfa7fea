/** Rows are dealt out to this many named processes by the hash of their keys. Fixed: it decides who owns which row. */
export const SLICES = 16;

/** The one process in the cluster that looks for rows of a worker; also its kind, for only nodes that have the class can run it. */
export const monitorName = (worker: string): string => `rows:${worker}`;

export const sliceKindName = (worker: string): string => `rows:${worker}#`;

export const sliceName = (worker: string, slice: number): string => `${sliceKindName(worker)}${slice}`;
