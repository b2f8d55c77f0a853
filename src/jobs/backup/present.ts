import type { BackupRow } from '../repository.ts'
import type { Backup } from '../standing/schemas.ts'

export function presentBackup (row: BackupRow): Backup {
  return {
    id: row._id,
    state: row.state,
    startedAt: row.startedAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    clusterTime: row.clusterTime?.toISOString() ?? null,
    bytes: row.bytes,
    collections: row.collections.length,
    documents: row.collections.reduce((sum, { count }) => sum + count, 0),
    provenAt: row.provenAt?.toISOString() ?? null,
    rpoS: row.rpoS ?? null,
    rtoS: row.rtoS ?? null,
    isStored: row.parts.length > 0,
    problem: row.error === undefined ? null : { code: row.error.code, title: row.error.message }
  }
}
