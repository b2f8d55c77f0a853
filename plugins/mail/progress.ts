import { Transform } from 'node:stream'
import type { SendMailOptions, Transporter } from 'nodemailer'

/** Whether the whole body went over: from then on a lost connection leaves it uncertain who has the mail. */
export interface Progress { isWhole: boolean }

type Watched = SendMailOptions & { progress?: Progress }

/** Lets the transport say how far a message got; the library names the same error before and after. */
export function watchBodies (transport: Transporter): void {
  transport.use('stream', (mail, done) => {
    const { progress } = mail.data as Watched
    mail.message.processFunc((input) => input.pipe(new Transform({
      transform: (chunk, _encoding, next) => { next(null, chunk) },
      flush: (next) => {
        if (progress !== undefined) progress.isWhole = true
        next()
      }
    })))
    done()
  })
}

export function watched (message: SendMailOptions, progress: Progress): SendMailOptions {
  const options: Watched = { ...message, progress }
  return options
}
