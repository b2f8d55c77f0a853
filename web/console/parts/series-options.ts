import uPlot from 'uplot'
import { count } from '../format.ts'

interface Wish {
  place: HTMLElement
  kind: 'bars' | 'line'
  isDaily: boolean
  onMove: (index: number | null) => void
}

/** What uPlot needs to draw in the colours of the page. */
export function plotOptions ({ place, kind, isDaily, onMove }: Wish): uPlot.Options {
  const style = getComputedStyle(place)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const axis = {
    stroke: colour('muted'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { show: false }
  }
  return {
    width: place.clientWidth,
    height: place.clientHeight,
    // To the right, half of a date: the last label stands below the very edge.
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    ...(isDaily ? { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), 'UTC') } : {}),
    scales: { y: { range: (_plot, _min, max) => [0, Math.max(4, max * 1.08)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70 },
      {
        ...axis,
        size: 46,
        space: 32,
        values: (_plot, ticks) => ticks.map((tick) => Number.isInteger(tick) ? count(tick) : '')
      }
    ],
    series: [{}, {
      stroke: colour('accent'),
      fill: kind === 'bars' ? colour('accent') : colour('accent-tint'),
      width: kind === 'bars' ? 0 : 1.5,
      spanGaps: false,
      points: { show: false },
      ...(kind === 'bars' ? { paths: uPlot.paths.bars?.({ size: [0.8, 28], radius: 0.15 }) ?? null } : {})
    }],
    hooks: { setCursor: [({ cursor }) => { onMove(cursor.idx ?? null) }] }
  } as uPlot.Options
}
