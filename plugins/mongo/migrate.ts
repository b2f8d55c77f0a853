import { MongoClient, type Db, type IndexDescriptionInfo } from 'mongodb'
import type { CollectionDefinition, IndexDefinition } from '../../src/kernel/index.ts'
import { fingerprintOf, keyOf, type SchemaRow } from './schema.ts'

export interface MigrationReport {
  collections: number
  /** `collection.index` */
  created: string[]
  /** Built anew because the definition says something else now. */
  rebuilt: string[]
  /** In the store and in no definition; left alone. */
  unknown: string[]
}

const parallel = 6

/** Brings collections and indexes to what is declared, and writes that down for the check at boot. */
export async function migrate (
  { url, database }: { url: string, database: string }, collections: Iterable<CollectionDefinition>
): Promise<MigrationReport> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 7500 })
  try {
    const db = client.db(database)
    const wanted = [...collections]
    const done = await markOf(db)
    const report: MigrationReport = { collections: wanted.length, created: [], rebuilt: [], unknown: [] }
    const existing = new Set((await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name))
    const queue = wanted.filter((one) => done[keyOf(one.name)] !== fingerprintOf(one) || !existing.has(one.name))
    await Promise.all(Array.from({ length: parallel }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        await bring(db, next, existing.has(next.name), report)
      }
    }))
    await mark(db, wanted)
    return report
  } finally {
    await client.close()
  }
}

async function bring (
  db: Db, definition: CollectionDefinition, isThere: boolean, report: MigrationReport
): Promise<void> {
  const { name, options = {}, indexes } = definition
  if (!isThere) await create(db, name, options)
  else if (options['changeStreamPreAndPostImages'] !== undefined) {
    await db.command({ collMod: name, changeStreamPreAndPostImages: options['changeStreamPreAndPostImages'] })
  }
  const there = isThere ? await db.collection(name).indexes() : []
  for (const index of indexes) {
    const found = there.find((one) => one.name === index.name)
    if (found === undefined) report.created.push(`${name}.${index.name}`)
    else if (!isSame(found, index)) {
      await db.collection(name).dropIndex(index.name)
      report.rebuilt.push(`${name}.${index.name}`)
    }
  }
  if (indexes.length > 0) {
    await db.collection(name).createIndexes(indexes.map(({ keys, ...rest }) => ({ key: keys, ...rest })))
  }
  const known = new Set(indexes.map((index) => index.name))
  report.unknown.push(...there
    .filter((one) => one.name !== '_id_' && !known.has(one.name ?? ''))
    .map((one) => `${name}.${one.name}`))
}

async function create (db: Db, name: string, options: Record<string, unknown>): Promise<void> {
  try {
    await db.createCollection(name, options)
  } catch (error) {
    // Another migration was faster: what it made is what we want.
    if ((error as { codeName?: string }).codeName !== 'NamespaceExists') throw error
  }
}

function isSame (found: IndexDescriptionInfo, { keys, ...wanted }: IndexDefinition): boolean {
  const isText = Object.values(keys).includes('text')
  const sameKeys = isText || JSON.stringify([...Object.entries(found.key)]) === JSON.stringify(Object.entries(keys))
  const options = ['unique', 'sparse', 'partialFilterExpression', 'expireAfterSeconds'] as const
  return sameKeys && options.every(
    (name) => JSON.stringify(found[name] ?? false) === JSON.stringify(wanted[name] ?? false)
  )
}

async function markOf (db: Db): Promise<Record<string, string>> {
  const row = await db.collection<SchemaRow>('sys.meta').findOne({ _id: 'schema' })
  return row?.collections ?? {}
}

async function mark (db: Db, wanted: readonly CollectionDefinition[]): Promise<void> {
  const set = Object.fromEntries(wanted.map((one) => [`collections.${keyOf(one.name)}`, fingerprintOf(one)]))
  await db.collection<SchemaRow>('sys.meta').updateOne(
    { _id: 'schema' }, { $set: set, $currentDate: { at: true } }, { upsert: true, writeConcern: { w: 'majority' } })
}
