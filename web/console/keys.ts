/** `/` moves to the search from anywhere but a field; letters stay where they are typed. */
export function catchKeys (): void {
  document.addEventListener('keydown', (event) => {
    const isTyping = (event.target as Element).matches('input, select, textarea, [contenteditable]')
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault()
      document.getElementById('search')?.focus()
    }
    if (event.key !== 'Escape') return
    for (const open of document.querySelectorAll<HTMLDetailsElement>('details[open]')) open.open = false
  })
  document.addEventListener('click', (event) => {
    for (const open of document.querySelectorAll<HTMLDetailsElement>('details.request[open]')) {
      if (!open.contains(event.target as Element)) open.open = false
    }
  })
}
