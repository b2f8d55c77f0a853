import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import {
  tableFormats,
  type Storage, type TableColumn, type TableFormat, type TableRow, type Tables
} from '../../kernel/index.ts'
import type { ReportFile } from '../repository.ts'

export interface FileParts { storage: Storage, tables: Tables, columns: readonly TableColumn[], signal: AbortSignal }

export interface BuiltFiles { files: ReportFile[], hash: string, rows: number }

/** Writes the rows once into a file of each format, as fast as the slowest of them takes them. */
export async function buildFiles (
  { storage, tables, columns, signal }: FileParts, rows: AsyncIterable<TableRow>, keyOf: (format: TableFormat) => string
): Promise<BuiltFiles> {
  const ways = tableFormats.map((format) => ({ format, rows: new PassThrough({ objectMode: true }) }))
  // Told by the promises below.
  for (const way of ways) way.rows.on('error', () => {})
  const stored = Promise.all(ways.map(async (way): Promise<ReportFile> => {
    const type = tables.typeOf(way.format)
    const { key, bytes, sha256 } = await storage.put(
      keyOf(way.format), tables.write(way.format, columns, way.rows as AsyncIterable<TableRow>), { type })
    return { format: way.format, key, bytes, sha256, type }
  }))
  try {
    const [files, told] = await Promise.all([stored, pour(rows, ways.map((way) => way.rows), columns, signal)])
    return { files, ...told }
  } catch (error) {
    for (const way of ways) way.rows.destroy(error as Error)
    await stored.catch(() => {})
    throw error
  }
}

async function pour (
  rows: AsyncIterable<TableRow>, ways: readonly PassThrough[], columns: readonly TableColumn[], signal: AbortSignal
): Promise<{ hash: string, rows: number }> {
  const hash = createHash('sha256')
  let count = 0
  for await (const row of rows) {
    signal.throwIfAborted()
    hash.update(`${JSON.stringify(columns.map(({ key }) => row[key] ?? null))}\n`)
    count++
    for (const way of ways) if (!way.write(row)) await once(way, 'drain', { signal })
  }
  for (const way of ways) way.end()
  return { hash: hash.digest('hex'), rows: count }
}
