import { MemoryFrames } from '../../../src/polling/frames/memory.js';
import { framesSuite } from './frames.suite.js';

framesSuite('memory', () => {
  const frames = new MemoryFrames();
  return Promise.resolve({
    store: () => Promise.resolve(frames),
    wipe: () => {
      frames.wipe();
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  });
});
