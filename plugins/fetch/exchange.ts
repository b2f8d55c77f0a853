import type { Dispatcher } from 'undici'
import { toFetchError } from './failures.ts'
import type { Watch } from './watch.ts'

/** Takes the bytes of an answer as they come; `end` or `fail` is the last that it hears. */
export interface Reader {
  take (piece: Buffer): void
  end (): void
  fail (error: Error): void
}

/** The bytes of one answer, for one reader. What comes before it is kept: a little, then no more is asked for. */
export interface Body {
  read (reader: Reader): void
  pause (): void
  resume (): void
  /** Nothing more is wanted: what is not over yet is broken off, with its connection. */
  drop (): void
}

export interface Reply { status: number, headers: Record<string, string>, body: Body }

const earlyBytes = 64 * 1024

/** Sends a request and answers with the head of what comes back. Throws `fetch.*`, and what the watch found. */
export async function send (
  pool: Dispatcher, request: Dispatcher.DispatchOptions, watch: Watch
): Promise<Reply> {
  if (watch.reason !== undefined) throw watch.reason
  const exchange = new Exchange(watch)
  watch.heed(exchange)
  pool.dispatch(request, exchange)
  return await exchange.head
}

/** One request on its connection, beneath the streams of undici: a page costs no more than its bytes. */
class Exchange implements Dispatcher.DispatchHandler, Body {
  readonly #watch: Watch
  readonly #answered = Promise.withResolvers<Reply>()
  #controller: Dispatcher.DispatchController | undefined
  #reader: Reader | undefined
  #early: Buffer[] = []
  #earlyLength = 0
  #isOver = false
  #error: Error | undefined

  constructor (watch: Watch) {
    this.#watch = watch
  }

  get head (): Promise<Reply> {
    return this.#answered.promise
  }

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#isOver) controller.abort(this.#error as Error)
  }

  onResponseStart (
    _controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>
  ): void {
    if (status >= 200) this.#answered.resolve({ status, headers: plain(headers), body: this })
  }

  onResponseData (controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#reader !== undefined) {
      this.#reader.take(piece)
      return
    }
    this.#early.push(piece)
    this.#earlyLength += piece.length
    if (this.#earlyLength >= earlyBytes) controller.pause()
  }

  onResponseEnd (): void {
    this.#isOver = true
    this.#watch.leave(this)
    this.#reader?.end()
  }

  onResponseError (_controller: unknown, error: Error): void {
    this.stop(error)
  }

  /** The watch, the connection or the reader says that it is over. */
  stop (cause: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watch.leave(this)
    const error = this.#error = toFetchError(cause, this.#watch.reason)
    this.#controller?.abort(error)
    this.#answered.reject(error)
    const reader = this.#reader
    this.#reader = undefined
    reader?.fail(error)
  }

  read (reader: Reader): void {
    this.#reader = reader
    for (const piece of this.#early.splice(0)) {
      if (this.#reader === reader) reader.take(piece)
    }
    if (this.#reader !== reader) return
    if (this.#error !== undefined) reader.fail(this.#error)
    else if (this.#isOver) reader.end()
    else this.resume()
  }

  pause (): void {
    this.#controller?.pause()
  }

  resume (): void {
    this.#controller?.resume()
  }

  drop (): void {
    this.#reader = undefined
    this.stop(new Error('nothing more is wanted'))
  }
}

function plain (headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    flat[name] = Array.isArray(value) ? value.join(', ') : value ?? ''
  }
  return flat
}
