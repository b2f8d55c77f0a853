/** A mail in parts, with `{{ name }}` for values (the plain subset of Liquid). */
export interface Template { subject: string, text: string, html: string }

export const templateKeys = ['verify-email', 'already-registered', 'alert-raised', 'alert-resolved'] as const
export type TemplateKey = typeof templateKeys[number]
export type Templates = Record<TemplateKey, Template>

const place = /\{\{ ?([a-zA-Z]+) ?\}\}/g

/** Fills a template in; values are escaped in the HTML. Throws where a value is missing. */
export function render (template: Template, values: Record<string, string>): Template {
  const valueOf = (name: string): string => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (value === undefined) throw new Error(`the template needs ${name}`)
    return value
  }
  return {
    subject: template.subject.replaceAll(place, (_, name: string) => valueOf(name)),
    text: template.text.replaceAll(place, (_, name: string) => valueOf(name)),
    html: template.html.replaceAll(place, (_, name: string) => escapeHtml(valueOf(name)))
  }
}

/** The text file begins with `Subject: ...` and an empty line; the HTML stands inside the layout. */
export function parseTemplate (text: string, html: string, layout: string): Template {
  const [, subject = '', body = ''] = /^Subject: (.+)\n\n([\s\S]*)$/.exec(text) ?? []
  if (subject === '') throw new Error('a mail template begins with its subject')
  return { subject, text: body, html: layout.replace('{{ content }}', () => html) }
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

function escapeHtml (text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => entities[char] as string)
}
