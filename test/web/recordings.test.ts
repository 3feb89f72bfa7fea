import { describe, expect, it } from '@jest/globals';
import { isOf, namesIn, readTimeline, tellLine, titleOf } from '../../web/src/recordings/words.js';

const at = { at: 1, time: 2 };

describe('a recording', () => {
  it('is called as its page is', () => {
    expect(titleOf({ title: '/' })).toBe('Dashboard');
    expect(titleOf({ title: '/?region=EU&minutes=30' })).toBe('Dashboard · EU · 30');
    expect(titleOf({ title: '/rooms/incident-7' })).toBe('Room incident-7');
    expect(titleOf({ title: '/console' })).toBe('/console');
    expect(titleOf({ title: 'sales.by_region?region=EU' })).toBe('sales.by_region?region=EU');
  });

  it('belongs to the page that it is of, whatever was chosen there', () => {
    expect(isOf({ title: '/?region=EU' }, '/')).toBe(true);
    expect(isOf({ title: '/rooms/a' }, '/rooms/b')).toBe(false);
    expect(isOf({ title: 'http://elsewhere/' }, '/')).toBe(false);
  });
});

describe('a line of the timeline', () => {
  it('says what came of which channel, and for what', () => {
    const channel = 'sales.latest?category=&limit=8';
    expect(tellLine({ ...at, type: 'frame', channel, count: 1 })).toEqual({
      title: 'sales.latest',
      detail: '1 row · limit 8',
    });
    expect(tellLine({ ...at, type: 'frame', channel: 'a', changed: 2, removed: 0 }).detail).toBe('2 changed, 0 gone');
    expect(tellLine({ ...at, type: 'status', channel: 'a', state: 'stale' })).toEqual({
      title: 'a',
      detail: 'is stale',
    });
    expect(tellLine({ ...at, type: 'presence', channel: 'a', count: 3 }).detail).toBe('3 watch');
  });

  it('says what is missing, and why', () => {
    expect(tellLine({ ...at, type: 'gap', seconds: 1.26, reason: 'browser-crash' })).toEqual({
      title: 'Interrupted',
      detail: '1.3 s are missing: the browser crashed',
    });
    expect(tellLine({ ...at, type: 'gap', seconds: 0.01, reason: 'handover' })).toEqual({
      title: 'Goes on without a gap',
      detail: 'another node took it on',
    });
  });

  it('says who did what in a room, by the names that they had', () => {
    const text = [
      { ...at, type: 'room', room: 'r', members: [{ user: 'u1', name: 'Ada', since: 1 }] },
      { ...at, type: 'room', room: 'r', by: 'u1', status: 'Looking into it' },
    ];
    const lines = readTimeline(text.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const names = namesIn(lines);
    expect(lines.map((line) => tellLine(line, names))).toEqual([
      { title: 'Room r', detail: 'here: Ada' },
      { title: 'Room r', detail: 'Ada set the status to “Looking into it”' },
    ]);
  });
});
