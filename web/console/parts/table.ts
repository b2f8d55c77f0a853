import { useMemo, useState } from 'preact/hooks'
import { html, type Children, type Node } from '../html.ts'

export interface Column<T> {
  key: string
  head: string
  cell: (row: T) => Children
  /** Figures stand to the right. */
  isFigure?: boolean
  /** Left out on small screens. */
  isExtra?: boolean
}

interface Props<T> {
  label: string
  columns: ReadonlyArray<Column<T>>
  rows: readonly T[]
  idOf: (row: T) => string
  /** The first cell becomes a link to this address. */
  hrefOf?: (row: T) => string
  current?: string | undefined
  more?: (() => unknown) | undefined
}

interface RowProps<T> extends Pick<Props<T>, 'columns' | 'hrefOf'> { row: T, isCurrent: boolean }

const step = 100

function classOf<T> ({ isFigure, isExtra }: Column<T>): string {
  return `${isFigure === true ? 'figure' : ''} ${isExtra === true ? 'extra' : ''}`
}

/** Drawn again only when its own row has changed; a burst of others costs it nothing. */
function Row<T> ({ row, columns, hrefOf, isCurrent }: RowProps<T>): Node {
  return useMemo(() => html`<tr class=${isCurrent ? 'current' : ''}>${columns.map((column, index) => html`
    <td key=${column.key} class=${classOf(column)}>${index === 0 && hrefOf !== undefined
      ? html`<a class="row-link" href=${hrefOf(row)}>${column.cell(row)}</a>`
      : column.cell(row)}</td>`)}</tr>`, [row, columns, isCurrent])
}

/** Rows with a sticky head; at most 100 at a time stand in the document. */
export function Table<T> ({ label, columns, rows, idOf, hrefOf, current, more }: Props<T>): Node {
  const [from, setFrom] = useState(0)
  const shown = rows.slice(from, from + step)
  const last = from + shown.length
  return html`<div class="table-frame">
    <table aria-label=${label}>
      <thead><tr>${columns.map((column) => html`<th key=${column.key} scope="col"
        class=${classOf(column)}>${column.head}</th>`)}</tr></thead>
      <tbody>${shown.map((row) => html`<${Row} key=${idOf(row)} row=${row} columns=${columns} hrefOf=${hrefOf}
        isCurrent=${idOf(row) === current} />`)}</tbody>
    </table>
    ${(from > 0 || last < rows.length || more !== undefined) && html`<nav class="pager" aria-label="Pages of ${label}">
      <span class="small muted figures">${from + 1}–${last} of ${rows.length}${more === undefined ? '' : '+'}</span>
      <button type="button" class="button" disabled=${from === 0}
        onClick=${() => { setFrom(Math.max(0, from - step)) }}>Back</button>
      <button type="button" class="button" disabled=${last >= rows.length && more === undefined}
        onClick=${() => { if (last < rows.length) setFrom(last); else void more?.() }}>More</button>
    </nav>`}
  </div>`
}
