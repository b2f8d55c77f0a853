import { effect, signal } from '@preact/signals'

export type Theme = 'system' | 'light' | 'dark'
const themes: readonly string[] = ['system', 'light', 'dark']
const key = 'switchyard.theme'
const stored = localStorage.getItem(key)

export const theme = signal<Theme>(stored !== null && themes.includes(stored) ? stored as Theme : 'system')

/** Counts changes of the colours, for what paints itself. */
export const paint = signal(0)

/** Puts the choice on the root, where the colours are defined. */
export function applyTheme (): void {
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value
    if (theme.value === 'system') localStorage.removeItem(key)
    else localStorage.setItem(key, theme.value)
    paint.value = paint.peek() + 1
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { paint.value++ })
}
