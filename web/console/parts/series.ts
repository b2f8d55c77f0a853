import { useEffect, useRef, useState } from 'preact/hooks'
import type uPlot from 'uplot'
import { count } from '../format.ts'
import { html, type Children, type Node } from '../html.ts'
import { paint } from '../theme.ts'

export interface Points {
  /** Seconds since 1970, rising. */
  at: readonly number[]
  /** One value per instant; null is a gap and stays one. */
  values: ReadonlyArray<number | null>
}

interface Props {
  label: string
  unit: string
  points: Points
  kind?: 'bars' | 'line'
  isDaily?: boolean
  note?: Children
}

/** Bars or a line over time with exact values under the pointer; it keeps its height whatever it shows. */
export function Series ({ label, unit, points, kind = 'bars', isDaily = false, note }: Props): Node {
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [index, setIndex] = useState<number | null>(null)
  const colours = paint.value
  const data = [points.at, points.values] as unknown as uPlot.AlignedData

  useEffect(() => {
    let isGone = false
    const place = frame.current
    const watch = new ResizeObserver(() => {
      if (place !== null) plot.current?.setSize({ width: place.clientWidth, height: place.clientHeight })
    })
    void Promise.all([import('uplot'), import('./series-options.ts')]).then(([{ default: Plot }, { plotOptions }]) => {
      if (isGone || place === null) return
      plot.current = new Plot(plotOptions({ place, kind, isDaily, onMove: setIndex }), data, place)
      watch.observe(place)
    })
    return () => {
      isGone = true
      watch.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [colours, kind, isDaily])
  useEffect(() => { plot.current?.setData(data) }, [points])

  const total = points.values.reduce<number>((sum, value) => sum + (value ?? 0), 0)
  const at = index === null ? undefined : points.at[index]
  return html`<figure class="series" aria-label=${`${label}: ${count(total)} ${unit} in ${points.at.length} steps`}>
    <figcaption class="small"><span>${label}</span><span class="figures muted">${at === undefined
      ? html`${count(total)} ${unit}${note}`
      : `${moment(at, isDaily)} · ${count(points.values[index ?? 0] ?? 0)} ${unit}`}</span></figcaption>
    <div class="plot" ref=${frame}></div>
    ${points.at.length === 0 && html`<p class="plot-empty muted">Nothing was counted in this time.</p>`}
  </figure>`
}

const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeZone: 'UTC' })
const minute = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' })

function moment (seconds: number, isDaily: boolean): string {
  return (isDaily ? day : minute).format(seconds * 1000)
}
