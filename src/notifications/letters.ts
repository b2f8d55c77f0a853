import type { IdentityService } from '../identity/index.ts'
import type { Message, Trigger } from './repository/index.ts'
import { render, type Template, type Templates } from './templates.ts'
import { alertText, verifyEmail, type AlertData } from './workflows.ts'

/** Where a message of a run goes, or the rule that says why nowhere. */
export type Target = { address: string, deadline: Date | null } | { rule: 'no_address' | 'expired' }

interface Collaborators {
  identity: Pick<IdentityService, 'usersByIds' | 'codeMail'>
  templates: Templates
  publicUrl: string
}

/** What the mails say; values are read when they are rendered, so a code stands nowhere before. */
export function createLetters ({ identity, templates, publicUrl }: Collaborators) {
  async function codeLetter (flowId: string): Promise<Template | undefined> {
    const mail = await identity.codeMail(flowId)
    if (mail === undefined) return undefined
    const { displayName, code } = mail
    return code === null
      ? render(templates['already-registered'], { displayName, link: `${publicUrl}/console` })
      : render(templates['verify-email'], { displayName, code })
  }

  async function alertLetter (userId: string, data: AlertData): Promise<Template | undefined> {
    const [person] = await identity.usersByIds([userId])
    if (person === undefined || person === null) return undefined
    const { title, body } = alertText(data)
    const key = data.state === 'raised' ? 'alert-raised' : 'alert-resolved'
    return render(templates[key], {
      displayName: person.displayName, title, body, at: data.at, link: `${publicUrl}${data.link}`
    })
  }

  return {
    async target ({ workflow }: Trigger, recipientId: string): Promise<Target> {
      if (workflow === verifyEmail.key) {
        const mail = await identity.codeMail(recipientId)
        return mail === undefined ? { rule: 'expired' } : { address: mail.to, deadline: mail.expiresAt }
      }
      const [person] = await identity.usersByIds([recipientId])
      return person === undefined || person === null
        ? { rule: 'no_address' }
        : { address: person.email, deadline: null }
    },

    /** Undefined where there is nothing left to say. */
    async write ({ workflow, recipientId }: Message, { data }: Trigger): Promise<Template | undefined> {
      return workflow === verifyEmail.key
        ? await codeLetter(recipientId)
        : await alertLetter(recipientId, data as unknown as AlertData)
    }
  }
}
