import { render } from 'preact'
import { App } from './app.ts'
import { html } from './html.ts'
import { catchKeys } from './keys.ts'
import { catchLinks } from './router.ts'
import { resume } from './session.ts'
import { applyTheme } from './theme.ts'

applyTheme()
catchLinks()
catchKeys()
const root = document.getElementById('console')
if (root === null) throw new Error('the page has no place for the console')
render(html`<${App} />`, root)
void resume()
