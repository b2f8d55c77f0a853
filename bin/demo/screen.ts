// What a person sees of the script: on a terminal one line a row that moves, elsewhere plain lines. All on stderr.
import type { Figures, Listener, Row } from './main-job.ts'

interface End { figures: Partial<Figures>, failures: readonly string[], isOk: boolean }

const paint = { good: '\u001B[32m', bad: '\u001B[31m', dim: '\u001B[2m', off: '\u001B[0m' }

/** Draws rows with their progress. */
export function createScreen () {
  const { stderr } = process
  const isTerminal = stderr.isTTY && process.env['NO_COLOR'] === undefined
  const color = (name: keyof typeof paint, text: string): string =>
    isTerminal ? `${paint[name]}${text}${paint.off}` : text
  let isOpen = false
  let began = 0

  function line (text: string): void {
    if (isOpen) stderr.write('\r\u001B[K')
    isOpen = false
    stderr.write(`${text}\n`)
  }

  function progress (row: Row, text: string): void {
    if (!isTerminal) return
    const shown = `  ${label(row)} ${color('dim', `${seconds()} ${text}`)}`
    stderr.write(`\r\u001B[K${shown.slice(0, (stderr.columns || 120) + 8)}`)
    isOpen = true
  }

  const seconds = (): string => `${((Date.now() - began) / 1000).toFixed(1)} s`

  const listener: Listener = {
    onRow (row) {
      began = Date.now()
      progress(row, '')
    },
    onProgress: progress,
    onRowEnd (row, failures) {
      const mark = failures.length === 0 ? color('good', '✓') : color('bad', '✗')
      line(`${mark} ${label(row)} ${color('dim', seconds())}`)
      for (const failure of failures) line(`    ${color('bad', failure)}`)
    }
  }

  return {
    line,
    listener,

    end ({ figures, failures, isOk }: End): void {
      line('')
      line(`  ${figures.posts ?? 0} posts in ${figures.pages ?? 0} pages, ${figures.ready ?? 0} pictures ready, ` +
        `${figures.rejected ?? 0} refused, ${figures.fired ?? 0} alert, ${figures.items ?? 0} item, ` +
        `${figures.mails ?? 0} mail, told after ${figures.seconds ?? '?'} s`)
      line(isOk ? color('good', '  Every row holds.') : color('bad', `  ${failures.length} conditions do not hold.`))
    },

    welcome (address: string, { email, password }: { email: string, password: string }): void {
      line('')
      line(`  Look at it:  ${address}/console`)
      line(`  Sign in as   ${email}  with the password  ${password}`)
      line('')
      line('Ctrl-C stops everything.')
    }
  }
}

function label ({ number, title }: Row): string {
  return `${String(number).padStart(2)}. ${title}`
}
