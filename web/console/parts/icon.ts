import { html, type Node } from '../html.ts'

const paths = {
  home: 'M2.5 7.5 8 2.8l5.5 4.7v5.7h-3.7V9.6H6.2v3.6H2.5z',
  accounts: 'M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8zm-5.2 5.4c.4-2.6 2.5-3.7 5.2-3.7s4.800 1.100 5.200 3.700',
  analytics: 'M2.500 13.500h11M4 11V8m3 3V4m3 7V6.500m3 4.500V2.500',
  inbox: 'M2.500 9.500 4.300 3h7.400l1.800 6.500v3.700h-11zm0 0h3.300c.3 1.300 1.100 2 2.200 2s1.900-.7 2.200-2h3.300',
  mails: 'M2.500 3.700h11v8.600h-11zm0 .6L8 8.700l5.500-4.400',
  work: 'M2.500 3.500h11M2.500 8h7.500M2.500 12.500h4M12 6.500l2 1.500-2 1.500',
  settings: 'M2.500 4.500h6m3 0h2m-11 7h2m3 0h6M10 3v3M6 10v3',
  search: 'M7 11.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9zm3.300-1.200 3.200 3.200',
  plus: 'M8 3v10M3 8h10',
  sync: 'M13 6.500A5.200 5.200 0 0 0 3.500 5M3 9.500A5.200 5.200 0 0 0 12.500 11M13 3v3.500H9.500M3 13V9.500h3.500',
  copy: 'M5.500 5.500v-3h8v8h-3m-8-5h8v8h-8z',
  close: 'M3.500 3.500l9 9m0-9-9 9',
  check: 'M3 8.500 6.500 12 13 4.500',
  code: 'M5.500 4.500 2 8l3.500 3.500m5-7L14 8l-3.500 3.500',
  left: 'M10 3 5 8l5 5',
  right: 'M6 3l5 5-5 5',
  out: 'M6.500 3h-4v10h4M10 5l3 3-3 3m3-3H6',
  alert: 'M8 2.500 14.200 13H1.800zM8 6.500v3m0 1.700v.3'
} as const

export type IconName = keyof typeof paths

/** A picture beside a word; it says nothing by itself. */
export function Icon ({ name }: { name: IconName }): Node {
  return html`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d=${paths[name]} /></svg>`
}
