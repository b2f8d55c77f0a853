import { h, type ComponentChildren, type VNode } from 'preact'
import htm from 'htm'

export type Node = VNode | VNode[]
export type Children = ComponentChildren

/** Markup as tagged templates; values become text or attributes, never markup. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => Node = htm.bind(h)
