import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'
import type { PasswordRecord } from './users.ts'

/** A registration under way. `isKnown`: the address has an account, so no code leads anywhere. */
export interface RegistrationFlow {
  id: string
  kind: 'register'
  state: 'started' | 'verified'
  emailKey: string
  isKnown: boolean
  code: { mac: string, keyId: string, sealed: Buffer, expiresAt: Date }
  tries: number
  input: {
    email: string
    displayName: string
    locale: string
    zone: string
    workspaceName: string
    password: PasswordRecord | null
  }
  createdAt: Date
  expiresAt: Date
}

type FlowRow = Omit<RegistrationFlow, 'id'> & { _id: string }

export type FlowRepository = ReturnType<typeof createFlowRepository>

export function createFlowRepository (db: Db) {
  const flows = db.collection<FlowRow>('identity.flows', { promoteBuffers: true })
  return {
    async add (session: Session, { id, ...row }: RegistrationFlow): Promise<void> {
      await flows.insertOne({ _id: id, ...row }, { session })
    },

    async find (id: string): Promise<RegistrationFlow | undefined> {
      const row = await flows.findOne({ _id: id })
      return row === null ? undefined : toFlow(row)
    },

    async countSince (emailKey: string, since: Date): Promise<number> {
      return await flows.countDocuments({ emailKey, createdAt: { $gte: since } }, { limit: 100 })
    },

    /** Takes one try before the code is looked at, so that parallel guesses cannot share one. */
    async takeTry (id: string, now: Date, most: number): Promise<RegistrationFlow | undefined> {
      const row = await flows.findOneAndUpdate(
        { _id: id, state: 'started', tries: { $lt: most }, expiresAt: { $gt: now } },
        { $inc: { tries: 1 } }, { returnDocument: 'after' })
      return row === null ? undefined : toFlow(row)
    },

    /** The one step from started to verified; false when somebody was faster. What was secret goes. */
    async finish (session: Session, id: string): Promise<boolean> {
      const row = await flows.findOneAndUpdate(
        { _id: id, state: 'started' },
        { $set: { state: 'verified', 'input.password': null }, $unset: { 'code.sealed': '' } }, { session })
      return row !== null
    }
  }
}

function toFlow ({ _id, ...row }: FlowRow): RegistrationFlow {
  return { id: _id, ...row }
}
