import { Type } from 'typebox'
import { defineEvent } from '../kernel/index.ts'
import { Id, Sha256 } from '../kernel/schemas.ts'

const common = {
  downloadId: Id,
  fileId: Id,
  purpose: Type.String({ maxLength: 32 })
}

/** The bytes lie in storage under `storageKey`; `type` is the declared one, of the asker before the host's. */
export const downloadCompleted = defineEvent({
  name: 'fetch.download.completed',
  data: Type.Object({
    ...common,
    storageKey: Type.String({ maxLength: 128 }),
    bytes: Type.Integer({ minimum: 0 }),
    sha256: Sha256,
    type: Type.String({ maxLength: 128 }),
    name: Type.Optional(Type.String({ maxLength: 255 }))
  }, { additionalProperties: false })
})

/** The transfer will not be tried again; `status` where the host answered one. */
export const downloadFailed = defineEvent({
  name: 'fetch.download.failed',
  data: Type.Object({
    ...common,
    code: Type.String({ maxLength: 128 }),
    status: Type.Optional(Type.Integer())
  }, { additionalProperties: false })
})
