/** This package's version, put in by the build. */
declare const __POLLCAST_VERSION__: string;
