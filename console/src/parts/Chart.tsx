import { useState } from 'react';
import { w } from '../words';
import { steps } from './scale';

export type Series = { name: string; values: number[] };

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [960, 260, 48, 24, 22];
const number = new Intl.NumberFormat(w.locale);
const compact = new Intl.NumberFormat(w.locale, { notation: 'compact' });
const day = new Intl.DateTimeFormat(w.locale, { month: 'short', day: 'numeric', timeZone: 'UTC' });

/** Lines by day; arrow keys go from day to day, and the numbers are a table below. */
export function Chart({ title, days, series }: { title: string; days: string[]; series: Series[] }) {
  const [at, setAt] = useState(days.length - 1);
  const ticks = steps(Math.max(...series.flatMap((one) => one.values)));
  const top = ticks.at(-1) ?? 1;
  const x = (index: number) => LEFT + (index / Math.max(1, days.length - 1)) * (WIDTH - LEFT - 8);
  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const shown = Math.min(at, days.length - 1);
  const said = `${nameOf(days[shown])}: ${series.map((one) => `${one.name} ${number.format(one.values[shown] ?? 0)}`).join(', ')}`;
  function pressed(event: React.KeyboardEvent) {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -days.length, End: days.length }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(days.length - 1, shown + by)));
  }
  function pointed(event: React.PointerEvent<SVGSVGElement>) {
    const box = event.currentTarget.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width) * WIDTH - LEFT;
    setAt(Math.max(0, Math.min(days.length - 1, Math.round((share / (WIDTH - LEFT - 8)) * (days.length - 1)))));
  }
  return (
    <div className="stack tight">
      <p className="legend" aria-hidden="true">
        {series.map((one, index) => (
          <span key={one.name}>
            <svg aria-hidden="true" width="22" height="4" className="chart" style={{ display: 'inline', width: 22 }}>
              <line x1="0" x2="22" y1="2" y2="2" className={`line s${index + 1}`} />
            </svg>
            {one.name} <b>{number.format(one.values[shown] ?? 0)}</b>
          </span>
        ))}
        <span className="muted">{nameOf(days[shown])}</span>
      </p>
      <div
        role="slider"
        aria-label={`${title}. ${w.overview.chartHelp}`}
        aria-valuemin={0}
        aria-valuemax={days.length - 1}
        aria-valuenow={shown}
        aria-valuetext={said}
        tabIndex={0}
        onKeyDown={pressed}
      >
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} className="chart" aria-hidden="true" onPointerMove={pointed}>
          {ticks.map((tick) => (
            <g key={tick}>
              <line className="grid" x1={LEFT} x2={WIDTH - 8} y1={y(tick)} y2={y(tick)} />
              <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end">
                {compact.format(tick)}
              </text>
            </g>
          ))}
          {labels(days.length).map((index) => (
            <text key={index} x={x(index)} y={HEIGHT - 4} textAnchor={index === 0 ? 'start' : index === days.length - 1 ? 'end' : 'middle'}>
              {nameOf(days[index])}
            </text>
          ))}
          {series.map((one, index) => (
            <polyline
              key={one.name}
              className={`line s${index + 1}`}
              points={one.values.map((value, i) => `${x(i)},${y(value)}`).join(' ')}
            />
          ))}
          <line className="grid" x1={x(shown)} x2={x(shown)} y1={TOP} y2={HEIGHT - BOTTOM} />
          {series.map((one, index) => (
            <circle key={one.name} className={`f${index + 1}`} cx={x(shown)} cy={y(one.values[shown] ?? 0)} r="4" />
          ))}
        </svg>
      </div>
      <Numbers days={days} series={series} title={title} />
    </div>
  );
}

const nameOf = (name: string | undefined) => (name ? day.format(new Date(`${name}T00:00:00Z`)) : '');

/** Up to eight days that get a name under the axis. */
function labels(days: number): number[] {
  const step = Math.max(1, Math.ceil((days - 1) / 7));
  return Array.from({ length: Math.floor((days - 1) / step) + 1 }, (_, at) => at * step);
}

function Numbers({ days, series, title }: { days: string[]; series: Series[]; title: string }) {
  return (
    <details>
      <summary>{w.overview.numbers}</summary>
      <div className="table-box">
        <table className="table" aria-label={title}>
          <thead>
            <tr>
              <th>{w.overview.day}</th>
              {series.map((one) => (
                <th key={one.name}>{one.name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {days.map((name, at) => (
              <tr key={name}>
                <td>{name}</td>
                {series.map((one) => (
                  <td key={one.name}>{number.format(one.values[at] ?? 0)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
