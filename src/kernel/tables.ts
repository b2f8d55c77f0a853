import type { Readable } from 'node:stream'

export type Cell = string | number | boolean | null
export type TableRow = Record<string, Cell>

export interface TableColumn {
  /** Member of the row. */
  key: string
  /** What stands above the column; the key where absent. */
  title?: string
}

export const tableFormats = ['csv', 'ndjson'] as const
export type TableFormat = typeof tableFormats[number]

/** Writers of tables, streaming (`analytics.md` 4.8). */
export interface Tables {
  /** Content type of a format. */
  typeOf (format: TableFormat): string
  /** Bytes of the rows. Texts that a spreadsheet would take for a formula are neutralised in CSV. */
  write (format: TableFormat, columns: readonly TableColumn[], rows: AsyncIterable<TableRow>): Readable
}
