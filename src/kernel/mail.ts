export interface Mail {
  to: string
  subject: string
  text: string
  html?: string
  /** Without angle brackets; derived from the run or message, so a repeat is recognized. */
  messageId: string
}

/** Hands one mail to the configured driver. Throws an error that the retry taxonomy understands. */
export type SendMail = (mail: Mail) => Promise<void>

/** Where the capture driver keeps mails; bound by notifications. */
export type MailCapture = (mail: Mail) => Promise<void>
