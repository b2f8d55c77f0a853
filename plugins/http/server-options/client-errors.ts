import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { uuidv7 } from '../../../src/kernel/index.ts'
import { classify } from '../../errors/classify.ts'
import { toProblem } from '../../errors/problem.ts'

/** What never became a request (broken, slow or too large headers) still gets a problem. */
export function answerClientError (base: string): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
      socket.destroy()
      return
    }
    const known = { code: error.code, statusCode: 400 }
    const problem = classify(known)
    const { status } = problem.definition
    const body = JSON.stringify(toProblem(problem, { requestId: uuidv7(), trace: undefined, base }))
    socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n` +
      'content-type: application/problem+json; charset=utf-8\r\n' +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
  }
}
