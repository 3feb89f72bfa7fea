import type { Pool } from 'pg';

import type { Topic } from '../../topics/topic.js';
import { sqlstateOf } from './faults.js';
import { changedForms, selectForms, type Form, type Forms } from './forms.js';
import { runPipeline, type Outcome, type Step } from './pipeline.js';
import type { Diagnosis } from './sweep.js';
import { bindMany, bindOne, type Item } from './values.js';

export type Multiplexing =
  | { readonly multiplexed: true }
  /** `reason`, often Postgres's own sentence, is for whoever writes the topic, not for viewers. */
  | { readonly multiplexed: false; readonly reason: string };

/** Anything that plans statements in a transaction that is rolled back. */
export type Planner = (step: Step) => Promise<Pick<Outcome, 'error'>>;

/**
 * Whether the topic's channels can share a statement. What cannot is asked with one query per channel: right, but dearer.
 *
 * Parameters become columns of an enclosing query there, which changes the meaning of two things only, and Postgres
 * refuses both: an aggregate (or `GROUPING`) of nothing but parameters would aggregate over the batch, and a FULL JOIN on
 * nothing but parameters cannot be planned before they are known. A third Postgres plans and then gets wrong: see
 * `sharingHazard`.
 *
 * Rejects with pg's error when the database does not answer.
 */
export async function canMultiplex(topic: Topic, pool: Pool): Promise<Multiplexing> {
  const alone = topic.select.alone ?? topic.changed?.alone;
  if (alone !== undefined) return { multiplexed: false, reason: alone };
  const client = await pool.connect();
  let failed = false;
  const plan: Planner = async (step) => {
    const { error } = await runPipeline(client, [BEGIN, step, ROLLBACK]);
    if (error !== undefined) await runPipeline(client, [ROLLBACK]);
    failed ||= error !== undefined;
    return error === undefined ? {} : { error };
  };
  try {
    for (const forms of [selectForms(topic, { maxRows: topic.maxRows, maxBytes: 1 }), changedForms(topic)]) {
      if (forms === undefined) continue;
      const many = await plan(explain(forms, 'many'));
      if (many.error === undefined) continue;
      if (sqlstateOf(many.error) === undefined) throw many.error;
      const one = await plan(explain(forms, 'one'));
      // A statement that is wrong in itself is for the other checks to tell.
      if (one.error === undefined) return { multiplexed: false, reason: many.error.message };
    }
    return { multiplexed: true };
  } finally {
    client.release(failed);
  }
}

/** Which of the forms Postgres can plan; `unknown` when it does not answer. */
export async function diagnose(forms: Forms, plan: Planner): Promise<Diagnosis> {
  const many = await plan(explain(forms, 'many'));
  if (many.error === undefined) return 'both';
  const one = await plan(explain(forms, 'one'));
  if (sqlstateOf(many.error) === undefined) return 'unknown';
  if (one.error === undefined) return 'one only';
  return sqlstateOf(one.error) === undefined ? 'unknown' : 'neither';
}

const NOBODY: Item = { values: {}, seen: null };
const BEGIN: Step = { text: 'BEGIN READ ONLY', values: [] };
const ROLLBACK: Step = { text: 'ROLLBACK', values: [] };

/** Plans the form for a channel whose parameters are all null. */
function explain(forms: Forms, name: 'many' | 'one'): Step {
  const form: Form = forms[name];
  const values = name === 'many' ? bindMany(forms.params, [NOBODY]) : bindOne(forms.params, NOBODY);
  return { text: `EXPLAIN ${form.text}`, values };
}
