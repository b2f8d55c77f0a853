import { useMemo } from 'preact/hooks'
import { html, type Node } from '../html.ts'
import { count } from '../format.ts'
import { initial } from '../frame/top.ts'
import { Icon } from '../parts/icon.ts'
import { Picture } from '../parts/picture.ts'
import { Time } from '../parts/time.ts'
import { hrefOf } from '../router.ts'
import { assetsOfPosts } from '../stores/assets.ts'
import type { Account, Asset, Post } from '../stores/shapes.ts'
import { assetText } from './words.ts'

function Media ({ asset }: { asset: Asset }): Node {
  const { thumbUrl, url, alt, width, height, state } = asset
  if (state === 'ready' && (thumbUrl ?? url) !== undefined) {
    return html`<${Picture} url=${thumbUrl ?? url} href=${url} alt=${alt ?? 'Picture without a description'}
      width=${width} height=${height} />`
  }
  return html`<span class="no-picture small muted"><span>${assetText(asset)}</span></span>`
}

function Figure ({ word, value }: { word: string, value: number | undefined }): Node | null {
  return value === undefined ? null : html`<span><strong>${count(value)}</strong> ${word}</span>`
}

const isWeb = /^https?:/
const none: Asset[] = []

interface Props { post: Post, account?: Account | undefined }

function Head ({ post: { kind, state, publishedAt }, account }: Props): Node {
  return html`<p class="post-head">
    ${account !== undefined && html`<a class="post-who cut"
      href=${hrefOf(`/accounts/${account.id}`)}>${account.label}</a>
      <span class="muted cut">@${account.handle}</span>`}
    <span class="muted small"><${Time} at=${publishedAt} /></span>
    ${kind !== 'post' && html`<span class="tag">${kind}</span>`}
    ${state === 'gone' && html`<span class="tag">removed at the platform</span>`}
  </p>`
}

function Foot ({ metrics: { favourites, reblogs, replies }, url }: Post): Node {
  return html`<p class="post-foot small muted figures">
    <${Figure} word="favourites" value=${favourites} />
    <${Figure} word="reblogs" value=${reblogs} />
    <${Figure} word="replies" value=${replies} />
    ${url !== null && isWeb.test(url) && html`<a href=${url} target="_blank" rel="noreferrer noopener">
      original <${Icon} name="out" /></a>`}
  </p>`
}

/** One post: who, when, what, with its pictures and its figures. */
export function PostRow ({ post, account }: Props): Node {
  const media = assetsOfPosts.value.get(post.id) ?? none
  const name = account?.label ?? 'this account'
  return useMemo(() => html`<article class="post ${post.state}" aria-label="Post of ${name}">
    ${account !== undefined && html`<span class="avatar" aria-hidden="true">${initial(account.label)}</span>`}
    <div class="post-main">
      <${Head} post=${post} account=${account} />
      <p class="post-text text" dir="auto">${post.text}</p>
      ${media.length > 0 && html`<div class="post-media">
        ${media.map((asset) => html`<${Media} key=${asset.id} asset=${asset} />`)}</div>`}
      <${Foot} ...${post} />
    </div>
  </article>`, [post, account?.label, account?.handle, media])
}
