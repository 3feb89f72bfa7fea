/** Numbers over time that glide with the clock. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useHub } from '../../../client/react.js';
import type { Row } from '../../../client/index.js';
import type { Column, Hue } from '../dashboard.js';
import { formatClock, formatNumber, labelOf, NOTHING } from '../format.js';
import { useGlide } from '../hooks/page-life.js';
import { useTheme } from '../hooks/theme.js';
import { completeOnly, seriesOf, spanOf, stacked, type Series } from '../series.js';
import { chartColours } from './chart-theme.js';
import { chartOptions, type Mark } from './chart-options.js';
import { Legend } from './legend.js';

interface TimeChartProps {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly time: string;
  readonly values: readonly Column[];
  readonly mark: Mark;
}

/** A step of the glide is half a pixel: finer cannot be seen, and each step is a redraw. */
const STEP_PX = 0.5;
const FASTEST_STEP_MS = 33;

export function TimeChart({ title, rows, time, values, mark }: TimeChartProps) {
  const hub = useHub();
  const theme = useTheme();
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const size = useSize(box);
  const onScreen = useOnScreen(box);
  const [point, setPoint] = useState<number | null>(null);

  const names = values.map(({ name }) => name).join();
  const hues = values.map(({ hue }, place) => hue ?? placeHue(place)).join();
  const series = useMemo(() => {
    const all = seriesOf(rows, time, names.split(','));
    return mark === 'bars' ? all : completeOnly(all, hub.clock.hubNow() / 1000);
  }, [rows, time, names, mark, hub]);

  const follow = (): void => {
    const { min, max } = spanOf(series, hub.clock.hubNow() / 1000, mark === 'bars');
    chart.current?.setScale('x', { min, max });
  };

  useLayoutEffect(() => {
    if (box.current === null || size === undefined) return;
    const look = {
      mark,
      hues: hues.split(',').map(Number) as Hue[],
      colours: chartColours(theme),
      ...size,
      onPoint: setPoint,
    };
    const made = new uPlot(chartOptions(look), drawn(series, mark), box.current);
    chart.current = made;
    follow();
    return () => {
      made.destroy();
      chart.current = null;
    };
    // Series and size are brought in below, without making the chart anew.
  }, [theme, mark, hues, size === undefined]);

  useEffect(() => {
    if (size !== undefined) chart.current?.setSize(size);
  }, [size]);

  useEffect(() => {
    chart.current?.setData(drawn(series, mark), false);
    follow();
  }, [series, mark]);

  useGlide(stepMs(series, size?.width ?? 1), () => {
    if (onScreen.current) follow();
  });

  const last = series.times.length - 1;
  const shown = point !== null && point <= last ? point : last;
  const entries = values.map(({ name, label, format, hue }, n) => {
    const value = series.values[n]?.[shown];
    return {
      name: label ?? labelOf(name),
      value: typeof value === 'number' ? formatNumber(value, format) : NOTHING,
      hue: hue ?? placeHue(n),
    };
  });
  const at = series.times[shown];
  const spoken = entries.map(({ name, value }) => `${name} ${value}`).join(', ');
  return (
    <figure className="chart">
      <Legend entries={entries} at={at === undefined ? '' : formatClock(at * 1000)} pointed={point !== null} />
      <div ref={box} className="chart-canvas" role="img" aria-label={`${title} over time. Newest: ${spoken}.`} />
    </figure>
  );
}

function placeHue(place: number): Hue {
  return ((place % 5) + 1) as Hue;
}

/** uPlot's form; sums come highest first, as their colours do in chart-options.ts. */
function drawn(series: Series, mark: Mark): uPlot.AlignedData {
  const columns = mark === 'lines' ? series.values : [...stacked(series).values].reverse();
  return [series.times as number[], ...(columns as (number | null)[][])];
}

function stepMs(series: Series, width: number): number {
  const seconds = (series.times.at(-1) ?? 0) - (series.times[0] ?? 0);
  return Math.max(FASTEST_STEP_MS, ((seconds * 1000) / width) * STEP_PX);
}

function useSize(box: React.RefObject<HTMLElement | null>): { width: number; height: number } | undefined {
  const [size, setSize] = useState<{ width: number; height: number }>();
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0) setSize((last) => (last?.width === width && last.height === height ? last : { width, height }));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return size;
}

function useOnScreen(box: React.RefObject<HTMLElement | null>): React.RefObject<boolean> {
  const seen = useRef(true);
  useEffect(() => {
    if (box.current === null) return;
    const observer = new IntersectionObserver(([entry]) => (seen.current = entry?.isIntersecting ?? true));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [box]);
  return seen;
}
