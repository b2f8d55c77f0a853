import { html, type Node } from '../html.ts'

/** Two tracks that cross. */
export function Mark (): Node {
  return html`<svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
    <rect width="32" height="32" rx="7" fill="#1f4f8f" />
    <path d="M6 10h8l8 12h4M6 22h8l8-12h4" fill="none" stroke="#fff" stroke-width="3" /></svg>`
}
