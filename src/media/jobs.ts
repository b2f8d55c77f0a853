import { Type } from 'typebox'
import { downloadCompleted } from '../fetch/index.ts'
import { defineJob, defineSubscriber } from '../kernel/index.ts'
import { Id } from '../kernel/schemas.ts'
import { purposes } from './purposes.ts'

/** A finished download becomes a file (`media.md` 4.3). */
export const receiveFile = defineSubscriber({
  name: 'media.receive-file',
  event: downloadCompleted,
  lane: 'bulk',
  when: ({ purpose }) => Object.hasOwn(purposes, purpose)
})

export const processFile = defineJob({
  name: 'media.process-file',
  queue: 'image',
  data: Type.Object({ workspaceId: Id, fileId: Id }, { additionalProperties: false })
})
