/** How a chart is drawn, for uPlot. */
import uPlot from 'uplot';
import type { Hue } from '../dashboard.js';
import { formatNumber, formatTick } from '../format.js';
import { roundUp } from '../series.js';
import type { ChartColours } from './chart-theme.js';

export type Mark = 'bars' | 'area' | 'lines';

export interface ChartLook {
  readonly mark: Mark;
  /** Of each column, in their order. */
  readonly hues: readonly Hue[];
  readonly colours: ChartColours;
  readonly width: number;
  readonly height: number;
  readonly onPoint: (index: number | null) => void;
}

const AXIS_WIDTH = 46;
const TICK_SPACE = 84;
const BAR_FILLS = 0.78;
const BAR_MOST_PX = 18;

export function chartOptions(look: ChartLook): uPlot.Options {
  const { colours, mark, width, height } = look;
  const axis = { stroke: colours.text, font: colours.font, ticks: { show: false } };
  return {
    width,
    height,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      // All charts of the page show the same moment.
      sync: { key: 'pollcast', scales: ['x', null] },
      points: { show: mark !== 'bars', size: 7 },
    },
    scales: {
      x: { time: true, auto: false },
      y: { range: (_chart, low, high) => [Math.min(0, low ?? 0), roundUp(high ?? 1)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: TICK_SPACE,
        values: (_chart, splits, _axis, _space, step) => splits.map((seconds) => formatTick(seconds, step)),
      },
      {
        ...axis,
        grid: { stroke: colours.grid, width: 1 },
        size: AXIS_WIDTH,
        space: 44,
        gap: 8,
        values: (_chart, splits) => splits.map((value) => formatNumber(value, 'compact')),
      },
    ],
    series: [{}, ...seriesOptions(look)],
    hooks: { setCursor: [(chart) => look.onPoint(chart.cursor.idx ?? null)] },
  };
}

/**
 * Sums are drawn highest first, each painted over by the one below it: so fills must not let through what is behind them.
 */
function seriesOptions({ mark, hues, colours }: ChartLook): uPlot.Series[] {
  return (mark === 'lines' ? hues : hues.toReversed()).map((hue): uPlot.Series => {
    const line = colours.lines[hue - 1] as string;
    const fill = colours.fills[hue - 1] as string;
    const base = { stroke: line, width: 1.75, points: { show: false } };
    if (mark === 'lines') return base;
    if (mark === 'area') return { ...base, width: 1.5, fill };
    return {
      ...base,
      width: 0,
      fill: line,
      paths: uPlot.paths.bars?.({ size: [BAR_FILLS, BAR_MOST_PX, 1], align: 1, radius: hues.length === 1 ? 0.18 : 0 }),
    };
  });
}
