import { html, type Node } from '../html.ts'

interface Props { url: string, href?: string | undefined, alt: string, width: number | null, height: number | null }

/** A stored picture, loaded when it comes into sight; its place is kept free. */
export function Picture ({ url, href, alt, width, height }: Props): Node {
  const image = html`<img src=${url} alt=${alt} width=${width ?? 160} height=${height ?? 120} loading="lazy"
    decoding="async" />`
  return href === undefined
    ? html`<span class="picture">${image}</span>`
    : html`<a class="picture" href=${href} target="_blank" rel="noreferrer">${image}</a>`
}
