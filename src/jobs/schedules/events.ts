import { Type } from 'typebox'
import { defineEvent } from '../../kernel/index.ts'
import { At, Id } from '../../kernel/schemas.ts'

const name = Type.String({ maxLength: 128 })

/** A schedule stopped by itself: its runs failed again and again, or its data no longer fits its job. */
export const schedulePaused = defineEvent({
  name: 'jobs.schedule.paused',
  data: Type.Object({
    scheduleId: Id, name, reason: Type.String({ maxLength: 128 }), failures: Type.Integer({ minimum: 0 })
  }, { additionalProperties: false })
})

/** Slots of one schedule that came too late to count, told together. */
export const slotMissed = defineEvent({
  name: 'jobs.slot.missed',
  data: Type.Object({
    scheduleId: Id, name, count: Type.Integer({ minimum: 1 }), firstAt: At, lastAt: At
  }, { additionalProperties: false })
})
