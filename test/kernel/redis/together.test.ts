import { describe, expect, it } from '@jest/globals';
import { Together } from '../../../src/kernel/redis/together.js';

describe('questions of one turn', () => {
  it('are asked together, a few at a time, and each has its own answer', async () => {
    const asked: number[][] = [];
    const together = new Together<number, string>((questions) => {
      asked.push([...questions]);
      return Promise.resolve(questions.map((question) => `to ${question}`));
    }, 3);
    const answers = await Promise.all([1, 2, 3, 4].map((question) => together.ask(question)));
    expect(answers).toEqual(['to 1', 'to 2', 'to 3', 'to 4']);
    expect(await together.ask(5)).toBe('to 5');
    expect(asked).toEqual([[1, 2, 3], [4], [5]]);
  });

  it('fail together, and only those that were asked together', async () => {
    const together = new Together<number, number>(
      (questions) => (questions.includes(1) ? Promise.reject(new Error('no answer')) : Promise.resolve(questions)),
      2,
    );
    const ended = await Promise.allSettled([1, 2, 3].map((question) => together.ask(question)));
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  });

  it('are not answered with what belongs to another one when an answer is missing', async () => {
    const together = new Together<number, number>(() => Promise.resolve([1]), 10);
    const ended = await Promise.allSettled([1, 2].map((question) => together.ask(question)));
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});
