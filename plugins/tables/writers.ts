import { Readable } from 'node:stream'
import type { Cell, TableColumn, TableFormat, TableRow, Tables } from '../../src/kernel/index.ts'

const pieceChars = 64 * 1024
const types: Record<TableFormat, string> = {
  csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson'
}

/** CSV (RFC 4180) and NDJSON, in pieces of 64 KiB. */
export function createTables (): Tables {
  return {
    typeOf: (format) => types[format],
    write: (format, columns, rows) =>
      Readable.from(format === 'csv' ? csv(columns, rows) : ndjson(columns, rows), { objectMode: false })
  }
}

async function * csv (columns: readonly TableColumn[], rows: AsyncIterable<TableRow>): AsyncGenerator<Buffer> {
  yield * pieces(`${columns.map(({ key, title = key }) => csvCell(title)).join(',')}\r\n`, rows,
    (row) => `${columns.map(({ key }) => csvCell(row[key] ?? null)).join(',')}\r\n`)
}

async function * ndjson (columns: readonly TableColumn[], rows: AsyncIterable<TableRow>): AsyncGenerator<Buffer> {
  yield * pieces('', rows,
    (row) => `${JSON.stringify(Object.fromEntries(columns.map(({ key }) => [key, row[key] ?? null])))}\n`)
}

async function * pieces (
  head: string, rows: AsyncIterable<TableRow>, line: (row: TableRow) => string
): AsyncGenerator<Buffer> {
  let held = head
  for await (const row of rows) {
    held += line(row)
    if (held.length < pieceChars) continue
    yield Buffer.from(held)
    held = ''
  }
  if (held !== '') yield Buffer.from(held)
}

/** A spreadsheet takes a text that begins so for a formula; an apostrophe makes it a text again. */
const formula = /^[=+\-@\t\r]/

export function csvCell (cell: Cell): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell)
  const safe = formula.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
