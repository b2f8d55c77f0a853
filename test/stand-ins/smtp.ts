import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Readable } from 'node:stream'
import PostalMime from 'postal-mime'
import { SMTPServer } from 'smtp-server'

/** A mail that the sink took, read back from its MIME form. */
export interface SunkMail {
  n: number
  at: string
  envelope: { from: string, to: string[] }
  from: string | null
  to: string[]
  subject: string
  text: string
  html: string
  headers: Record<string, string>
  raw: string
}

/** The next `times` answers of a step are this code. 4xx: come again; 5xx: never. */
export interface Refusal {
  step?: 'mail' | 'rcpt' | 'data'
  code: number
  times: number
  message?: string
}

export interface SmtpSink {
  url: string
  mails: SunkMail[]
  /** The first mail that fits, taken already or yet to come; rejects after `timeoutMs`. */
  waitFor: (predicate: (mail: SunkMail) => boolean, timeoutMs?: number) => Promise<SunkMail>
  refuse: (refusal: Refusal) => void
  close: () => Promise<void>
}

/** A mail server on loopback that delivers nothing and keeps everything. */
export async function startSmtpSink ({ port = 0 }: { port?: number } = {}): Promise<SmtpSink> {
  const mails: SunkMail[] = []
  const refusals: Refusal[] = []
  const waiters = new Set<() => void>()

  function refusal (step: NonNullable<Refusal['step']>): Error | null {
    const next = refusals.find((each) => (each.step ?? 'data') === step && each.times > 0)
    if (!next) return null
    next.times -= 1
    return Object.assign(new Error(next.message ?? 'Refused on purpose'), { responseCode: next.code })
  }

  async function take (stream: Readable, envelope: SunkMail['envelope']) {
    const raw = Buffer.concat(await stream.toArray() as Buffer[])
    const error = refusal('data')
    if (error) throw error
    mails.push({ n: mails.length + 1, at: new Date().toISOString(), envelope, ...await readMail(raw) })
    for (const look of [...waiters]) look()
  }

  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 500,
    onMailFrom: (_address, _session, done) => done(refusal('mail')),
    onRcptTo: (_address, _session, done) => done(refusal('rcpt')),
    onAuth: ({ username }, _session, done) => done(null, { user: username }),
    onData (stream, { envelope: { mailFrom, rcptTo } }, done) {
      const from = mailFrom ? mailFrom.address : ''
      take(stream, { from, to: rcptTo.map(({ address }) => address) }).then(() => done(), done)
    }
  })
  // A client that is killed resets its connection; that is no error of the sink.
  server.on('error', () => {})
  const listener = server.listen(port, '127.0.0.1')
  await once(listener, 'listening')
  const { port: bound } = listener.address() as AddressInfo

  return {
    url: `smtp://127.0.0.1:${bound}`,
    mails,
    refuse: (next) => { refusals.push({ ...next }) },
    waitFor: (predicate, timeoutMs = 10_000) => new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer)
        waiters.delete(look)
      }
      const look = () => {
        const found = mails.find(predicate)
        if (!found) return
        end()
        resolve(found)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`No such mail within ${timeoutMs} ms; ${mails.length} came`))
      }, timeoutMs)
      waiters.add(look)
      look()
    }),
    close: () => new Promise((resolve) => server.close(() => resolve()))
  }
}

async function readMail (raw: Buffer): Promise<Omit<SunkMail, 'n' | 'at' | 'envelope'>> {
  const mail = await PostalMime.parse(raw)
  const to = (mail.to ?? []).flatMap(({ address }) => address === undefined ? [] : [address])
  return {
    from: mail.from?.address ?? null,
    to,
    subject: mail.subject ?? '',
    text: mail.text ?? '',
    html: mail.html ?? '',
    headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key, value])),
    raw: raw.toString('latin1')
  }
}
