import type { PublishInput, Published, TopicDefinition } from '../../src/kernel/index.ts'

type Send = (input: PublishInput) => Promise<Published>

interface Waiting { resolve: (published: Published) => void, reject: (reason: unknown) => void }

interface Slot {
  nextAt: number
  held: { input: PublishInput, waiting: Waiting[], send: Send } | null
  timer: NodeJS.Timeout | null
  edges: string
  /** Sends of one key go one after another. */
  chain: Promise<unknown>
}

/** Holds the newest value of a key inside its rate window; an edge flushes what is held, then passes. */
export function createShaper (nowMs: () => number = () => performance.now()) {
  const slots = new Map<string, Slot>()

  async function pass (slot: Slot, input: PublishInput, send: Send): Promise<Published> {
    const sent = slot.chain.then(async () => await send(input))
    slot.chain = sent.catch(() => null)
    return await sent
  }

  function flush (slot: Slot): void {
    if (slot.timer !== null) clearTimeout(slot.timer)
    slot.timer = null
    const { held } = slot
    if (held === null) return
    slot.held = null
    pass(slot, held.input, held.send).then(
      (published) => { for (const one of held.waiting) one.resolve(published) },
      (reason: unknown) => { for (const one of held.waiting) one.reject(reason) })
  }

  function hold (id: string, slot: Slot, input: PublishInput, { send, windowMs }: { send: Send, windowMs: number }) {
    return new Promise<Published>((resolve, reject) => {
      const waiting = [...slot.held?.waiting ?? [], { resolve, reject }]
      slot.held = { input: newer(slot.held?.input, input), waiting, send }
      slot.timer ??= setTimeout(() => {
        slot.timer = null
        slot.nextAt = nowMs() + windowMs
        if (slot.held === null) slots.delete(id)
        flush(slot)
        expire(id, slot, windowMs)
      }, Math.max(0, slot.nextAt - nowMs()))
    })
  }

  /** A key that is quiet for a window is forgotten. */
  function expire (id: string, slot: Slot, windowMs: number): void {
    setTimeout(() => {
      if (slots.get(id) === slot && slot.held === null && nowMs() >= slot.nextAt) slots.delete(id)
    }, windowMs + 10).unref()
  }

  return {
    /** Publishes by `send` now or within the window of the topic; `isEdge` where the caller knows. */
    async publish (topic: TopicDefinition, channel: string, input: PublishInput, send: Send, isEdge?: boolean) {
      const { rate } = topic
      if (rate === undefined || input.key === undefined) return await send(input)
      const windowMs = 1000 / rate.perKeyPerSec
      const id = `${channel} ${input.key}`
      const edges = edgesOf(input, rate.edges)
      const slot = slots.get(id) ?? { nextAt: 0, held: null, timer: null, edges, chain: Promise.resolve() }
      if (!slots.has(id)) slots.set(id, slot)
      const passes = isEdge ?? (edges !== slot.edges)
      slot.edges = edges
      if (!passes && nowMs() < slot.nextAt) return await hold(id, slot, input, { send, windowMs })
      if (passes) flush(slot)
      slot.nextAt = nowMs() + windowMs
      expire(id, slot, windowMs)
      return await pass(slot, input, send)
    },

    /** Sends everything that is held. */
    async close () {
      const open = [...slots.values()]
      for (const slot of open) flush(slot)
      await Promise.all(open.map(async (slot) => { await slot.chain }))
      slots.clear()
    }
  }
}

function newer (held: PublishInput | undefined, input: PublishInput): PublishInput {
  if (held?.version === undefined || input.version === undefined) return input
  return input.version >= held.version ? input : held
}

function edgesOf (input: PublishInput, edges: readonly string[] | undefined): string {
  if (input.isDeleted === true) return 'deleted'
  const data = (input.data ?? {}) as Record<string, unknown>
  return JSON.stringify((edges ?? []).map((edge) => data[edge] ?? null))
}
