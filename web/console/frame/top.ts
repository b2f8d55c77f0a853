import { html, type Node } from '../html.ts'
import { Icon } from '../parts/icon.ts'
import { go, hrefOf, place, query, setQuery } from '../router.ts'
import { user, workspace } from '../session.ts'
import { calmly } from '../stores/list.ts'
import { Dot } from './dot.ts'

/** What the search looks through, by place. */
const scopes: ReadonlyArray<[RegExp, string]> = [
  [/^\/accounts\/./, 'Search posts'],
  [/^\/accounts$/, 'Search accounts'],
  [/^\/analytics/, 'Search events and rules'],
  [/^\/inbox/, 'Search the inbox'],
  [/^\/mails/, 'Search mails'],
  [/^\/$/, 'Search the feed']
]

let wanted = ''
const look = calmly(() => { setQuery({ q: wanted }) }, 200)

export function Top (): Node {
  const scope = scopes.find(([pattern]) => pattern.test(place.value))?.[1]
  return html`<header class="top">
    <span class="workspace cut" title=${workspace.value?.name}>${workspace.value?.name}</span>
    <div class="search" role="search">
      <${Icon} name="search" />
      <input id="search" key=${place.value} type="search" aria-label=${scope ?? 'Search accounts'}
        placeholder=${scope ?? 'Search accounts'} maxlength="100"
        autocomplete="off" defaultValue=${query.value.get('q') ?? ''}
        onInput=${(event: Event) => {
          wanted = (event.target as HTMLInputElement).value
          if (scope !== undefined) look()
        }}
        onKeyDown=${(event: KeyboardEvent) => {
          if (event.key === 'Escape') (event.target as HTMLInputElement).blur()
          if (event.key === 'Enter' && scope === undefined) go(`/accounts?q=${encodeURIComponent(wanted)}`)
        }} />
      <kbd aria-hidden="true">/</kbd>
    </div>
    <${Dot} />
    <a class="person" href=${hrefOf('/settings')} title=${user.value?.email}
      aria-label="You: ${user.value?.displayName}">
      <span class="avatar" aria-hidden="true">${initial(user.value?.displayName)}</span>
    </a>
  </header>`
}

/** The first character of a name as a person sees it. */
export function initial (name = ''): string {
  const [first] = new Intl.Segmenter().segment(name.trim())
  return first?.segment.toUpperCase() ?? '?'
}
