import type { LiveOptions, LiveProblem } from './types.ts'

export interface Reply { ok?: any, err?: LiveProblem, [field: string]: unknown }

export interface Wire {
  /**
   * Sends a command. `onReply` runs before the next frame is looked at: a publication may stand in the same message.
   * A socket that closes before gives no reply.
   */
  ask (command: object, onReply?: (reply: Reply) => void): void
  /** From the answer to `connect` on a silence longer than this and a little means death. */
  expectPings (pingMs: number): void
  close (): void
}

interface SocketOptions {
  url: string
  WebSocket: NonNullable<LiveOptions['WebSocket']>
  onOpen: () => void
  onFrame: (frame: Record<string, any>) => void
  onClose: (code: number) => void
}

const patienceMs = 10_000

/** One WebSocket: frames in and out, pings, silence. Tells its end once. */
export function createSocket ({ url, WebSocket, onOpen, onFrame, onClose }: SocketOptions): Wire {
  const socket = new WebSocket(url, 'hub.v1.json')
  const replies = new Map<number, (reply: Reply) => void>()
  let lastId = 0
  let silenceMs = 20_000
  let isOver = false
  let heardAt = performance.now()
  const watch = setInterval(() => { if (performance.now() - heardAt > silenceMs) end(1006) }, 1000)

  function end (code: number): void {
    if (isOver) return
    isOver = true
    clearInterval(watch)
    replies.clear()
    if (socket.readyState < 2) socket.close()
    onClose(code)
  }

  function hear (line: string): void {
    const frame = JSON.parse(line) as Record<string, any>
    const id: unknown = frame['id']
    if (typeof id === 'number') {
      const onReply = replies.get(id)
      replies.delete(id)
      onReply?.(frame)
    } else if (frame['t'] === undefined) socket.send('{}')
    else onFrame(frame)
  }

  socket.onopen = () => { if (!isOver) onOpen() }
  socket.onmessage = ({ data }) => {
    heardAt = performance.now()
    for (const line of String(data).split('\n')) {
      if (isOver) return
      hear(line)
    }
  }
  socket.onerror = () => { end(1006) }
  socket.onclose = ({ code }) => { end(code) }

  return {
    ask (command, onReply) {
      if (isOver || socket.readyState !== 1) return
      const id = ++lastId
      if (onReply !== undefined) replies.set(id, onReply)
      socket.send(JSON.stringify({ id, ...command }))
    },
    expectPings (pingMs) { silenceMs = pingMs * 1.1 + patienceMs },
    close () { end(1000) }
  }
}
