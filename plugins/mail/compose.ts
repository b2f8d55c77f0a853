import type { SendMailOptions } from 'nodemailer'
import type { Mail } from '../../src/kernel/index.ts'
import { MailError } from './errors.ts'

const controls = /\p{Cc}/u
const everyControl = /\p{Cc}+/gu

/** The message as nodemailer takes it: one address as an object, never a string it would parse. */
export function compose ({ to, subject, text, html, messageId }: Mail, from: string): SendMailOptions {
  if (!isAddress(to) || controls.test(messageId)) throw MailError.address_invalid()
  return {
    from,
    to: { name: '', address: to },
    subject: subject.replaceAll(everyControl, ' ').trim(),
    text,
    ...(html === undefined ? {} : { html }),
    messageId: `<${messageId}>`,
    headers: { 'Auto-Submitted': 'auto-generated' }
  }
}

function isAddress (to: string): boolean {
  const at = to.lastIndexOf('@')
  return to.length <= 254 && at > 0 && at < to.length - 1 && !controls.test(to) && !/[\s<>,;"]/.test(to)
}
