import type { Db } from 'mongodb'
import type { Mail } from '../../kernel/index.ts'

type MailRow = Omit<Mail, 'messageId'> & { _id: string, at: Date }

export type CapturedMailRepository = ReturnType<typeof createCapturedMailRepository>

const most = 200

/** Mails of the capture driver; platform-wide, only outside production. */
export function createCapturedMailRepository (db: Db) {
  const mails = db.collection<MailRow>('notifications.captured_mails')
  return {
    /** A mail that came before is the same mail; the newest 200 stay. */
    async keep ({ messageId, ...mail }: Mail, at: Date): Promise<void> {
      await mails.updateOne({ _id: messageId }, { $setOnInsert: { ...mail, at } }, { upsert: true })
      const [oldest] = await mails.find({}, { projection: { at: 1 } }).sort({ at: -1 }).skip(most).limit(1).toArray()
      if (oldest !== undefined) await mails.deleteMany({ at: { $lte: oldest.at } })
    },

    /** The newest first. */
    async list (to: string | undefined): Promise<Array<Mail & { at: Date }>> {
      const rows = await mails.find(to === undefined ? {} : { to }).sort({ at: -1, _id: -1 }).limit(most).toArray()
      return rows.map(({ _id, ...mail }) => ({ messageId: _id, ...mail }))
    }
  }
}
