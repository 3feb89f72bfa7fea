import { describe, expect, it } from '@jest/globals';
import { Events } from '../../src/kernel/events.js';
import { silent } from '../../src/kernel/log.js';
import { Metrics } from '../../src/ops/metrics.js';

async function lines(metrics: Metrics, name: string): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(name));
}

describe('metrics', () => {
  it('count polls by outcome, and what is published', async () => {
    const metrics = new Metrics();
    metrics.polled('sales', 'unchanged', 3);
    metrics.polled('sales', 'rows', 1);
    metrics.polled('sales', 'unchanged', 2);
    metrics.published('sales', 1, 2_000);
    expect(await lines(metrics, 'pollcast_polls_total')).toEqual([
      'pollcast_polls_total{topic="sales",outcome="unchanged"} 5',
      'pollcast_polls_total{topic="sales",outcome="rows"} 1',
    ]);
    expect(await lines(metrics, 'pollcast_published_bytes_total')).toEqual([
      'pollcast_published_bytes_total{topic="sales"} 2000',
    ]);
  });

  it('time the phases of a poll, and count its rows', async () => {
    const metrics = new Metrics();
    metrics.phase('sales', 'ask', 0.02);
    metrics.phase('sales', 'publish', 0.002);
    metrics.rows('sales', 12);
    expect(await lines(metrics, 'pollcast_poll_phase_seconds_sum')).toEqual([
      'pollcast_poll_phase_seconds_sum{topic="sales",phase="ask"} 0.02',
      'pollcast_poll_phase_seconds_sum{topic="sales",phase="publish"} 0.002',
    ]);
    expect(await lines(metrics, 'pollcast_rows_published_total')).toEqual([
      'pollcast_rows_published_total{topic="sales"} 12',
    ]);
  });

  it('count the steps of rows, their groups and their lateness, by worker', async () => {
    const last = new Metrics();
    const { rowWorkers } = last;
    rowWorkers.step('countdown', 'written');
    rowWorkers.step('countdown', 'written');
    rowWorkers.step('auctions', 'crashed');
    rowWorkers.group('countdown', 2, 0.004);
    rowWorkers.late('countdown', 0.012);
    rowWorkers.running('countdown', () => 7);
    expect(await lines(last, 'pollcast_row_steps_total')).toEqual([
      'pollcast_row_steps_total{worker="countdown",outcome="written"} 2',
      'pollcast_row_steps_total{worker="auctions",outcome="crashed"} 1',
    ]);
    expect(await lines(last, 'pollcast_rows_written_total')).toEqual([
      'pollcast_rows_written_total{worker="countdown"} 2',
    ]);
    expect(await lines(last, 'pollcast_row_group_seconds_sum')).toEqual([
      'pollcast_row_group_seconds_sum{worker="countdown"} 0.004',
    ]);
    expect(await lines(last, 'pollcast_row_lateness_seconds_sum')).toEqual([
      'pollcast_row_lateness_seconds_sum{worker="countdown"} 0.012',
    ]);
    expect(await lines(last, 'pollcast_rows_running')).toEqual(['pollcast_rows_running{worker="countdown"} 7']);
  });

  it('count what happens in a kernel', async () => {
    const metrics = new Metrics();
    const events = new Events(silent);
    metrics.follow(events);
    events.emit('process:started', { name: 'poller:x', kind: 'poller', fence: 1, how: 'takeover' });
    events.emit('lease:lost', { name: 'poller:x', certain: true });
    expect(await lines(metrics, 'pollcast_processes_started_total')).toEqual([
      'pollcast_processes_started_total{kind="poller",how="takeover"} 1',
    ]);
    expect(await lines(metrics, 'pollcast_leases_lost_total')).toEqual([
      'pollcast_leases_lost_total{certain="true"} 1',
    ]);
  });

  it('show at each scrape what the node says then', async () => {
    const metrics = new Metrics();
    let viewers = 1;
    metrics.show({
      processes: () => 2,
      viewers: () => viewers,
      channels: () => 3,
      linked: () => false,
      leaseLeftMs: () => 3_300,
      mailboxDepth: () => 4,
    });
    expect(await lines(metrics, 'pollcast_lease_left_seconds ')).toEqual(['pollcast_lease_left_seconds 3.3']);
    expect(await lines(metrics, 'pollcast_mailbox_depth ')).toEqual(['pollcast_mailbox_depth 4']);
    expect(await lines(metrics, 'pollcast_viewers ')).toEqual(['pollcast_viewers 1']);
    viewers = 5;
    expect(await lines(metrics, 'pollcast_viewers ')).toEqual(['pollcast_viewers 5']);
    expect(await lines(metrics, 'pollcast_cluster_link ')).toEqual(['pollcast_cluster_link 0']);
  });

  it('of two nodes in one process are apart', async () => {
    const [one, other] = [new Metrics(), new Metrics()];
    one.slowViewerCut();
    expect(await lines(one, 'pollcast_slow_viewers_cut_total')).toEqual(['pollcast_slow_viewers_cut_total 1']);
    expect(await lines(other, 'pollcast_slow_viewers_cut_total')).toEqual(['pollcast_slow_viewers_cut_total 0']);
  });
});
