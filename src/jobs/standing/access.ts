import { definePermissions } from '../../kernel/index.ts'

const keepers = ['owner', 'admin', 'operator']

export const standingPermissions = definePermissions('jobs', {
  'report:read': { kind: 'read', roles: [...keepers, 'member'], sentence: 'See reports of the workspace.' },
  'report:operate': { kind: 'write', roles: keepers, sentence: 'Have reports of the workspace built.' },
  'backup:read': { kind: 'read', roles: ['operator'], sentence: 'See the backups of the installation.' },
  'backup:operate': { kind: 'write', roles: ['operator'], sentence: 'Make and prove backups.' }
})
