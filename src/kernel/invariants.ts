/** Filled in by `plugins/mongo.ts` with the driver's database, so that this room names no driver. */
export interface StoreTypes {}

/** A database of the store; opaque for everything but repositories. */
export type Store = StoreTypes extends { store: infer S } ? S : never

/** Which backup the database was restored from. */
export interface RestoredBackup { id: string, clusterTime: Date }

/** What must hold in the data of a domain whenever it is looked at; the proof of a backup checks all of them. */
export interface InvariantDefinition {
  /** `<domain>.<what holds>` */
  name: string
  /** One sentence for each thing that does not hold, the first 20 of them; empty where all does. */
  check (store: Store, backup: RestoredBackup): Promise<string[]>
}

/** An invariant as data: it reads one database at one instant and writes nothing. */
export function defineInvariant (invariant: InvariantDefinition): InvariantDefinition {
  return invariant
}
