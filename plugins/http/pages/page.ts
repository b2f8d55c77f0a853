import { createHash } from 'node:crypto'
import { vendored } from './vendor.ts'

/** Shown as long as nobody has put a console into `web/console`. */
const placeholder = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Switchyard</title></head>' +
  '<body><h1>Switchyard is running</h1><p><a href="/docs/">The interface</a></p></body></html>'

export interface Page { html: string, csp: string, etag: string }

/**
 * The page with the hash in its addresses (`/assets/…`, or `./…` for files beside it), the import map of the
 * vendored modules before its first script, what the server does with mails, and the policy that admits exactly its
 * inline scripts.
 */
export function preparePage (
  source: string | undefined, hash: string, { modules, mails }: { modules: readonly string[], mails: string }
): Page {
  const addressed = (source ?? placeholder)
    .replace('</head>', `<meta name="mails" content="${mails}">\n</head>`)
    .replaceAll(/(["'])\/assets\/(?![0-9a-f]{16}\/)/g, `$1/assets/${hash}/`)
    .replaceAll(/((?:src|href)=["'])\.\//g, `$1/assets/${hash}/console/`)
  const html = addressed.includes('type="importmap"') ? addressed : withImportMap(addressed, hash, modules)
  return { html, csp: policyOf(html), etag: `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"` }
}

function withImportMap (html: string, hash: string, modules: readonly string[]): string {
  const at = html.search(/<script|<link rel="modulepreload"|<\/head>/)
  const imports = Object.fromEntries(
    Object.entries(vendored).map(([name, path]) => [name, `/assets/${hash}/vendor/${path}`])
  )
  const map = `<script type="importmap">${JSON.stringify({ imports })}</script>\n`
  // Else each level of imports would wait for the one before.
  const preloads = modules.map((path) => `<link rel="modulepreload" href="/assets/${hash}/${path}">\n`).join('')
  return html.slice(0, at) + map + preloads + html.slice(at)
}

function policyOf (html: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' ${inlineHashes(html).join(' ')}`.trim(),
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:", "font-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'self'",
    "frame-ancestors 'none'"
  ].join('; ')
}

/** CSP hashes of the inline scripts of a page. */
export function inlineHashes (html: string): string[] {
  const scripts = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g)]
  return scripts.map(([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
}
