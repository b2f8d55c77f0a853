import { Parser } from 'htmlparser2'

export interface PlainText { text: string, links: string[] }

const blocks = new Set(['p', 'div', 'blockquote', 'ul', 'ol', 'pre', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'])
const dropped = new Set(['script', 'style', 'template', 'noscript'])

/** Plain NFC text of a post: entities decoded once, `<br>` as a line feed, an empty line between paragraphs. */
export function plainTextOf (html: string): PlainText {
  const links = new Set<string>()
  let text = ''
  let gap = ''
  let hidden = 0
  const write = (piece: string): void => {
    if (hidden > 0 || piece === '') return
    text += (text === '' ? '' : gap) + piece
    gap = ''
  }
  const parser = new Parser({
    onopentag (name, attributes) {
      if (dropped.has(name)) hidden++
      if (name === 'br') write('\n')
      if (blocks.has(name) && text !== '') gap = '\n\n'
      if (name === 'li' && text !== '') gap ||= '\n'
      if (name === 'a') addLink(links, attributes)
    },
    ontext: write,
    onclosetag (name) {
      if (dropped.has(name)) hidden--
      if (blocks.has(name) && text !== '') gap = '\n\n'
    }
  }, { decodeEntities: true, recognizeSelfClosing: true })
  parser.end(html)
  return { text: cleanText(text), links: [...links] }
}

/** NFC; NUL, which no store and no screen wants, becomes the sign for what cannot be shown. */
export function cleanText (text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed().normalize('NFC')
}

/** Mentions and hashtags are links of the platform, not of the author. */
function addLink (links: Set<string>, attributes: Record<string, string>): void {
  const href = attributes['href'] ?? ''
  const classes = (attributes['class'] ?? '').split(/\s+/)
  if (classes.includes('mention') || classes.includes('hashtag')) return
  if (/^https?:\/\//i.test(href) && href.length <= 2083 && URL.canParse(href)) links.add(new URL(href).href)
}
