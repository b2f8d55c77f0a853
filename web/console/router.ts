import { computed, signal } from '@preact/signals'

const base = '/console'

function here (): URL {
  return new URL(location.href)
}

const address = signal(here())
addEventListener('popstate', () => { address.value = here() })

/** The place below `/console`: `/accounts/0190...`; the root is `/`. */
export const place = computed(() => address.value.pathname.slice(base.length).replace(/\/$/, '') || '/')
export const query = computed(() => address.value.searchParams)

/** Moves to a place below `/console`; the way back stays open. */
export function go (to: string): void {
  history.pushState(null, '', base + (to === '/' ? '' : to))
  address.value = here()
  scrollTo(0, 0)
}

/** Sets or, with undefined, removes parameters of the address. */
export function setQuery (changes: Record<string, string | undefined>, { isStep = false } = {}): void {
  const url = here()
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') url.searchParams.delete(name)
    else url.searchParams.set(name, value)
  }
  if (url.href === location.href) return
  history[isStep ? 'pushState' : 'replaceState'](null, '', url)
  address.value = here()
}

export function hrefOf (to: string): string {
  return base + (to === '/' ? '' : to)
}

function isPlain ({ button, metaKey, ctrlKey, shiftKey, altKey, defaultPrevented }: MouseEvent): boolean {
  return button === 0 && !(metaKey || ctrlKey || shiftKey || altKey || defaultPrevented)
}

function isOfConsole ({ target, origin, pathname, hash }: HTMLAnchorElement): boolean {
  return target === '' && hash === '' && origin === location.origin && pathname.startsWith(base)
}

/** Lets plain clicks on links of the console stay in the page. */
export function catchLinks (): void {
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest('a')
    if (link === null || !isPlain(event) || !isOfConsole(link)) return
    event.preventDefault()
    go(link.pathname.slice(base.length) + link.search)
  })
}
