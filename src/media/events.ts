import { Type } from 'typebox'
import { defineEvent } from '../kernel/index.ts'
import { Id, OneOf, Sha256 } from '../kernel/schemas.ts'
import { reasons } from './reasons.ts'

const Purpose = Type.String({ maxLength: 32 })
const Side = Type.Integer({ minimum: 1 })

/** The cleaned master and its thumbnail can be had; bytes and hash are the master's. */
export const fileReady = defineEvent({
  name: 'media.file.ready',
  data: Type.Object({
    fileId: Id,
    purpose: Purpose,
    type: Type.String({ maxLength: 64 }),
    bytes: Type.Integer({ minimum: 0 }),
    sha256: Sha256,
    width: Side,
    height: Side,
    frames: Side
  }, { additionalProperties: false })
})

export const fileRejected = defineEvent({
  name: 'media.file.rejected',
  data: Type.Object({ fileId: Id, purpose: Purpose, reason: OneOf(reasons) }, { additionalProperties: false })
})
