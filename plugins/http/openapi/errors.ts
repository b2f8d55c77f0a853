import type { ErrorDefinition, ErrorKind } from '../../../src/kernel/index.ts'

const advice: Record<ErrorKind, string> = {
  invalid: 'Change the request: repeated as it is, it is refused again.',
  unauthenticated: 'Get a new proof: refresh the token, sign in again, or prove presence, as the code says.',
  forbidden: 'Ask somebody who may, or for the right to do it.',
  not_found: 'Check the id: it does not exist, or it is not yours.',
  conflict: 'Read the current state and decide again.',
  rate_limited: 'Wait for retryAfterMs, then repeat.',
  unavailable: 'Repeat after retryAfterMs; if it stays, tell the operator the requestId.'
}

export interface ErrorPage { code: string, kind: ErrorKind, status: number, title: string, advice: string }

export function errorPage ({ code, kind, status, message }: ErrorDefinition): ErrorPage {
  return { code, kind, status, title: message, advice: advice[kind] }
}

/** All codes in alphabetical order. */
export function errorPages (errors: ReadonlyMap<string, ErrorDefinition>): ErrorPage[] {
  return [...errors.values()].map(errorPage).sort((a, b) => a.code < b.code ? -1 : 1)
}

/** `docs/errors.md`: a table for each domain. */
export function errorsMarkdown (errors: ReadonlyMap<string, ErrorDefinition>): string {
  const byDomain = Map.groupBy(errorPages(errors), ({ code }) => code.split('.', 1)[0] as string)
  const parts = [...byDomain].map(([domain, pages]) => [
    `## ${domain}`, '', '| Code | Status | Kind | Sentence |', '|---|---|---|---|',
    ...pages.map(({ code, status, kind, title }) => `| \`${code}\` | ${status} | ${kind} | ${title} |`)
  ].join('\n'))
  const kinds = Object.entries(advice).map(([kind, sentence]) => `| ${kind} | ${sentence} |`)
  return `${[
    '# Errors', '', 'Generated from the tables of the domains by `npm run generate`; do not edit.', '',
    'A code never changes. Act on the code, show the sentence, log the `requestId`.', '',
    '| Kind | What to do |', '|---|---|', ...kinds
  ].join('\n')}\n\n${parts.join('\n\n')}\n`
}

/** The page of a code for people. */
export function errorHtml ({ code, kind, status, title, advice: todo }: ErrorPage): string {
  return '<!doctype html><html lang="en"><meta charset="utf-8">' +
    `<meta name="viewport" content="width=device-width"><title>${code}</title>` +
    `<h1>${code}</h1><p>${escape(title)}</p><p>${escape(todo)}</p>` +
    `<dl><dt>Kind</dt><dd>${kind}</dd><dt>Status</dt><dd>${status}</dd></dl>` +
    '<p><a href="/docs/">All of the interface</a></p></html>'
}

function escape (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
