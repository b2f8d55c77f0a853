import type { CollectionDefinition } from '../../kernel/index.ts'

export const standingCollections: readonly CollectionDefinition[] = [
  {
    name: 'jobs.backups',
    indexes: [
      { name: 'state', keys: { state: 1, startedAt: 1 } },
    ]
  },
  {
    name: 'jobs.reports',
    indexes: [
      { name: 'revision', keys: { workspaceId: 1, name: 1, period: 1, revision: 1 }, unique: true },
      { name: 'newest', keys: { workspaceId: 1, _id: 1 } },
      // What operators ask for over all workspaces.
      { name: 'kind', keys: { name: 1, period: 1, revision: 1 } },
      { name: 'kind_listed', keys: { name: 1, _id: 1 } }
    ]
  },
  // How far a clearing got, one document a run. Nobody asks after a quarter of a year.
  { name: 'jobs.clearings', indexes: [{ name: 'at', keys: { at: 1 }, expireAfterSeconds: 90 * 86_400 }] },
  { name: 'jobs.projections', indexes: [] }
]
